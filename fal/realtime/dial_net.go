//go:build !js

package realtime

import (
	"net/http"

	"github.com/coder/websocket"
)

// dialOptions are those of a connection that carries a header.
func dialOptions(c *http.Client, header http.Header) (*websocket.DialOptions, error) {
	return &websocket.DialOptions{HTTPClient: c, HTTPHeader: header}, nil
}
