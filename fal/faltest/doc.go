// Package faltest is a local fal, for tests and for trying everything without
// an API key. It speaks fal's queue, direct calls, streams, realtime sessions
// and storage over HTTP on a loopback address, checks requests as the service does, draws real
// pictures, counts what it would bill, and fails on request.
//
//	func TestMug(t *testing.T) {
//		srv := faltest.NewServer(t)
//		out, err := fal.Subscribe(t.Context(), srv.Client(), flux.Schnell{Prompt: "a mug"})
//		...
//	}
//
// All of fal's hosts are served by one address, each below a path of its own
// name: https://queue.fal.run/x is at URL()+"/queue.fal.run/x". [HostsAt]
// leads a client to a server that runs in another process, such as the program
// in examples/fakefal.
//
// # How strict it is
//
// The server refuses what the service refuses. What the service passes over in
// silence, such as a field that the endpoint does not have, is served and
// noted in [Server.Doubts]. A server of [NewServer], which is for tests,
// refuses such fields, so that a mistake is not overlooked; [Strict] decides
// it for every kind of server.
//
// # Faults
//
// [Server.Inject] makes the next exchanges fail: an [Op], a [Fault], and how
// often. A fault that never struck fails the test of NewServer, since the test
// then proves nothing. Clients in other languages name a fault in the header
// [FaultHeader].
//
// # Webhooks
//
// A webhook on a loopback address is called when its job ends, signed as fal
// signs, and again after 100 ms, 200 ms and so on, ten times at most, until it
// answers with a status of 2xx. Faults of [OpWebhook] bring duplicates and
// change the order. [Server.SignWebhook] signs calls of a test's own; the public
// keys are where fal has them, on rest.fal.ai. Other addresses are noted in
// [Server.Doubts] and not called.
//
// # Uploads and sessions
//
// Files are taken whole or in parts, at signed addresses or with a token of the
// storage. Parts are as strict as the service's: 5 MiB at least but the last, all
// listed in order with their ETags, put together once. Realtime sessions are held
// over WebSockets, with the key or a token of either kind; of more frames than
// max_buffering the oldest are dropped, and [RealtimeIdle] says when one that is
// silent is closed. Each frame is billed by itself, by the time it took the model,
// as a call of the endpoint is; how the service rounds it is unconfirmed.
//
// # Bills
//
// Each request is billed the units that fal would report for it: megapixels,
// pictures, requests, steps or seconds, with the minimum steps of trainers.
// [Ledger] has them. Money is not its business: see package pricing.
//
// # Platform
//
// The platform API is answered from what the server was asked: past requests
// with their payloads, billing events at the prices of [Server.SetPrice], usage,
// models from the catalogue. [Server.SetLag] lets it be late, as the service is,
// and [Server.Admin] has a key of admin scope. Requests under way are not listed;
// whether the service lists them is unconfirmed.
//
// # What it keeps
//
// Results are kept as long as fal keeps them: an hour, six minutes if the body
// has 10 kB or more, and 30 days where the input and output are stored, which
// they are unless X-Fal-Store-IO is 0 or the pictures are part of the result.
// Of those that are stored, the latest 10,000 are kept beyond their hour. The
// request history has the latest 10,000 requests at least, with 64 MiB of payloads.
// Pictures are drawn when they are fetched; the addresses of the latest
// 100,000 files are good. Uploads take 1 GiB at most, then the oldest go.
//
// # What it does not do
//
// It fetches nothing: pictures elsewhere are
// taken to be 1024 by 1024, and LoRA weights elsewhere to be small enough to
// be free. What no source tells of the service, the comments in the code call
// unconfirmed.
package faltest
