package transport

import (
	"cmp"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Policy says how often and how fast a request is repeated. A zero field
// means its default.
type Policy struct {
	MaxAttempts      int           // default 4 for Submit, 6 for others
	MinWait, MaxWait time.Duration // default 250 ms and 8 s
	MaxRetryAfter    time.Duration // default 30 s
}

func (p Policy) withDefaults() Policy {
	or := func(d, fallback time.Duration) time.Duration {
		if d > 0 {
			return d
		}
		return fallback
	}
	p.MinWait, p.MaxWait = or(p.MinWait, 250*time.Millisecond), or(p.MaxWait, 8*time.Second)
	p.MaxRetryAfter = or(p.MaxRetryAfter, 30*time.Second)
	return p
}

func (p Policy) attempts(c Class) int {
	switch {
	case c == Once:
		return 1
	case p.MaxAttempts > 0:
		return p.MaxAttempts
	case c == Submit:
		return 4
	}
	return 6
}

// checkRetry decides whether an attempt is followed by another. For a Submit
// it answers the question of money: can the server have accepted it?
func checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	e := exchangeOf(ctx)
	var again bool
	switch {
	case ctx.Err() != nil, errors.Is(err, ErrPrivateAddress), errors.Is(err, errRefused):
		again = false
	case err != nil:
		again = !Untrusted(err) && (e.r.Class != Submit || !e.maybeSent.Load())
	case e.r.Class == Submit:
		again = notAccepted(resp)
		e.maybeSent.Store(!again)
	default:
		again = passing(resp) && (!e.r.Result || !OfJob(resp))
	}
	// The caller's context is looked at last, when what maybeSent says is
	// settled: if it ends from here on, the exchange ends with it even if it
	// has a grace. What the library would not repeat costs no budget.
	again = again && !e.tooLong(resp) && e.attempts < e.t.config.Retry.attempts(e.r.Class) && e.caller.Err() == nil && e.t.budget.take()
	if err == nil && resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests {
		e.t.budget.give()
	}
	return again, nil
}

// tooLong reports whether an answer asks to wait for longer than is waited: the
// exchange then ends with it, and whoever began it learns how long.
func (e *exchange) tooLong(resp *http.Response) bool {
	if resp == nil {
		return false
	}
	asked, ok := RetryAfter(resp.Header)
	return ok && asked > e.t.config.Retry.MaxRetryAfter
}

// backoff waits as long as the server asks, within limits, or else a random
// time below a bound that doubles.
func backoff(least, most time.Duration, repetition int, resp *http.Response) time.Duration {
	if resp != nil {
		exchangeOf(resp.Request.Context()).endAttempt() // its answer has been drained
		if asked, ok := RetryAfter(resp.Header); ok {
			// The random part keeps those who were refused together apart.
			return asked + rand.N(least)
		}
	}
	bound := min(least, most)
	for i := 0; i < repetition && bound < most; i++ {
		bound += min(bound, most-bound) // doubles, and does not overflow
	}
	return rand.N(bound) + 1
}

// RetryAfter returns how long the header of an answer asks to wait.
func RetryAfter(header http.Header) (time.Duration, bool) {
	// The platform names the header of its rate limits in its own way.
	value := cmp.Or(header.Get("Retry-After"), header.Get("X-Ratelimit-Reset"))
	if value == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseFloat(value, 64); !math.IsNaN(seconds) && (err == nil || math.IsInf(seconds, 0)) {
		const moment, milliseconds = 1e8, 1e11 // nobody asks to wait for three years
		switch {
		case seconds >= moment && seconds < milliseconds:
			return max(time.Until(time.Unix(int64(seconds), 0)), 0), true
		case seconds >= milliseconds && seconds < 1e15:
			return max(time.Until(time.UnixMilli(int64(seconds))), 0), true
		}
		const most = 1 << 31 // keeps it from overflowing
		return time.Duration(min(max(seconds, 0), most) * float64(time.Second)), true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0), true
	}
	return 0, false
}
