// Package realtime holds sessions with models that answer frame by frame, such
// as [flux.KleinRealtime], over a WebSocket: a picture goes out, a picture comes
// back, many times a second.
//
//	s, err := realtime.Open(ctx, client, flux.KleinRealtime{}.Endpoint(), realtime.Options{})
//	...
//	defer s.Close()
//	go func() {
//		for _, frame := range camera {
//			_ = s.Send(ctx, flux.KleinRealtime{Prompt: "oil painting", ImageURL: fal.Bytes(frame)})
//		}
//	}()
//	for out, err := range s.Results(ctx) {
//		...
//	}
//
// A session is paid by the time that the model works, and no units are told. A
// budget books the time that the session was connected, the most that it can be,
// when it is closed; whether fal bills more, such as for the start of a machine, no
// source tells. What
// was sent when a connection is lost is not sent again: the next frame opens a
// new one. Only frames that cross with fal's word that the session was idle, and
// which it has not read, are.
//
// [flux.KleinRealtime]: https://pkg.go.dev/github.com/falimage/falimage-go/flux#KleinRealtime
package realtime
