// Package fal runs image models on fal, from a typed request to a typed
// result.
//
//	client := &fal.Client{} // the key comes from FAL_KEY
//	out, err := fal.Subscribe(ctx, client, flux.Pro2{Prompt: "a ceramic coffee mug"})
//	if err != nil {
//		return err
//	}
//	err = client.Save(ctx, out.Images[0], "mug.jpg")
//
// # Calls
//
// [Subscribe] queues a request and waits for its result. [Submit] queues it and
// returns a [Job] to follow, wait for or cancel; [Resume] takes up a job of
// which only the id is known. [Run] and [Stream] call a model directly, without
// the queue. A request is any value that implements [Request]: those of
// packages flux and qwen, or a [Call] for other endpoints. [At], [With] and
// [Raw] change where a request goes, what it says and what comes back.
//
// # Money
//
// A request that fal may have accepted is never sent again. If the answer to
// it is lost, the error is a [*OutcomeUnknownError]. Requests are checked on
// this side first: a [*ValidationError] lists every problem and has cost
// nothing.
//
// # Errors
//
// What fal reports is an [*Error]; compare it with [ErrRateLimited] and the
// others by errors.Is. A [*JobError] says that the wait for a job ended before
// the job did. [RequestID] finds the id of the job in any of them.
package fal
