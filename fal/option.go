package fal

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Option changes how one request is put into the queue, by [Subscribe] or
// [Submit]. A value that is not accepted is a problem of the
// [*ValidationError] that the call then returns. Nil is no option.
type Option interface {
	apply(o *options)
}

// RunOption is an [Option] that direct calls take too: [Run] and [Stream].
type RunOption interface {
	Option
	runOption()
}

// UploadOption is a [RunOption] that [Client.Upload] takes too.
type UploadOption interface {
	RunOption
	uploadOption()
}

// queueOption, runOption and uploadOption are the options of each kind.
type (
	queueOption  func(*options)
	runOption    func(*options)
	uploadOption func(*options)
)

func (f queueOption) apply(o *options)  { f(o) }
func (f runOption) apply(o *options)    { f(o) }
func (f uploadOption) apply(o *options) { f(o) }

func (runOption) runOption()       {}
func (uploadOption) runOption()    {}
func (uploadOption) uploadOption() {}

// options are the choices for one request.
type options struct {
	header    http.Header
	query     url.Values
	tags      map[string]string
	lifecycle *Lifecycle
	logs      bool
	onUpdate  func(Status)
	noCheck   bool

	refuseFlagged bool

	guard    Guard
	problems []Problem
}

func (o *options) set(name, value string) {
	if o.header == nil {
		o.header = make(http.Header)
	}
	o.header.Set(name, value)
}

// refuse notes what is wrong with the value of an option.
func (o *options) refuse(option, value, format string, args ...any) {
	o.problems = append(o.problems, Problem{Field: "option " + option, Value: shorten(value), Message: fmt.Sprintf(format, args...)})
}

// WithWebhook has fal call the URL when the job is done.
func WithWebhook(callback string) Option {
	return queueOption(func(o *options) {
		u, err := url.Parse(callback)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
			o.refuse("WithWebhook", bareURL(callback), "must be an absolute http or https URL")
			return
		}
		o.setQuery("fal_webhook", callback)
	})
}

func (o *options) setQuery(name, value string) {
	if o.query == nil {
		o.query = make(url.Values)
	}
	o.query.Set(name, value)
}

// WithLowPriority lets everybody's other requests to the same endpoint go before
// this one.
func WithLowPriority() Option {
	return queueOption(func(o *options) { o.set("X-Fal-Queue-Priority", "low") })
}

// WithMaxQueueLength has fal refuse the request (status 429) if more than n
// requests of all its users wait at the endpoint; n is at least 1.
func WithMaxQueueLength(n int) Option {
	return queueOption(func(o *options) {
		if n < 1 {
			o.refuse("WithMaxQueueLength", strconv.Itoa(n), "must be at least 1")
		}
		o.setQuery("fal_max_queue_length", strconv.Itoa(n))
	})
}

// WithStartTimeout has fal give up (status 504) if the model did not start to
// work on the request after d, which is more than 100 ms. It does not limit
// the work itself.
func WithStartTimeout(d time.Duration) RunOption {
	return runOption(func(o *options) {
		if d <= 100*time.Millisecond {
			o.refuse("WithStartTimeout", d.String(), "must be more than 100ms")
		}
		seconds := strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
		o.set("X-Fal-Request-Start-Timeout", seconds)
		o.set("X-Fal-Request-Timeout", seconds) // the older name of the same
	})
}

// WithRunnerHint asks for the runner that served earlier requests with the
// same hint.
func WithRunnerHint(hint string) RunOption {
	return runOption(func(o *options) {
		if hint == "" || !printable(hint) {
			o.refuse("WithRunnerHint", strconv.Quote(hint), "must be printable text")
			return
		}
		o.set("X-Fal-Runner-Hint", hint)
	})
}

// WithoutStorage has fal keep neither the input nor the output of the request
// for its history. Results are then kept for an hour at most, those of 10 kB
// or more for some six minutes.
func WithoutStorage() RunOption {
	return runOption(func(o *options) { o.set("X-Fal-Store-IO", "0") })
}

// WithoutServerRetry keeps fal from running a request again after a failure
// of its own machines, which it else does up to ten times.
func WithoutServerRetry() Option {
	return queueOption(func(o *options) {
		o.set("X-Fal-No-Retry", "1")
	})
}

// WithTags attaches names and values to the request for fal's usage reports.
// There are at most 10. A name has up to 64 of the characters a-z, 0-9, dot,
// underscore and hyphen, and does not begin with "fal."; a value is up to 256
// printable ASCII characters without comma; all together are at most 1,024
// bytes. Fal itself drops bad pairs silently; here they are an error.
func WithTags(tags map[string]string) RunOption {
	tags = maps.Clone(tags)
	return runOption(func(o *options) {
		o.tags = tags
		if len(tags) > 10 {
			o.refuse("WithTags", strconv.Itoa(len(tags))+" tags", "at most 10 are accepted")
		}
		pairs := make([]string, 0, len(tags))
		for _, name := range slices.Sorted(maps.Keys(tags)) {
			value := tags[name]
			if name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
				o.refuse("WithTags", strconv.Quote(name), "a name must be 1 to 64 of a-z, 0-9, dot, underscore and hyphen")
			}
			if strings.HasPrefix(name, "fal.") {
				o.refuse("WithTags", strconv.Quote(name), "names beginning with fal. are reserved")
			}
			if value == "" || len(value) > 256 || !printable(value) || strings.Contains(value, ",") {
				o.refuse("WithTags", strconv.Quote(value), "the value of %s must be 1 to 256 printable ASCII characters without comma", shorten(name))
			}
			pairs = append(pairs, name+"="+value)
		}
		header := strings.Join(pairs, ",")
		if len(header) > 1024 {
			o.refuse("WithTags", strconv.Itoa(len(header))+" bytes", "at most 1024 are accepted for all tags together")
		}
		o.set("X-Fal-Tags", header)
	})
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
func WithLifecycle(l Lifecycle) UploadOption {
	l.Users = maps.Clone(l.Users)
	return uploadOption(func(o *options) {
		o.lifecycle = &l
		value, err := l.header()
		if err != nil {
			o.refuse("WithLifecycle", "", "%v", err)
			return
		}
		o.set("X-Fal-Object-Lifecycle-Preference", value)
	})
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
func WithHeader(name, value string) RunOption {
	return runOption(func(o *options) {
		switch name := http.CanonicalHeaderKey(name); {
		case name == "" || strings.ContainsFunc(name, notIDRune) || !printable(value):
			o.refuse("WithHeader", strconv.Quote(name), "is not a valid header")
		case slices.Contains([]string{"Authorization", "Cookie", "Host", "Content-Length", "Content-Type", "Content-Encoding",
			"Transfer-Encoding", "Connection", "Proxy-Authorization", "X-Fal-Target-Url"}, name):
			o.refuse("WithHeader", name, "cannot be set")
		default:
			o.set(name, value)
		}
	})
}

// WithLogs asks for the log lines of the model in the status of the job.
func WithLogs() Option {
	return queueOption(func(o *options) {
		o.logs = true
	})
}

// WithUpdates has [Subscribe], or [Job.Wait] after [Submit], call f for each
// change of the job's status, one at a time. Log lines come along with
// [WithLogs].
func WithUpdates(f func(Status)) Option {
	return queueOption(func(o *options) {
		o.onUpdate = f
	})
}

// SkipValidation sends the request without checking it locally: for a server
// that is newer than this module.
func SkipValidation() RunOption {
	return runOption(func(o *options) { o.noCheck = true })
}

// RefuseFlagged makes it an error, [ErrFlagged], if the safety checker flagged a
// picture of the result. Where the model does not tell, each picture is fetched
// and looked at: one that is black all over counts. The result comes with the
// error; it is charged, and to make it again is to pay again. Without this
// option such a picture is a [Warning].
func RefuseFlagged() RunOption {
	return runOption(func(o *options) { o.refuseFlagged = true })
}

// WithGuard has g asked before the request is sent, in place of the client's
// Guard.
func WithGuard(g Guard) RunOption {
	return runOption(func(o *options) { o.guard = g })
}

// applyOptions returns the choices that options stand for.
func applyOptions[O Option](opts []O) *options {
	o := new(options)
	for _, opt := range opts {
		if any(opt) != nil {
			opt.apply(o)
		}
	}
	return o
}

// printable reports whether s is printable ASCII, as header values must be.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
