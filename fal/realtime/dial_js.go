package realtime

import (
	"errors"
	"net/http"

	"github.com/coder/websocket"
)

// dialOptions are those of a connection in a browser, which sends no header: a
// token in the address opens it.
func dialOptions(_ *http.Client, header http.Header) (*websocket.DialOptions, error) {
	if header.Get("Authorization") != "" {
		return nil, errors.New("a browser sends no key: set Options.Token")
	}
	return new(websocket.DialOptions), nil
}
