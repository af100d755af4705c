package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/flux"
)

// health looks whether everything is in place.
func health(ctx context.Context, w io.Writer, e environment) bool {
	ok := true
	note := func(s state, what, format string, args ...any) {
		ok = ok && s != bad
		show(w, s, what, format, args...)
	}
	s, from := keyState(e)
	note(s, "key", "%s", from)
	note(good, "proxy", "%s", proxies(e.getenv))
	reach(ctx, e.hosts, note)
	api := platform.API{Client: e.client}
	for _, err := range api.Prices(ctx, string(flux.Schnell{}.Endpoint())) {
		if err != nil {
			note(bad, "platform", "%v", err)
			return ok
		}
	}
	note(good, "platform", "answers, and takes the key")
	switch account, err := api.Account(ctx); {
	case errors.Is(err, platform.ErrAdmin):
		note(strange, "balance", "the key has no admin scope, so that balance and bills cannot be read; it is enough to make pictures")
	case err != nil:
		note(strange, "balance", "%v", err)
	default:
		note(good, "balance", "%v %s", account.Balance, account.Currency)
	}
	switch refused, err := refusal(ctx, e.client, string(flux.Schnell{}.Endpoint()), struct{}{}); {
	case err != nil:
		note(bad, "free call", "%v", err)
	case refused == nil:
		note(strange, "free call", "an empty request was taken, and may have been charged")
	case errors.Is(refused, fal.ErrLocked):
		note(bad, "free call", "%v", refused)
	case refused.Status == http.StatusUnprocessableEntity:
		note(good, "free call", "an empty request was refused, as it should be, and cost nothing")
	default:
		note(bad, "free call", "%v", refused)
	}
	return ok
}

// keyState tells where the key is from, and nothing of it.
func keyState(e environment) (s state, from string) {
	switch {
	case e.simulated:
		return good, "none, this is a simulation"
	case e.getenv("FAL_KEY") != "":
		return good, fmt.Sprintf("in FAL_KEY, %d characters", len(e.getenv("FAL_KEY")))
	case e.getenv("FAL_KEY_ID") != "" && e.getenv("FAL_KEY_SECRET") != "":
		return good, "in FAL_KEY_ID and FAL_KEY_SECRET"
	}
	return bad, fal.ErrNoKey.Error()
}

// proxies tells which proxies are set, without passwords.
func proxies(getenv func(string) string) string {
	var set []string
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		value := getenv(name)
		if value == "" {
			continue
		}
		if strings.HasSuffix(strings.ToUpper(name), "_PROXY") && !strings.EqualFold(name, "NO_PROXY") {
			if u, err := url.Parse(value); err == nil && u.Host != "" {
				value = u.Scheme + "://" + u.Host
			} else {
				value = "set, but no URL such as http://proxy:3128"
			}
		}
		set = append(set, name+"="+value)
	}
	if set == nil {
		return "none set"
	}
	return strings.Join(set, ", ")
}

// Clocks that differ by more than clockOff let webhooks be refused.
const (
	clockOdd = 5 * time.Second
	clockOff = 300 * time.Second
)

// reach asks each host for anything, without the key, and compares the clocks.
func reach(ctx context.Context, hosts fal.Hosts, note func(state, string, string, ...any)) {
	var ahead time.Duration
	told := false
	for _, base := range []string{hosts.Run, hosts.Queue, hosts.REST, hosts.Platform} {
		ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/", nil)
		if err != nil {
			note(bad, "host", "%v", err)
			continue
		}
		start := time.Now()
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			note(bad, "host", "%v", err)
			continue
		}
		_ = resp.Body.Close()
		took := time.Since(start)
		note(good, "host", "%s answers after %v", base, took.Round(time.Millisecond))
		if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil && !told {
			ahead, told = start.Add(took/2).Sub(at.Add(500*time.Millisecond)), true // a date has whole seconds
		}
	}
	switch off := max(ahead, -ahead).Round(time.Second); {
	case !told:
		note(strange, "clock", "no host told the time")
	case off > clockOff:
		note(bad, "clock", "it is off by %v: webhooks will be refused, and lost jobs not found", off)
	case off > clockOdd:
		note(strange, "clock", "it is off by %v", off)
	default:
		note(good, "clock", "it agrees")
	}
}

// refusal sends what fal is expected to refuse, and returns how it did; nil if
// it did not. The error is of what came in between.
func refusal(ctx context.Context, client *fal.Client, endpoint string, input any) (*fal.Error, error) {
	_, err := fal.Run(ctx, client, fal.Call[json.RawMessage]{ID: fal.Endpoint[json.RawMessage](endpoint), Input: input})
	if e, ok := errors.AsType[*fal.Error](err); ok {
		return e, nil
	}
	return nil, err
}
