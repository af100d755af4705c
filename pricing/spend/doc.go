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
// What one request costs is for package pricing to say, what many would cost
// for package plan.
package spend
