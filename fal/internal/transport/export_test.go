package transport

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
)

// What tests of this package need to see of its inside.
var (
	CheckPublic    = checkPublic
	GuardTransport = guardTransport
	DialTimeout    = dialTimeout
)

// HTTPTransport is what a Transport without an HTTPClient uses.
func HTTPTransport() *http.Transport { return newHTTPTransport(dial) }

// SetLookUp has a Transport find the addresses of names in another way.
func SetLookUp(t *Transport, lookUp func(ctx context.Context, network, host string) ([]netip.Addr, error)) {
	t.lookUp = lookUp
}

// GuardedGet downloads past the check of the URL: what is left is the guard of
// the dialler.
func GuardedGet(t *Transport, address string) error {
	req, err := http.NewRequestWithContext(withGuard(context.Background()), http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	files, ok := t.files.HTTPClient.Transport.(attempts)
	if !ok {
		return errors.New("there is no guard")
	}
	resp, err := files.base.RoundTrip(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
