package fal

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

// Hosts are the base URLs that a client talks to. An empty one is fal's own.
// Change them to reach a local fal (package faltest) or a gateway of your own:
// the API key is then sent to these hosts and to no others. A base URL may
// have a path; it is https, or http on a loopback address.
type Hosts struct {
	Run      string // direct calls and streams; default https://fal.run
	Queue    string // the queue; default https://queue.fal.run
	REST     string // uploads; default https://rest.fal.ai
	Platform string // prices and the account; default https://api.fal.ai
}

var falsHosts = Hosts{
	Run: "https://fal.run", Queue: "https://queue.fal.run", REST: "https://rest.fal.ai", Platform: "https://api.fal.ai",
}

// resolve fills in the defaults. Origins are the hosts that may get the key,
// or nil if all are fal's own.
func (h Hosts) resolve() (full Hosts, origins []string, err error) {
	if h == (Hosts{}) {
		return falsHosts, nil, nil
	}
	for _, host := range []struct {
		field, fallback string
		value           *string
	}{
		{"Run", falsHosts.Run, &h.Run},
		{"Queue", falsHosts.Queue, &h.Queue},
		{"REST", falsHosts.REST, &h.REST},
		{"Platform", falsHosts.Platform, &h.Platform},
	} {
		if *host.value == "" {
			*host.value = host.fallback
		}
		u, err := url.Parse(*host.value)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
			(u.Scheme != "https" && u.Scheme != "http") {
			// The value is not shown: it may hold a password.
			return h, nil, fmt.Errorf("fal: Client.Hosts.%s is not a base URL such as https://queue.fal.run, without credentials, query and fragment", host.field)
		}
		if u.Scheme == "http" && !transport.Loopback(u.Hostname()) {
			return h, nil, fmt.Errorf("fal: Client.Hosts.%s begins with http://, and %s is not this machine: the API key is sent over https alone", host.field, shorten(u.Host))
		}
		*host.value = strings.TrimRight(*host.value, "/")
		origins = append(origins, u.Scheme+"://"+u.Host)
	}
	return h, origins, nil
}

// parseEndpoint checks an endpoint id and returns it in the form used in URLs,
// and the part of it, owner and alias, that the URLs of queued jobs have.
func parseEndpoint(id string) (path, app string, err error) {
	path = id
	parts := strings.Split(id, "/")
	if len(parts) == 1 {
		// The oldest ids join owner and alias with a hyphen after a number.
		owner, alias, ok := strings.Cut(id, "-")
		if ok && owner != "" && strings.Trim(owner, "0123456789") == "" {
			parts = []string{owner, alias}
			path = owner + "/" + alias
		}
	}
	least := 2
	if parts[0] == "workflows" || parts[0] == "comfy" {
		least = 3
	}
	ok := len(parts) >= least
	for _, p := range parts {
		ok = ok && p != "" && strings.Trim(p, ".") != "" && strings.IndexFunc(p, notIDRune) < 0
	}
	if !ok {
		return "", "", fmt.Errorf("fal: endpoint: %q is not an id such as fal-ai/flux-2-pro", shorten(id))
	}
	end := least - 1 // the slashes
	for _, p := range parts[:least] {
		end += len(p)
	}
	return path, path[:end], nil
}

func notIDRune(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	digit := r >= '0' && r <= '9'
	return !letter && !digit && r != '-' && r != '_' && r != '.'
}
