// Package proxy lets web pages call fal without having the API key: they call a
// [Handler] on one's own server, which says who may, checks what is asked for,
// keeps to budgets, adds the key, and passes the answer on as it comes, streams
// included.
//
//	http.Handle("/api/fal/proxy", &proxy.Handler{
//		Client:    &fal.Client{Guard: budget},
//		Endpoints: []string{"fal-ai/flux/schnell"},
//		Decode:    flux.Decode,
//		User:      func(r *http.Request) (string, error) { return session(r) },
//	})
//
// The official JavaScript client needs one line to use it:
//
//	fal.config({ proxyUrl: "/api/fal/proxy" });
//
// Everything is closed until it is opened: without User nobody may call, without
// Endpoints nothing can be called, and a page cannot have fal call a webhook.
package proxy
