package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Trusts reports whether the API key may be sent to a URL: https on one of
// fal's hosts, or an origin that the user has set in their place. Plain http
// is for loopback addresses alone.
func (t *Transport) Trusts(u *url.URL) bool {
	if u.User != nil || u.Opaque != "" || u.Host == "" {
		return false
	}
	if t.config.Trusted != nil {
		return t.configured(u) && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()))
	}
	if u.Scheme != "https" || u.Port() != "" && u.Port() != "443" {
		return false
	}
	host := strings.ToLower(u.Hostname())
	if strings.ContainsFunc(host, notDNS) {
		return false
	}
	return within(host, "fal.ai") || within(host, "fal.run") || t.config.Backup && within(host, "falrun.com")
}

// configured reports whether a URL is on an origin that the user has set.
func (t *Transport) configured(u *url.URL) bool {
	return slices.Contains(t.config.Trusted, u.Scheme+"://"+u.Host)
}

// within reports whether host is the domain or below it.
func within(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain) && !strings.HasPrefix(host, ".")
}

// notDNS reports whether a character cannot be in the name of a host of fal's.
// Others may be mapped to another name when it is looked up.
func notDNS(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }

// errRefused says that a redirect is not followed or a download not begun, and
// will not be next time.
var errRefused = errors.New("refused")

// redirectPolicy follows redirects of reads alone, at most ten, and never from
// https to http. What else the user's own policy refuses is refused.
func redirectPolicy(users func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		first := via[0]
		if first.Method != http.MethodGet && first.Method != http.MethodHead {
			return http.ErrUseLastResponse
		}
		if len(via) >= 10 {
			return fmt.Errorf("%w: more than 10 redirects", errRefused)
		}
		if last := via[len(via)-1]; last.URL.Scheme == "https" && req.URL.Scheme != "https" {
			return fmt.Errorf("%w: redirect from https to %s", errRefused, req.URL.Scheme)
		}
		if users == nil {
			return nil
		}
		err := users(req, via)
		if err != nil && !errors.Is(err, http.ErrUseLastResponse) {
			err = fmt.Errorf("redirect %w: %w", errRefused, err)
		}
		return err
	}
}

// backups are the hosts that answer when fal's own cannot be reached.
var backups = map[string]string{"fal.run": "falrun.com", "queue.fal.run": "queue.falrun.com"}

// backupOf returns the same request to the backup host, or nil if there is
// none or the body cannot be sent again.
func (t *Transport) backupOf(req *http.Request) *http.Request {
	host, ok := backups[req.URL.Host]
	if !ok || !t.config.Backup || req.Context().Err() != nil {
		return nil
	}
	backup := req.Clone(context.WithValue(req.Context(), hopKey{}, &hop{backup: true}))
	backup.URL.Host, backup.Host = host, host
	if req.Body != nil {
		if req.GetBody == nil {
			return nil
		}
		body, err := req.GetBody()
		if err != nil {
			return nil
		}
		backup.Body = body
	}
	return backup
}
