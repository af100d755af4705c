// Package riverbatch does a batch on many machines: River (riverqueue.com) hands its
// items to workers, and a journal in the same PostgreSQL database sees to it that each
// is sent once, whatever is killed, restarted or run again.
//
//	err := riverbatch.Migrate(ctx, pool)                 // once, at deployment
//	j, err := riverbatch.Open(ctx, pool, "catalogue")
//	n, err := riverbatch.Insert(ctx, j, client, items)   // or InsertTx, in a transaction of yours
//
// and on each machine that works:
//
//	client.Guard = &riverbatch.Budget{Pool: pool, Name: "catalogue", Limit: 100 * pricing.Dollar}
//	worker := &riverbatch.Worker[fal.Images]{Runner: &batch.Runner{
//		Client: client, Journal: j, Dir: "/srv/pictures", Reconcile: platform.Reconciler{Client: client}.Find,
//	}}
//	queue, err := river.NewClient(riverpgxv5.New(pool), worker.Config(50))
//	err = queue.Start(ctx)
//
// # The rule
//
// No queue runs a job exactly once: whose worker is killed between the request and the
// note of it is run again. So it is not River that decides what is sent. A job only
// names an item, and [batch.Step] does what is left of that by the journal: the intent is
// committed before the request is sent; one without a request id is looked for in fal's
// history and never sent on a guess; one with a request id is waited for. Beside that an
// item has a lease, by the clock of the database, which its worker renews: a second run,
// which River begins when it takes a job for stuck, finds it held and comes back later.
// The lease ends before what was being sent can still be under way.
//
// [Journal.Rescue] finds items that no job will do any more and gives them a new one, as
// soon as the lease of a dead worker is over. River's own rescue does the same for its
// jobs, later; both lead through the journal.
//
// # Settings
//
// [Worker.Config] sets those of River: runs of ten minutes at most, since a run sends or
// fetches and never waits for fal; jobs of dead workers stuck after 15 minutes, which must
// be more than a run; 40 attempts, which only failures count, not waiting. While a job
// runs at fal the item is snoozed and its slot is for others. A pool of connections
// should have about as many as there are slots.
//
// [Worker.Every] is the pace of an account on all machines together, and a 429 pauses all
// of them. [Budget] is one budget for all. Where it is used up, the key is not accepted or
// the account locked, items wait and go on when that is over.
//
// # What River's UI shows
//
// The queue is named as the batch. The arguments of a job are batch, key, endpoint and
// the beginning of the prompt ([Args]); its output is state, request id, units that were
// billed, files, and what is wrong or waited for ([Report]). To cancel a job there
// cancels the item; what was sent goes on at fal. To retry one is harmless. Nothing here
// needs the UI.
//
// # When to use which
//
// One process on one machine: the file of package journal, with [batch.Run]. Several
// machines, or a web service that inserts in its own transactions: this package. Temporal
// or another queue of your own: [batch.Step] in its workers, with the [Journal] of this
// package or another one that passes package journaltest, and a lock so that two workers
// are not at one item; the example of Step is a plain loop.
package riverbatch
