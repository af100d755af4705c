package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"
)

// ErrPrivateAddress says that a download or upload was refused because its
// address is in a private network.
var ErrPrivateAddress = errors.New("the address is in a private network")

// checkAddress refuses what can be refused before it is dialled.
func (t *Transport) checkAddress(ctx context.Context, u *url.URL) error {
	if u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%w: the URL is not http or https", errRefused)
	}
	if u.User != nil {
		return fmt.Errorf("%w: the URL has credentials", errRefused)
	}
	if t.configured(u) {
		return nil
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if strings.ContainsFunc(host, notASCII) {
		return fmt.Errorf("%w: %q is not ASCII; write it in its ASCII form (xn--...)", errRefused, host)
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return checkPublic(addr)
	}
	if privateName(host) {
		return fmt.Errorf("%w: %s", ErrPrivateAddress, host)
	}
	if t.direct {
		return nil // its dialler is guarded
	}
	return t.checkName(ctx, host)
}

// privateName reports whether a name is one that no public server has.
func privateName(host string) bool {
	return numeric(host) || host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal")
}

// PrivateHost reports whether a host is known, without looking it up, to be
// one that only a private network has: a private address, or a name without a
// dot.
func PrivateHost(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		return checkPublic(addr) != nil
	}
	return privateName(host) || !strings.Contains(host, ".")
}

// notASCII reports whether a character may be mapped to another, such as a
// full-width digit to a digit, when a name is looked up.
func notASCII(r rune) bool { return r > unicode.MaxASCII }

// checkName refuses a name that leads to a private address. A name that is not
// found is let pass: the user's RoundTripper may know another way to it.
func (t *Transport) checkName(ctx context.Context, host string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	addrs, _ := t.lookUp(ctx, "ip", host)
	for _, addr := range addrs {
		if err := checkPublic(addr); err != nil {
			return fmt.Errorf("%s: %w", host, err)
		}
	}
	return nil
}

// numeric reports whether a name that is not an address may be taken for one
// by a resolver or a proxy: 127.1, 2130706433, 0x7f.1.
func numeric(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	return strings.HasPrefix(last, "0x") || last != "" && strings.Trim(last, "0123456789") == ""
}

// reserved are the networks that netip does not know to be private.
var reserved = func() []netip.Prefix {
	var list []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"168.63.129.16/32", // Azure's own services
		"::ffff:0:0:0/96",  // IPv4 in another way than ::ffff:0:0/96
		"64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "::/96", "3fff::/20", "5f00::/16", "fec0::/10",
	} {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}()

var (
	nat64  = netip.MustParsePrefix("64:ff9b::/96")
	sixTo4 = netip.MustParsePrefix("2002::/16")
)

// checkPublic refuses addresses that are not on the public internet,
// also those that hide an IPv4 address in an IPv6 one.
func checkPublic(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	b := addr.As16()
	switch {
	case nat64.Contains(addr):
		return checkPublic(netip.AddrFrom4([4]byte(b[12:16])))
	case sixTo4.Contains(addr):
		return checkPublic(netip.AddrFrom4([4]byte(b[2:6])))
	}
	public := addr.IsGlobalUnicast() && !addr.IsPrivate()
	for _, p := range reserved {
		public = public && !p.Contains(addr)
	}
	if !public {
		return fmt.Errorf("%w: %s", ErrPrivateAddress, addr)
	}
	return nil
}

// guard says, in the context of an attempt, that private addresses are
// refused. It has its own life: a dial may go on after the attempt has ended.
type guard struct{ proxied atomic.Bool } // the attempt goes to a proxy

type guardKey struct{}

func withGuard(ctx context.Context) context.Context {
	return context.WithValue(ctx, guardKey{}, new(guard))
}

func guardOf(ctx context.Context) *guard {
	g, _ := ctx.Value(guardKey{}).(*guard)
	return g
}

// allowed checks an address that is about to be connected to, as host:port.
func allowed(ctx context.Context, address string) error {
	g := guardOf(ctx)
	if g == nil || g.proxied.Load() {
		return nil
	}
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrPrivateAddress, address)
	}
	return checkPublic(addr.Addr())
}

// dialGuarded connects for downloads. Names have been looked up when Control
// is called, so a name cannot point elsewhere after the check.
func dialGuarded(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{
		Timeout: 10 * time.Second,
		ControlContext: func(ctx context.Context, _, address string, _ syscall.RawConn) error {
			return allowed(ctx, address)
		},
	}
	return dialer.DialContext(ctx, network, address)
}

// guardTransport returns a copy of the user's transport that hangs up on
// private addresses before anything is sent. Its own way of dialling is kept,
// but for the older diallers, which have no context.
func guardTransport(users *http.Transport) *http.Transport {
	from := users.Clone() // others may be using it
	guarded := &http.Transport{
		Proxy:                  markProxy(from.Proxy),
		OnProxyConnectResponse: from.OnProxyConnectResponse,
		ProxyConnectHeader:     from.ProxyConnectHeader,
		GetProxyConnectHeader:  from.GetProxyConnectHeader,
		DialContext:            dialGuarded,
		TLSClientConfig:        from.TLSClientConfig,
		TLSHandshakeTimeout:    from.TLSHandshakeTimeout,
		TLSNextProto:           from.TLSNextProto,
		DisableKeepAlives:      from.DisableKeepAlives,
		DisableCompression:     from.DisableCompression,
		MaxIdleConns:           from.MaxIdleConns,
		MaxIdleConnsPerHost:    from.MaxIdleConnsPerHost,
		MaxConnsPerHost:        from.MaxConnsPerHost,
		IdleConnTimeout:        from.IdleConnTimeout,
		ResponseHeaderTimeout:  from.ResponseHeaderTimeout,
		ExpectContinueTimeout:  from.ExpectContinueTimeout,
		MaxResponseHeaderBytes: from.MaxResponseHeaderBytes,
		WriteBufferSize:        from.WriteBufferSize,
		ReadBufferSize:         from.ReadBufferSize,
		ForceAttemptHTTP2:      from.ForceAttemptHTTP2,
		HTTP2:                  from.HTTP2,
		Protocols:              from.Protocols,
	}
	if from.DialContext != nil {
		guarded.DialContext = hangUp(from.DialContext)
	}
	if from.DialTLSContext != nil {
		guarded.DialTLSContext = hangUp(from.DialTLSContext)
	}
	return guarded
}

func hangUp(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if err := allowed(ctx, conn.RemoteAddr().String()); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return conn, nil
	}
}

// markProxy notes when a connection goes to a proxy, which may well be
// private; the address behind it is then its concern.
func markProxy(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	if proxy == nil {
		return nil
	}
	return func(req *http.Request) (*url.URL, error) {
		u, err := proxy(req)
		if g := guardOf(req.Context()); g != nil {
			g.proxied.Store(u != nil)
		}
		return u, err
	}
}
