package realtime

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// Token opens sessions in place of the API key, for a limited time: a program
// that has the key makes it, and gives it to one that has not.
type Token struct {
	// Value gives the token; like a key it prints as [redacted].
	Value fal.Key
	// Expires is when it ends. A session gets a new one when nine tenths of its
	// time are over; the zero time never ends.
	Expires time.Time

	made time.Time // when it was given to the session
}

// stale reports whether it is time for a new token.
func (t Token) stale(now time.Time) bool {
	if t.Value == nil {
		return true
	}
	return !t.Expires.IsZero() && now.After(t.made.Add(t.Expires.Sub(t.made)*9/10))
}

// NewToken makes a token for one endpoint with the API key of the client. It is
// good for the given time, in whole seconds, at least one.
func NewToken[Out any](ctx context.Context, c *fal.Client, e fal.Endpoint[Out], lifetime time.Duration) (Token, error) {
	if lifetime < time.Second {
		return Token{}, fmt.Errorf("realtime: token: lifetime %v: must be at least 1s", lifetime)
	}
	path, err := pathOf(string(e))
	if err != nil {
		return Token{}, err
	}
	seconds := int(lifetime / time.Second)
	expires := time.Now().Add(time.Duration(seconds) * time.Second)
	status, body, err := ask(ctx, c, "/tokens/realtime", map[string]any{"allowed_apps": []string{path}, "duration": seconds})
	if err == nil && status >= 400 && status < 500 && status != http.StatusUnauthorized && status != http.StatusForbidden {
		// Endpoints of the older kind: the name of the application alone.
		alias := strings.Split(path, "/")[1]
		status, body, err = ask(ctx, c, "/tokens/", map[string]any{"allowed_apps": []string{alias}, "token_expiration": seconds})
	}
	if err != nil {
		return Token{}, fmt.Errorf("realtime: token for %s: %w", e, err)
	}
	if status >= 300 {
		return Token{}, refusal(string(e), status, body, func(text string) string { return visible(c.Redact(text)) })
	}
	var wrapped struct {
		Token  string `json:"token"`
		Detail string `json:"detail"`
	}
	text := ""
	if json.Unmarshal(body, &text) != nil && json.Unmarshal(body, &wrapped) == nil {
		text = wrapped.Token + wrapped.Detail // some servers name it detail
	}
	if text == "" {
		return Token{}, fmt.Errorf("realtime: token for %s: the answer has none", e)
	}
	return Token{Value: fal.NewKey(text), Expires: expires}, nil
}

// ask sends a question to fal, with the key.
func ask(ctx context.Context, c *fal.Client, path string, in any) (status int, answer []byte, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return 0, nil, err
	}
	host := c.Hosts.REST
	if host == "" {
		host = "https://rest.fal.ai"
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(host, "/")+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if err := c.Authorize(req); err != nil {
		return 0, nil, err
	}
	resp, err := httpClient(c).Do(req)
	if err != nil {
		return 0, nil, bare(err)
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, answer, err
}
