package realtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/falimage/falimage-go/fal"
)

// handshakeTime is how long opening a connection may take.
const handshakeTime = 90 * time.Second

// pathOf returns the path at which an endpoint holds sessions.
func pathOf(endpoint string) (string, error) {
	parts := strings.Split(endpoint, "/")
	for _, p := range parts {
		if len(parts) < 2 || p == "" || strings.Trim(p, ".") == "" || strings.ContainsFunc(p, notID) {
			return "", fmt.Errorf("realtime: endpoint %.100q is not an id such as fal-ai/flux-2/klein/realtime", endpoint)
		}
	}
	if parts[len(parts)-1] != "realtime" {
		endpoint += "/realtime"
	}
	return endpoint, nil
}

func notID(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	return !letter && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}

// httpClient returns the client's, or one of our own, which follows no redirect:
// key and token stay where they were sent.
func httpClient(c *fal.Client) *http.Client {
	h := http.Client{}
	if c.HTTPClient != nil {
		h = *c.HTTPClient
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &h
}

// dial opens a connection.
func (s *session) dial(ctx context.Context) (*websocket.Conn, error) {
	host := s.client.Hosts.Run
	if host == "" {
		host = "https://fal.run"
	}
	query := url.Values{"max_buffering": {strconv.Itoa(s.opts.MaxBuffering)}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(host, "/")+"/"+s.path, nil)
	if err != nil {
		return nil, errors.New("the address is malformed")
	}
	if s.opts.Token == nil {
		if err := s.client.Authorize(req); err != nil {
			return nil, err
		}
	} else {
		token, err := s.freshToken(ctx)
		if err != nil {
			return nil, err
		}
		if !secret(req.URL) {
			return nil, fmt.Errorf("the token is not sent to %s, which is not https", req.URL.Host)
		}
		query.Set("fal_jwt_token", token)
	}
	req.URL.RawQuery = query.Encode()
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	h := httpClient(s.client)
	h.Timeout = 0 // it is meant for calls, and a model may have to start first
	options, err := dialOptions(h, req.Header)
	if err != nil {
		return nil, err
	}
	conn, resp, err := websocket.Dial(ctx, req.URL.String(), options)
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
			return nil, refusal(s.endpoint, resp.StatusCode, body, s.clean)
		}
		return nil, fmt.Errorf("no connection: %w", bare(err))
	}
	conn.SetReadLimit(maxFrame)
	return conn, nil
}

// secret reports whether what is sent to a URL is read by nobody on the way.
func secret(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// freshToken returns the token of the session, or a new one.
func (s *session) freshToken(ctx context.Context) (string, error) {
	s.mu.Lock()
	token := s.token
	s.mu.Unlock()
	if token.stale(time.Now()) {
		made := time.Now()
		var err error
		if token, err = s.opts.Token(ctx); err != nil {
			return "", fmt.Errorf("no token: %w", err)
		}
		if token.Value == nil || token.Value() == "" {
			return "", errors.New("no token: Options.Token returned an empty one")
		}
		token.made = made
		s.mu.Lock()
		s.token = token
		s.mu.Unlock()
	}
	return token.Value(), nil
}

// bare returns the reason of an error of net/http, without the address, which
// has the token.
func bare(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// clean makes a text that fal has sent fit to be shown: without key and token.
func (s *session) clean(text string) string {
	s.mu.Lock()
	token := s.token.Value
	s.mu.Unlock()
	if token != nil && len(token()) >= 6 { // a shorter one would be found in any text
		text = strings.ReplaceAll(text, token(), token.String())
	}
	return visible(s.client.Redact(text))
}

// refusal is the error for an answer that opens no session.
func refusal(endpoint string, status int, body []byte, clean func(string) string) error {
	var told struct {
		Detail any    `json:"detail"`
		Error  any    `json:"error"`
		Type   string `json:"error_type"`
	}
	message := http.StatusText(status)
	if json.Unmarshal(body, &told) == nil {
		for _, text := range []any{told.Detail, told.Error} {
			if text != nil {
				message = fmt.Sprint(text)
				break
			}
		}
	}
	return &fal.Error{Endpoint: endpoint, Status: status, Type: clean(told.Type), Message: fmt.Sprintf("%.500s", clean(message)), Billing: fal.NotBilled}
}

// visible leaves out what could change a terminal.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
