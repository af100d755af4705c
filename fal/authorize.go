package fal

import (
	"fmt"
	"net/http"
)

// Authorize makes an HTTP request of your own one of this client: it sets the
// API key and the name of this module in its header. It is for what has no
// function here, such as a handshake; whoever sends it must not follow redirects
// with it. If the host is not one that may have the key, or there is no key, the
// error says so and the request is left as it is.
func (c *Client) Authorize(req *http.Request) error {
	if err := c.ready(req.Context()); err != nil {
		return notSent(err)
	}
	if !c.transport.Trusts(req.URL) {
		return notSent(fmt.Errorf("fal: the API key is not sent to %s", bareURL(req.URL.Redacted())))
	}
	key, err := c.key()
	if err != nil {
		return notSent(err)
	}
	_, _ = c.keyToSend() // which remembers it
	req.Header.Set("Authorization", "Key "+key)
	req.Header.Set("User-Agent", "falimage-go/"+version)
	return nil
}

// Redact takes the API key, should it be there, out of a text that a server has
// sent: what came over a connection of your own, such as one of [Client.Authorize].
// The key is found in every way in which URLs and JSON have it, and so is the one
// before it.
func (c *Client) Redact(text string) string {
	_, _ = c.keyToSend() // one that was not sent may be repeated all the same
	return c.redact(text)
}
