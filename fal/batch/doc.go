// Package batch does many requests so that a crash, a lost network or a full
// budget loses nothing and pays for nothing twice.
//
//	j, err := journal.Open("catalogue.batch") // or batch.Memory()
//	look := platform.Reconciler{Client: client}
//	run := &batch.Runner{Client: client, Journal: j, Dir: "out", Reconcile: look.Find, Recover: look.Result}
//	for r, err := range batch.Run(ctx, run, items) {
//		... // r.Key, r.Out, r.Files; err is that item's own
//	}
//
// Run it again after a crash, with the same items: what is done comes from the
// journal, what fal has accepted is waited for, and the rest is sent.
//
// # The rule
//
// An item goes from intent to submitted, with a request id, to done or failed. The
// intent is in the journal before the request is sent, with all that is sent and a
// seed where the request has none. So there is no moment at which a request is
// under way and not on record. If the program ends before the answer is there, or
// the answer is lost, it is not known whether fal accepted it: the item is looked
// for by [Runner.Reconcile], and stays [Unknown] if that cannot tell. It is never
// sent again on a guess. If it is proved absent it is sent again as it was, with the
// same seed, and so makes the same picture.
//
// [Step] does that for one item, [Run] for many. On many machines, call Step in the
// workers of a queue, with a journal that they share.
//
// # Money
//
// What things cost is for the client's Guard to say: a budget of package spend sets
// aside the most that each item may cost, and Run stops before the limit. Its
// [StopError] then holds the budget's error, which says what is left. A budget with a
// ledger agrees with the journal after a crash too: what an item had set aside is
// known by its id, and a job that is taken up is booked once. (After a power cut the
// ledger may lack what the system had not written to the disk, which the journal has.)
//
// # Webhooks
//
// With [Runner.Webhook] fal calls an address when a job is done. A program that
// serves it waits by [Runner.Handler] instead of a connection for each item. Who
// submits need not be who receives: [Deliver] finishes an item by the call alone, in
// whatever program has the journal, and by the key in the address finds items whose
// answers were lost.
//
// # Cancelling
//
// [Runner.Stop] has no more items begun, and waits for those under way. When the
// context ends, waiting ends too: the jobs go on at fal, and the next run takes them
// up, or they are cancelled with [Runner.CancelJobs].
package batch
