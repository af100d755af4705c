// Package webhook receives what fal calls when a job is done.
//
//	hooks := &webhook.Handler{Handle: func(ctx context.Context, e *webhook.Event) error {
//		out, err := webhook.Into(ctx, e, fal.Resume(client, flux.Pro2{}.Endpoint(), e.RequestID))
//		...
//	}}
//	http.Handle("POST /fal", hooks)
//	...
//	job, err := fal.Submit(ctx, client, flux.Pro2{...}, fal.WithWebhook("https://example.com/fal?order=17"))
//
// A [Handler] takes what fal has signed, for the time that fal allows, and hands
// each request id over once. [Wait] is for who has the job at hand: the webhook
// tells when it is done, and a look from time to time stands in for one that
// never comes. [Verifier] is the check alone, for another way to receive.
//
// What is checked: the signature (Ed25519) of the body as it came, by the keys
// that fal publishes; that it was made within five minutes; the size; and, where
// [Handler.Sources] are given, who calls. Package faltest calls webhooks, signed
// by keys of its own, so that all this can be tried without a key.
package webhook
