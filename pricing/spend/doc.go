// Package spend keeps spending within limits and on record.
//
// A [Budget] is a [fal.Guard]: it sets aside the most that each request may
// cost before it is sent, and refuses what could go over a limit. A [Ledger]
// keeps a record of every request in a file that survives crashes.
//
//	ledger, err := spend.OpenLedger("spending.jsonl")
//	client := &fal.Client{Guard: &spend.Budget{
//		Limits: []spend.Limit{{Amount: 20 * pricing.Dollar}},
//		Ledger: ledger,
//	}}
//
// Limits are for all time, a day or a month ([Limit]). A tag says who a request is
// for: those of fal.WithTags, and those of [WithTags], which fal does not get to
// see. [Ledger.Totals] adds up by endpoint, tag, day and month, and
// [Ledger.Settled] goes through single requests:
//
//	err := spend.WriteCSV(file, ledger.Settled())
//
// What one request costs is for package pricing to say, what many would cost
// for package plan.
package spend
