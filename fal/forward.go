package fal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

// Forward sends a request of somebody else's to fal, with the API key of the
// client, and returns the answer as it comes: it is what a proxy is made of, see
// package proxy. The URL is that of fal.run, queue.fal.run or rest.fal.ai, and
// leads to the client's Hosts; headers are sent as they are, but for
// credentials. A POST is sent again on proof alone that it was not accepted, a
// GET or PUT until there is an answer. The caller closes the body.
//
// The key is taken out of what comes back, should it be repeated there. The
// client's Guard is not asked. The errors are those of [Run], but for what fal
// refuses: that is an answer.
func (c *Client) Forward(ctx context.Context, r *http.Request, body []byte) (*http.Response, error) {
	if err := c.ready(ctx); err != nil {
		return nil, notSent(err)
	}
	endpoint := strings.TrimPrefix(r.URL.Path, "/")
	target, err := c.forwarded(r)
	if err != nil {
		return nil, notSentTo(endpoint, err)
	}
	req := &transport.Request{
		Class: transport.Read, Method: r.Method, URL: target, Header: make(http.Header), Body: body, Auth: true, Endpoint: endpoint,
	}
	for name, values := range r.Header {
		if name != "Authorization" && name != "Cookie" && name != "X-Fal-Target-Url" {
			req.Header[name] = values
		}
	}
	switch {
	case r.Method == http.MethodPost && len(body) == 0:
		return nil, notSentTo(endpoint, errors.New("a POST needs a body"))
	case r.Method == http.MethodPost:
		req.Class = transport.Submit
	case strings.HasSuffix(r.URL.Path, "/stream"):
		req.Class, req.Stream = transport.Once, true
	default:
		req.Timeout, req.Result = readTimeout, strings.Contains(r.URL.Path, "/requests/")
	}
	start := time.Now()
	resp, err := c.transport.Send(ctx, req)
	if e, ok := errors.AsType[*transport.Error](err); ok && e.MaybeSent && req.Class == transport.Submit {
		return nil, &OutcomeUnknownError{Endpoint: endpoint, Sent: c.clock.of(start), Err: err}
	}
	if err != nil {
		return nil, notSentTo(endpoint, err)
	}
	for _, values := range resp.Header {
		for i, v := range values {
			values[i] = c.redact(v)
		}
	}
	least := minSecret
	if resp.StatusCode < 300 {
		least = minSecretInResult
	}
	key, _ := c.key() // it was there a moment ago
	resp.Body = &keylessBody{ReadCloser: resp.Body, secrets: secretsOf(key, least)}
	return resp, nil
}

// secretsOf returns the key and its secret part, as they are and as they are
// written in URLs, where they have so many letters.
func secretsOf(key string, least int) (list []string) {
	_, secret, _ := strings.Cut(key, ":")
	for _, s := range []string{key, url.QueryEscape(key), secret, url.QueryEscape(secret)} {
		if len(s) >= least {
			list = append(list, s)
		}
	}
	return list
}

// forwarded returns where a request for one of fal's hosts goes.
func (c *Client) forwarded(r *http.Request) (string, error) {
	base, ok := map[string]string{"fal.run": c.hosts.Run, "queue.fal.run": c.hosts.Queue, "rest.fal.ai": c.hosts.REST}[r.URL.Host]
	if !ok || r.URL.Scheme != "https" || r.URL.User != nil || strings.Contains(r.URL.Path, "..") {
		return "", fmt.Errorf("%s is no address to forward to", quoteShort(bareURL(r.URL.String())))
	}
	target := base + r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	return target, nil
}

// keylessBody takes secrets out of what is read. It holds back no more than what
// may be the beginning of one.
type keylessBody struct {
	io.ReadCloser
	secrets []string
	ready   []byte // to be handed out
	held    []byte // may be the beginning of a secret
	err     error
}

func (b *keylessBody) Read(p []byte) (int, error) {
	for len(b.ready) == 0 && b.err == nil {
		piece := make([]byte, max(len(p), 512))
		n, err := b.ReadCloser.Read(piece)
		text := append(b.held, piece[:n]...)
		b.held, b.err = nil, err
		for _, s := range b.secrets {
			if bytes.Contains(text, []byte(s)) {
				text = bytes.ReplaceAll(text, []byte(s), []byte(redacted))
			}
		}
		b.ready = text
		if err == nil {
			end := len(text) - b.beginning(text)
			b.ready, b.held = text[:end:end], text[end:]
		}
	}
	n := copy(p, b.ready)
	b.ready = b.ready[n:]
	if n > 0 {
		return n, nil
	}
	return 0, b.err
}

// beginning returns how many bytes at the end of a text may be the beginning of
// a secret.
func (b *keylessBody) beginning(text []byte) int {
	longest := 0
	for _, s := range b.secrets {
		for n := min(len(s)-1, len(text)); n > longest; n-- {
			if bytes.HasSuffix(text, []byte(s[:n])) {
				longest = n
			}
		}
	}
	return longest
}
