package fal_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
)

// The key goes to fal, and to hosts that were set in its place.
func TestAuthorize(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		client *fal.Client
		url    string
		want   string // of the error; "" if the key goes there
	}{
		{&fal.Client{Key: fal.NewKey("id:secret")}, "https://fal.run/x", ""},
		{&fal.Client{Key: fal.NewKey("id:secret")}, "https://rest.fal.ai/tokens/realtime", ""},
		{&fal.Client{Key: fal.NewKey("id:secret")}, "http://fal.run/x", "not sent"},
		{&fal.Client{Key: fal.NewKey("id:secret")}, "https://notfal.run/x?private", "not sent to https://notfal.run/x"},
		{&fal.Client{Key: fal.NewKey("id:secret")}, "https://u:p@fal.run/x", "not sent"},
		{&fal.Client{Key: fal.NewKey("id:secret"), Hosts: fal.Hosts{Run: "http://127.0.0.1:9"}}, "http://127.0.0.1:9/x", ""},
		{&fal.Client{Key: fal.NewKey("id:secret"), Hosts: fal.Hosts{Run: "://"}}, "https://fal.run/x", "Hosts.Run"},
		{&fal.Client{Key: fal.NewKey("secret")}, "https://fal.run/x", "malformed"},
		{&fal.Client{Key: func() string { return "" }}, "https://fal.run/x", fal.ErrNoKey.Error()},
		{nil, "https://fal.run/x", "nil"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tt.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = tt.client.Authorize(req)
		got := req.Header.Get("Authorization")
		switch {
		case tt.want == "" && (err != nil || got != "Key id:secret" || !strings.HasPrefix(req.Header.Get("User-Agent"), "falimage-go/")):
			t.Errorf("%s: %v, %v", tt.url, err, req.Header)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !fal.NotSent(err) || len(req.Header) != 0 || strings.Contains(err.Error(), "private")):
			t.Errorf("%s: %v, %v, want %q", tt.url, err, req.Header, tt.want)
		}
		if tt.want == fal.ErrNoKey.Error() && !errors.Is(err, fal.ErrNoKey) {
			t.Errorf("%s: %v is not ErrNoKey", tt.url, err)
		}
	}
}

// What servers repeat of the key is taken out, of a key that was changed too.
func TestRedact(t *testing.T) {
	t.Parallel()
	key := "the-id:the+secret"
	c := &fal.Client{Key: func() string { return key }}
	if got := c.Redact("a the-id:the+secret b the%2Bsecret c"); got != "a [redacted] b [redacted] c" {
		t.Errorf("got %q", got)
	}
	key = "the-id:another+secret"
	if got := c.Redact("the+secret another+secret"); got != "[redacted] [redacted]" {
		t.Errorf("after a change: %q", got)
	}
	if got := (&fal.Client{Key: fal.NewKey("no colon")}).Redact("no colon"); got != "no colon" {
		t.Errorf("without a key: %q", got)
	}
}
