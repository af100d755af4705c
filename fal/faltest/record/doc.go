// Package record keeps real exchanges with fal on a tape, and plays them again,
// so that one real run becomes a test that needs neither key nor network.
//
// Once, with a key:
//
//	recorder := &record.Recorder{}
//	client := &fal.Client{HTTPClient: &http.Client{Transport: recorder}}
//	out, err := fal.Subscribe(ctx, client, req)
//	...
//	err = recorder.Tape().WriteFile("testdata/mug.tape")
//
// And then as a test, as often as one likes:
//
//	tape, err := record.ReadFile("testdata/mug.tape")
//	out, err := fal.Subscribe(ctx, tape.Client(t), req)
//
// Give requests seeds of their own: with a random one, no request is the same
// twice.
//
// # What is not on a tape
//
// The API key, wherever it comes back, and other keys and tokens that fal
// answers; the queries of signed addresses; headers beside fal's own and those
// that say what a body is; the content of what is uploaded, of which there is a
// digest; with [Recorder.HidePrompts], the prompts. Look at a tape before it is
// given to others all the same: it has what the pictures show, and what is in
// fields that this package knows nothing of.
//
// # The local fal and the service
//
// [Tape.Compare] sends what is on a tape to a [faltest.Server] and tells in what
// its answers differ from those of the service.
package record
