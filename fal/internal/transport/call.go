package transport

import (
	"context"
	"net/http"
)

// callHeader tells fal, or whatever is in between, to which logical call an
// exchange belongs.
const callHeader = "X-Call-Id"

type callKey struct{}

// callID is the id of a logical call, as a header value, made once.
type callID [1]string

// WithCall returns a context whose exchanges belong to the logical call of that
// id.
func WithCall(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, callKey{}, &callID{id})
}

// CallOf returns the id of the logical call that a context belongs to, or "".
func CallOf(ctx context.Context) string {
	if c, ok := ctx.Value(callKey{}).(*callID); ok {
		return c[0]
	}
	return ""
}

// setCall tells the server of the call, unless the caller has told something.
func setCall(ctx context.Context, header http.Header) {
	if c, ok := ctx.Value(callKey{}).(*callID); ok && header[callHeader] == nil {
		header[callHeader] = c[:]
	}
}

// Attempt is one time that an exchange is tried, as a tracer is told of it.
type Attempt struct {
	Call, Endpoint, Method string
	URL                    string // without credentials, query and fragment
	Number                 int    // from 1; a redirect has that of its attempt
}
