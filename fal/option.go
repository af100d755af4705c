package fal

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Option changes how one request is sent. An option that does not apply to
// the way it is sent, such as [Webhook] with [Run], is refused.
type Option func(*options)

// options are the choices for one request. Those that only the queue knows
// note their name in queueOnly, so that direct calls can refuse them.
type options struct {
	header    http.Header
	query     url.Values
	tags      map[string]string
	lifecycle *Lifecycle
	queueOnly []string
	logs      bool
	onUpdate  func(Status)
	noCheck   bool
	guard     Guard
	err       error
}

func (o *options) set(name, value string) {
	if o.header == nil {
		o.header = make(http.Header)
	}
	o.header.Set(name, value)
}

func (o *options) fail(format string, args ...any) {
	o.err = errors.Join(o.err, fmt.Errorf("fal: option "+format, args...))
}

func (o *options) queue(name string) { o.queueOnly = append(o.queueOnly, name) }

// Priority is a place in fal's queue.
type Priority string

// The priorities. Requests of low priority wait behind everybody's normal
// ones on the same endpoint.
const (
	PriorityNormal Priority = "normal"
	PriorityLow    Priority = "low"
)

// WithWebhook has fal call the URL when the job is done.
func WithWebhook(callback string) Option {
	return func(o *options) {
		o.queue("WithWebhook")
		u, err := url.Parse(callback)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
			o.fail("WithWebhook: %q is not an absolute http or https URL", shorten(callback))
			return
		}
		o.setQuery("fal_webhook", callback)
	}
}

func (o *options) setQuery(name, value string) {
	if o.query == nil {
		o.query = make(url.Values)
	}
	o.query.Set(name, value)
}

// WithPriority sets the place in the queue. The default is normal.
func WithPriority(p Priority) Option {
	return func(o *options) {
		o.queue("WithPriority")
		if p != PriorityNormal && p != PriorityLow {
			o.fail("WithPriority: %q: must be normal or low", p)
		}
		o.set("X-Fal-Queue-Priority", string(p))
	}
}

// WithMaxQueueLength has fal refuse the request (status 429) if more than n
// requests of all its users wait at the endpoint; n is at least 1.
func WithMaxQueueLength(n int) Option {
	return func(o *options) {
		o.queue("WithMaxQueueLength")
		if n < 1 {
			o.fail("WithMaxQueueLength: %d: must be at least 1", n)
		}
		o.setQuery("fal_max_queue_length", strconv.Itoa(n))
	}
}

// WithStartTimeout has fal give up (status 504) if the model did not start to
// work on the request after d, which is more than 100 ms. It does not limit
// the work itself.
func WithStartTimeout(d time.Duration) Option {
	return func(o *options) {
		if d <= 100*time.Millisecond {
			o.fail("WithStartTimeout: %v: must be more than 100ms", d)
		}
		seconds := strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
		o.set("X-Fal-Request-Start-Timeout", seconds)
		o.set("X-Fal-Request-Timeout", seconds) // the older name of the same
	}
}

// WithRunnerHint asks for the runner that served earlier requests with the
// same hint.
func WithRunnerHint(hint string) Option {
	return func(o *options) {
		if hint == "" || !printable(hint) {
			o.fail("WithRunnerHint: %q: must be printable text", shorten(hint))
			return
		}
		o.set("X-Fal-Runner-Hint", hint)
	}
}

// WithoutStorage has fal keep neither the input nor the output of the request
// for its history. Results are then kept for an hour at most, those of 10 kB
// or more for some six minutes.
func WithoutStorage() Option {
	return func(o *options) { o.set("X-Fal-Store-IO", "0") }
}

// WithoutServerRetry keeps fal from running a request again after a failure
// of its own machines, which it else does up to ten times.
func WithoutServerRetry() Option {
	return func(o *options) {
		o.queue("WithoutServerRetry")
		o.set("X-Fal-No-Retry", "1")
	}
}

// WithTags attaches names and values to the request for fal's usage reports.
// There are at most 10. A name has up to 64 of the characters a-z, 0-9, dot,
// underscore and hyphen, and does not begin with "fal."; a value is up to 256
// printable ASCII characters without comma; all together are at most 1,024
// bytes. Fal itself drops bad pairs silently; here they are an error.
func WithTags(tags map[string]string) Option {
	tags = maps.Clone(tags)
	return func(o *options) {
		o.tags = tags
		if len(tags) > 10 {
			o.fail("WithTags: %d tags given: at most 10 are accepted", len(tags))
		}
		pairs := make([]string, 0, len(tags))
		for _, name := range slices.Sorted(maps.Keys(tags)) {
			value := tags[name]
			if name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
				o.fail("WithTags: name %q: must be 1 to 64 of a-z, 0-9, dot, underscore and hyphen", shorten(name))
			}
			if strings.HasPrefix(name, "fal.") {
				o.fail("WithTags: name %q: names beginning with fal. are reserved", name)
			}
			if value == "" || len(value) > 256 || !printable(value) || strings.Contains(value, ",") {
				o.fail("WithTags: %s: value %q: must be 1 to 256 printable ASCII characters without comma", name, shorten(value))
			}
			pairs = append(pairs, name+"="+value)
		}
		header := strings.Join(pairs, ",")
		if len(header) > 1024 {
			o.fail("WithTags: the tags are %d bytes together: at most 1024 are accepted", len(header))
		}
		o.set("X-Fal-Tags", header)
	}
}

// Access is what somebody may do with a stored file.
type Access string

// The kinds of access: a forbidden file answers 403, a hidden one 404.
const (
	AccessAllow  Access = "allow"
	AccessForbid Access = "forbid"
	AccessHide   Access = "hide"
)

// Lifecycle says how long files are kept and who may read them.
type Lifecycle struct {
	// ExpiresAfter is how long files are kept, in whole seconds, at least a
	// minute; 0 means as the account is set.
	ExpiresAfter time.Duration
	// Default is the access of everybody but the owner; "" means allow.
	Default Access
	// Users are exceptions to it, by user name.
	Users map[string]Access
}

// WithLifecycle sets how long the files of this request, uploaded and made,
// are kept and who may read them.
func WithLifecycle(l Lifecycle) Option {
	l.Users = maps.Clone(l.Users)
	return func(o *options) {
		o.lifecycle = &l
		value, err := l.header()
		if err != nil {
			o.fail("WithLifecycle: %w", err)
			return
		}
		o.set("X-Fal-Object-Lifecycle-Preference", value)
	}
}

func (l Lifecycle) header() (string, error) {
	type rule struct {
		User     string `json:"user"`
		Decision Access `json:"decision"`
	}
	type acl struct {
		Default Access `json:"default"`
		Rules   []rule `json:"rules"`
	}
	var preference struct {
		Seconds int  `json:"expiration_duration_seconds,omitzero"`
		ACL     *acl `json:"initial_acl,omitzero"`
	}
	if l.ExpiresAfter != 0 && l.ExpiresAfter < time.Minute {
		return "", fmt.Errorf("ExpiresAfter %v: must be at least 1m0s", l.ExpiresAfter)
	}
	preference.Seconds = int(l.ExpiresAfter / time.Second)
	if l.Default != "" || len(l.Users) > 0 {
		if l.Default == "" {
			l.Default = AccessAllow
		}
		preference.ACL = &acl{Default: l.Default, Rules: []rule{}}
		for _, name := range slices.Sorted(maps.Keys(l.Users)) {
			preference.ACL.Rules = append(preference.ACL.Rules, rule{name, l.Users[name]})
		}
		for _, r := range append(preference.ACL.Rules, rule{"Default", l.Default}) {
			if r.Decision != AccessAllow && r.Decision != AccessForbid && r.Decision != AccessHide {
				return "", fmt.Errorf("%s: access %q: must be allow, forbid or hide", r.User, r.Decision)
			}
		}
	}
	value, err := json.Marshal(preference)
	return string(value), err
}

// WithHeader adds a header to the request. Headers that carry credentials or
// describe the body are refused.
func WithHeader(name, value string) Option {
	return func(o *options) {
		switch name := http.CanonicalHeaderKey(name); {
		case name == "" || strings.ContainsFunc(name, notIDRune) || !printable(value):
			o.fail("WithHeader: %q is not a valid header", shorten(name))
		case slices.Contains([]string{"Authorization", "Cookie", "Host", "Content-Length", "Content-Type", "Content-Encoding",
			"Transfer-Encoding", "Connection", "Proxy-Authorization", "X-Fal-Target-Url"}, name):
			o.fail("WithHeader: %s cannot be set", name)
		default:
			o.set(name, value)
		}
	}
}

// WithLogs asks for the log lines of the model in the status of the job.
func WithLogs() Option {
	return func(o *options) {
		o.queue("WithLogs")
		o.logs = true
	}
}

// WithUpdates has [Subscribe] call f for each change of the job's status, one
// at a time. Log lines come along with [WithLogs].
func WithUpdates(f func(Status)) Option {
	return func(o *options) {
		o.queue("WithUpdates")
		o.onUpdate = f
	}
}

// SkipValidation sends the request without checking it locally: for a server
// that is newer than this module.
func SkipValidation() Option {
	return func(o *options) { o.noCheck = true }
}

// WithGuard has g asked before the request is sent, in place of the client's
// Guard.
func WithGuard(g Guard) Option {
	return func(o *options) { o.guard = g }
}

func applyOptions(opts []Option, queued bool) (*options, error) {
	o := new(options)
	for _, opt := range opts {
		if opt != nil {
			opt(o)
		}
	}
	if !queued && len(o.queueOnly) > 0 {
		o.fail("%s applies to queued requests only: use Subscribe or Submit", strings.Join(o.queueOnly, ", "))
	}
	return o, o.err
}

// printable reports whether s is printable ASCII, as header values must be.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
