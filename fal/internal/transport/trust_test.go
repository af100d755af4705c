package transport_test

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/jarcoal/httpmock"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

func TestTrusts(t *testing.T) {
	t.Parallel()
	fals := newTransport(httpmock.NewMockTransport())
	users := newTransport(httpmock.NewMockTransport(), func(c *transport.Config) {
		c.Backup = false
		c.Trusted = []string{"http://127.0.0.1:8080", "https://gateway.example", "http://10.0.0.1:80", "https://queue.fal.run"}
	})
	for _, tt := range []struct {
		url         string
		fals, users bool
	}{
		{"https://queue.fal.run/x", true, true},
		{"https://fal.run", true, false},
		{"https://a-z.0-9.fal.run", true, false},
		{"https://REST.fal.ai", true, false},
		{"https://queue.fal.run:443/x", true, false},
		{"https://queue.falrun.com/x", true, false},
		{"http://queue.fal.run/x", false, false},
		{"https://queue.fal.run:444/x", false, false},
		{"https://notfal.run", false, false},
		{"https://fal.run.evil.example", false, false},
		{"https://fal.run@evil.example", false, false},
		{"https://user:pw@fal.run", false, false},
		{"https://.fal.run", false, false},
		{"https://fal.run./", false, false},
		{"https://fal.ruń", false, false},
		{"https://evil.example／.fal.run", false, false}, // full-width solidus
		{"https://é.fal.run", false, false},
		{"https://a_b.fal.run", false, false},
		{"https://v3.fal.media/x", false, false},
		{"https:fal.run", false, false},
		{"//fal.run", false, false},
		{"http://127.0.0.1:8080/x", false, true},
		{"http://127.0.0.1:8081/x", false, false},
		{"https://127.0.0.1:8080/x", false, false},
		{"https://gateway.example/x", false, true},
		{"http://gateway.example/x", false, false},
		{"https://sub.gateway.example/x", false, false},
		{"http://10.0.0.1:80/x", false, false}, // not loopback: not in the clear
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		if got := fals.Trusts(u); got != tt.fals {
			t.Errorf("fal's: Trusts(%s) = %v", tt.url, got)
		}
		if got := users.Trusts(u); got != tt.users {
			t.Errorf("user's: Trusts(%s) = %v", tt.url, got)
		}
	}
}

// The key goes nowhere else, whatever a server answers.
func TestKeyStays(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method, location string
		followed, key    bool
	}{
		{http.MethodGet, "https://queue.fal.run/other", true, true},
		{http.MethodGet, "https://rest.fal.ai/other", true, false},
		{http.MethodGet, "https://evil.example/", true, false},
		{http.MethodGet, "https://sub.queue.fal.run/", true, false}, // net/http would send it there
		{http.MethodGet, "https://queue.fal.run:8443/", true, false},
		{http.MethodGet, "http://queue.fal.run/other", false, false},
		{http.MethodPost, "https://queue.fal.run/other", false, false},
		{http.MethodPut, "https://evil.example/", false, false},
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			synctest.Test(t, func(t *testing.T) {
				mock := httpmock.NewMockTransport()
				mock.RegisterResponder(tt.method, target, func(*http.Request) (*http.Response, error) {
					resp := httpmock.NewStringResponse(status, "")
					resp.Header.Set("Location", tt.location)
					return resp, nil
				})
				followed, withKey := false, false
				mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
					followed = true
					withKey = r.Header.Get("Authorization") != ""
					return httpmock.NewStringResponse(200, ""), nil
				})
				resp, err := newTransport(mock).Send(t.Context(), &transport.Request{Method: tt.method, URL: target, Auth: true})
				if followed != tt.followed || withKey != tt.key {
					t.Errorf("%s %d to %s: followed %v, with key %v", tt.method, status, tt.location, followed, withKey)
				}
				if tt.method != http.MethodGet && (err != nil || resp.StatusCode != status) {
					t.Errorf("%s %d: got %v, %v, want the redirect itself", tt.method, status, resp, err)
				}
				if n := mock.GetTotalCallCount(); n > 2 {
					t.Errorf("%s %d: %d requests", tt.method, status, n)
				}
			})
		}
	}
}

func TestUntrustedHostIsRefused(t *testing.T) {
	t.Parallel()
	mock := httpmock.NewMockTransport()
	_, err := newTransport(mock).Send(context.Background(), &transport.Request{Method: http.MethodGet, URL: "https://evil.example/x", Auth: true})
	if err == nil || mock.GetTotalCallCount() != 0 || !strings.Contains(err.Error(), "evil.example") {
		t.Errorf("error = %v after %d requests", err, mock.GetTotalCallCount())
	}
}

func TestCheckPublic(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		addr   string
		public bool
	}{
		{"8.8.8.8", true}, {"2606:4700::1111", true}, {"64:ff9b::808:808", true}, {"2002:808:808::1", true}, {"::ffff:8.8.8.8", true},
		{"127.0.0.1", false}, {"10.1.2.3", false}, {"172.16.0.1", false}, {"192.168.1.1", false}, {"169.254.169.254", false},
		{"0.0.0.0", false}, {"100.64.0.1", false}, {"198.18.0.1", false}, {"192.0.2.1", false}, {"224.0.0.1", false}, {"255.255.255.255", false},
		{"::1", false}, {"::", false}, {"fe80::1", false}, {"fe80::1%eth0", false}, {"fc00::1", false}, {"ff02::1", false}, {"2001:db8::1", false},
		{"::ffff:127.0.0.1", false}, {"::ffff:10.0.0.1", false}, {"64:ff9b::7f00:1", false}, {"64:ff9b::a9fe:a9fe", false}, {"2002:7f00:1::", false},
		{"::ffff:0:127.0.0.1", false}, {"::ffff:0:8.8.8.8", false}, {"168.63.129.16", false}, {"168.63.129.17", true},
		{"64:ff9b:1::a00:1", false}, {"fec0::1", false}, {"::7f00:1", false}, {"2001:db8::1%eth0", false}, {"::ffff:100.64.0.1", false}, {"::10.0.0.1", false},
	} {
		err := transport.CheckPublic(netip.MustParseAddr(tt.addr))
		if (err == nil) != tt.public || err != nil && !errors.Is(err, transport.ErrPrivateAddress) {
			t.Errorf("%s: %v", tt.addr, err)
		}
	}
}

// With a RoundTripper that dials itself, addresses in the URL are checked.
func TestDownloadLiterals(t *testing.T) {
	t.Parallel()
	for _, u := range []string{
		"http://127.0.0.1/x", "http://[::1]/x", "http://localhost/x", "http://LOCALHOST./x", "http://a.localhost/", "http://metadata.google.internal/",
		"http://169.254.169.254/latest", "http://[::ffff:10.0.0.1]/", "ftp://example.com/x", "file:///etc/passwd", "", "::", "https:///x",
		// Forms of 127.0.0.1 that a proxy or the system's resolver may understand.
		"http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0x7f.0.0.1/", "http://0177.0.0.1/", "http://example.0x7F./",
		// Full-width digits, a full stop and letters that are mapped to ASCII ones.
		"http://１２７.0.0.1/", "http://127。0。0。1/", "http://ｌocalhost/",
		"https://user:word@v3.fal.media/x", "https://user@v3.fal.media/x",
	} {
		calls := 0
		tr := newTransport(roundTrip(func(*http.Request) (*http.Response, error) {
			calls++
			return httpmock.NewStringResponse(200, "secret"), nil
		}))
		if _, err := tr.Download(context.Background(), u, nil); err == nil || calls != 0 {
			t.Errorf("Download(%q): error = %v after %d requests", u, err, calls)
		}
	}
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder(http.MethodGet, "https://v3.fal.media/a.png", func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Authorization") != "" {
			t.Error("a download carries the key")
		}
		return httpmock.NewStringResponse(200, "picture"), nil
	})
	if _, err := newTransport(mock).Download(context.Background(), "https://v3.fal.media/a.png", nil); err != nil {
		t.Error(err)
	}
}

// This machine is reached by its name, and by the addresses of both kinds.
func TestLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.1.2.3": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.example": false, "127.0.0.1.example": false, "10.0.0.1": false, "::2": false, "128.0.0.1": false,
	} {
		if transport.Loopback(host) != want {
			t.Errorf("%q: %t, want %t", host, !want, want)
		}
	}
}
