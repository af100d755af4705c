// Package plan tells what many pictures would cost, before any is made: a month
// by one model or a mix, which of several models is the cheapest way, and how
// many of the better pictures a budget allows.
//
// It starts from the [pricing.Quote] of a typical request for each model and
// sends nothing. What was really spent is in the ledger of package spend.
package plan
