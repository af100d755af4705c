package fal

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

// Platform calls fal's platform API, which knows models, prices, past requests
// and the account: path is such as "/v1/models/pricing", query may be nil, in
// becomes the JSON body unless it is nil, and the JSON of the answer is stored
// in the value that out points to, unless that is nil. The error is an [*Error]
// if the platform refuses, with RetryAfter where it asks to wait.
//
// GET, PUT and DELETE are repeated while no answer comes, DELETE under one
// idempotency key; POST only if it certainly was not accepted. The API key is
// sent along; models and the addresses of webhooks can be asked for without one.
//
// It is the door to what has no function of its own: package platform has
// typed calls.
func (c *Client) Platform(ctx context.Context, method, path string, query url.Values, in, out any) error {
	if err := c.ready(ctx); err != nil {
		return err
	}
	req, err := c.platformRequest(method, path, query, in)
	if err != nil {
		return fmt.Errorf("fal: platform: %w", err)
	}
	return c.repeat(ctx, func() (said bool, err error) {
		resp, err := c.transport.Send(ctx, req)
		if err != nil {
			return true, fmt.Errorf("fal: platform: %w", err)
		}
		body, err := readHeadOrAll(resp, anyResult)
		once := req.Class == transport.Submit // it is not asked for again
		if resp.StatusCode >= 300 {
			e := c.newError("platform", "", resp, body)
			return once || e.ofForm, e
		}
		if err != nil {
			return once || errors.Is(err, errTooLong), fmt.Errorf("fal: platform: %s: %w", path, err)
		}
		if out == nil {
			return true, nil
		}
		if err := json.Unmarshal(c.redactResult(body), out); err != nil {
			return once || json.Valid(body), fmt.Errorf("fal: platform: %s: the answer is not as expected: %w", path, err)
		}
		return true, nil
	})
}

// withoutKey are the paths that the platform answers without a key.
var withoutKey = []string{"/v1/models", "/v1/meta"}

func (c *Client) platformRequest(method, path string, query url.Values, in any) (*transport.Request, error) {
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#") || strings.Contains(path, "..") {
		return nil, fmt.Errorf("%s: must be a path such as /v1/models/pricing, without a query", quoteShort(path))
	}
	req := &transport.Request{
		Class: transport.Read, Method: method, URL: c.hosts.Platform + path, Header: make(http.Header),
		Auth: true, Endpoint: "platform", Timeout: readTimeout,
	}
	if len(query) > 0 {
		req.URL += "?" + query.Encode()
	}
	if _, err := c.key(); errors.Is(err, ErrNoKey) && slices.Contains(withoutKey, path) {
		req.Auth = false
	}
	switch method {
	case http.MethodGet, http.MethodPut:
	case http.MethodDelete:
		req.Header.Set("Idempotency-Key", rand.Text())
	case http.MethodPost:
		req.Class = transport.Submit
		if in == nil {
			in = struct{}{} // a Submit needs a body
		}
	default:
		return nil, fmt.Errorf("method %s: must be GET, POST, PUT or DELETE", quoteShort(method))
	}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		req.Header["Content-Type"], req.Body = contentJSON, body
	}
	return req, nil
}
