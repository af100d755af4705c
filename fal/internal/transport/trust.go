package transport

import (
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
		return t.configured(u) && (u.Scheme == "https" || u.Scheme == "http" && Loopback(u.Hostname()))
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
	return slices.ContainsFunc(t.config.Trusted, func(origin string) bool {
		scheme, host, _ := strings.Cut(origin, "://")
		return scheme == u.Scheme && host == u.Host
	})
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

// Loopback reports whether a host is this machine itself.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
