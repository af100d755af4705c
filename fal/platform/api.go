package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// ErrAdmin says that a call needs an API key with admin scope, which the
// client's is not.
var ErrAdmin = errors.New("platform: this needs an API key with admin scope")

// API is fal's platform API. It may be used by many goroutines at once.
type API struct {
	// Client does the calls; its key is sent along. Required.
	Client *fal.Client
}

const (
	// maxIDs is how many ids one call takes.
	maxIDs = 50
	// maxSpan is how long a time one call looks back over.
	maxSpan = 90 * 24 * time.Hour
	// maxWait is how long a wait that the platform asks for may be.
	maxWait = 90 * time.Second
	// maxWaits is how often one call waits.
	maxWaits = 5
	// maxEmpty is how many pages in a row may have nothing on them.
	maxEmpty = 100
)

// call calls the platform, and waits where it asks to.
func (a API) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	if a.Client == nil {
		return errors.New("platform: API.Client is not set")
	}
	for waits := 0; ; waits++ {
		err := a.Client.Platform(ctx, method, path, query, in, out)
		e, ok := errors.AsType[*fal.Error](err)
		if !ok || !errors.Is(err, fal.ErrRateLimited) || e.RetryAfter <= 0 || e.RetryAfter > maxWait || waits == maxWaits {
			return err
		}
		select {
		case <-time.After(e.RetryAfter):
		case <-ctx.Done():
			return fmt.Errorf("platform: %w while waiting: %w", context.Cause(ctx), err)
		}
	}
}

// admin is call for what needs a key with admin scope.
func (a API) admin(ctx context.Context, method, path string, query url.Values, in, out any) error {
	err := a.call(ctx, method, path, query, in, out)
	if e, ok := errors.AsType[*fal.Error](err); ok && e.Status == http.StatusForbidden && !errors.Is(err, fal.ErrLocked) {
		return fmt.Errorf("%w: %w", ErrAdmin, err)
	}
	return err
}

// caller is call or admin.
type caller func(ctx context.Context, method, path string, query url.Values, in, out any) error

// pages yields what is on all pages of a list that stands under a name.
func pages[T any](ctx context.Context, call caller, path string, query url.Values, name string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		query := cloned(query)
		begun := make(map[string]bool) // cursors
		for empty := 0; ; {
			var page map[string]json.RawMessage
			if err := call(ctx, http.MethodGet, path, query, nil, &page); err != nil {
				yield(none, err)
				return
			}
			items, next, err := readPage[T](page, name)
			if err != nil {
				yield(none, fmt.Errorf("platform: %s: the answer is not as expected: %w", path, err))
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if empty++; len(items) > 0 {
				empty = 0
			}
			switch {
			case next == "":
				return
			case begun[next], empty == maxEmpty:
				yield(none, fmt.Errorf("platform: %s: the pages do not come to an end", path))
				return
			}
			begun[next] = true
			query.Set("cursor", next)
		}
	}
}

// readPage reads a page, and where the next one begins; "" after the last.
func readPage[T any](page map[string]json.RawMessage, name string) (items []T, next string, err error) {
	list, ok := page[name]
	if !ok {
		return nil, "", fmt.Errorf("it has no %s", name)
	}
	if err := json.Unmarshal(list, &items); err != nil {
		return nil, "", err
	}
	more, cursor := false, page["next_cursor"]
	if text := page["has_more"]; text != nil {
		if err := json.Unmarshal(text, &more); err != nil {
			return nil, "", err
		}
	}
	if cursor != nil {
		if err := json.Unmarshal(cursor, &next); err != nil {
			return nil, "", err
		}
	}
	if more && next == "" {
		return nil, "", errors.New("there is more, but it does not say where")
	}
	if page["has_more"] != nil && !more {
		next = ""
	}
	return items, next, nil
}

// each yields what several iterators yield, one after the other.
func each[T any](parts iter.Seq[iter.Seq2[T, error]]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for part := range parts {
			for item, err := range part {
				if !yield(item, err) || err != nil {
					return
				}
			}
		}
	}
}

// inParts yields a query for each part of a list of ids, which is set under a
// name; the query alone if there is none.
func inParts(query url.Values, name string, ids []string) iter.Seq[url.Values] {
	return func(yield func(url.Values) bool) {
		if len(ids) == 0 {
			yield(query)
			return
		}
		for part := range slices.Chunk(ids, maxIDs) {
			query := cloned(query)
			query[name] = part
			if !yield(query) {
				return
			}
		}
	}
}

// Span is a time from Start until before End. A zero Start is 24 hours before
// the end, a zero End is now.
type Span struct{ Start, End time.Time }

// check returns what is wrong with a span.
func (s Span) check() error {
	if !s.Start.IsZero() && !s.End.IsZero() && !s.Start.Before(s.End) {
		return fmt.Errorf("platform: Start %s: must be before End %s", at(s.Start), at(s.End))
	}
	return nil
}

// parts yields a query for each part of the span that one call may ask for.
func (s Span) parts(query url.Values) iter.Seq[url.Values] {
	return func(yield func(url.Values) bool) {
		start, end := s.Start, s.End
		if start.IsZero() && !end.IsZero() {
			start = end.Add(-24 * time.Hour)
		}
		for {
			query, last := cloned(query), true
			if !start.IsZero() {
				query.Set("start", at(start))
			}
			if until := start.Add(maxSpan); !start.IsZero() && until.Before(s.endOr(time.Now())) {
				query.Set("end", at(until))
				start, last = until, false
			} else if !end.IsZero() {
				query.Set("end", at(end))
			}
			if !yield(query) || last {
				return
			}
		}
	}
}

func (s Span) endOr(now time.Time) time.Time {
	if s.End.IsZero() {
		return now
	}
	return s.End
}

// at returns a time in the platform's form.
func at(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// cloned returns a query that may be added to.
func cloned(query url.Values) url.Values {
	out := make(url.Values)
	maps.Copy(out, query)
	return out
}

// put sets a parameter that is not empty.
func put[T ~string](query url.Values, name string, value T) {
	if value != "" {
		query.Set(name, string(value))
	}
}

// limited sets a limit of rows for a page, which is at most most; 0 is the
// platform's own.
func limited(query url.Values, limit, most int) error {
	if limit < 0 || limit > most {
		return fmt.Errorf("platform: PageSize %d: must be 1 to %d, or 0 for the platform's own", limit, most)
	}
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	return nil
}

// failed is an iterator that yields an error alone.
func failed[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}
