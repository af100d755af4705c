// Package platform asks fal's platform about models, prices, past requests,
// bills and the account, and finds out what became of a request whose answer
// was lost.
//
//	api := platform.API{Client: client}
//	for event, err := range api.BillingEvents(ctx, platform.BillingQuery{}) {
//		...
//	}
//
// # Lists
//
// What may be long is an iterator, which asks for the next page when it is
// needed; an error comes once and last. More ids than the platform takes at
// once, or a longer time than it looks back over in one call, are asked for in
// parts. Where the platform asks to wait, that is done for up to 90 seconds, as
// its limits are per minute; a longer wait ends the call with the [fal.Error],
// whose RetryAfter has the time.
//
// # Keys
//
// Usage, bills, the balance, keys and the deletion of payloads need a key with
// admin scope; with another one the error is [ErrAdmin].
//
// # Lost answers
//
// [Reconciler.Reconcile] takes the [fal.OutcomeUnknownError] of requests and looks for
// their jobs in the request history and among the billing events. [Adopt] does so
// for one request and returns its job:
//
//	job, err := fal.Submit(ctx, client, req)
//	if err != nil {
//		job, err = platform.Adopt(ctx, platform.Reconciler{Client: client}, req.Endpoint(), err)
//	}
//	switch {
//	case err == nil: // accepted: job is the one that was submitted, or found
//	case fal.NotSent(err): // refused here, or proved absent: it may be sent again
//	default: // fal's refusal, or still unknown: the error says why
//	}
//
// Set [fal.Client.FixSeeds], or seeds of your own: two requests with the same
// body cannot be told apart.
//
// Amounts are the decimal numbers that fal sends, exact: package pricing turns
// them into money. What no source settles is called unconfirmed.
package platform
