package transport

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
)

// What tests of this package need to see of its inside.
var CheckPublic = checkPublic

// SetLookUp has a Transport find the addresses of names in another way.
func SetLookUp(t *Transport, lookUp func(ctx context.Context, network, host string) ([]netip.Addr, error)) {
	t.lookUp = lookUp
}

// GuardedGet downloads past the check of the URL: what is left is the guard of
// the dialler.
func GuardedGet(t *Transport, address string) error {
	rt, ok := t.files.HTTPClient.Transport.(*roundTripper)
	if !ok {
		return errors.New("not our own RoundTripper")
	}
	ctx := context.WithValue(context.Background(), hopKey{}, &hop{guarded: true})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := rt.base.RoundTrip(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
