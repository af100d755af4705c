// Package invoice holds one's own books against what fal charged, request by
// request:
//
//	api := platform.API{Client: client} // its key has admin scope
//	inv, err := invoice.Of(ctx, api, ledger, march)
//	fmt.Print(inv)
//
// Each [Line] has the quote, the bill by the units that came with the result,
// and the bill by fal's billing events with its discount; its [Kind] says in
// what they differ, and Difference by how much. Events come late, by up to some
// 70 minutes: close a month some hours after its end.
package invoice
