package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// Reconciler finds out what became of requests whose answers were lost. Only a
// request that it proves absent may be sent again: what it does not know, it
// says not to know.
//
// It looks by the time at which a request was sent, by fal's clock: this machine's may
// be wrong, then and now. See [fal.Client.Now]. Where it was this machine's alone that
// told when the request was sent, since fal had not answered before, a clock that is
// wrong by up to an hour is allowed for.
type Reconciler struct {
	// Client does the calls. Required. With a key of admin scope the bills are
	// looked at too.
	Client *fal.Client
	// Lag is how long after it was sent a request may be missing in the history
	// and the bills, since it waits, runs or is not listed yet: before that, none
	// is proved absent. Fal does not publish it. Default: 70 minutes, after which
	// other clients give up on bills, and a day for trainers.
	Lag time.Duration
	// Known reports whether a request id is that of another request, which is
	// then not taken for a lost one; nil knows none.
	Known func(requestID string) bool
}

const (
	lag      = 70 * time.Minute
	trainLag = 24 * time.Hour
	// A request was sent between early before and late after the moment that was
	// noted: clocks differ, and attempts take time.
	early, late = 5 * time.Minute, 15 * time.Minute
	// doubtful is how much further a clock may be wrong: the same input so far
	// away is not adopted, but nothing is proved absent beside it.
	doubtful = time.Hour
	// remembered is how long the history has payloads, and kept how far back it
	// goes.
	remembered, kept = 30 * 24 * time.Hour, 90 * 24 * time.Hour
	// pageSize is how many requests are asked for at once: each may have pictures
	// in what was sent.
	pageSize = 20
)

// Verdict is what became of a request.
type Verdict string

// The verdicts.
const (
	Found   Verdict = "found"   // fal accepted it
	Absent  Verdict = "absent"  // fal did not: it may be sent again
	Unknown Verdict = "unknown" // neither is proved
)

// Finding is what was found out about a request.
type Finding struct {
	Lost    *fal.OutcomeUnknownError
	Verdict Verdict
	// RequestID is that of the job that was found, and Request what the history
	// has of it, with its output if it has ended; that is where the result of a
	// direct call is.
	RequestID string
	Request   Request
	// Candidates are the ids of jobs that may be the lost one, where it is not
	// known.
	Candidates []string
	// Why says in a sentence what the verdict stands on.
	Why string
	// AskAgain is when to ask again, where time will tell.
	AskAgain time.Time
}

// Err returns nil if the job was found. If it was proved absent, [fal.NotSent] is
// true of the error, and else it holds the [fal.OutcomeUnknownError].
func (f Finding) Err() error {
	switch f.Verdict {
	case Found:
		return nil
	case Absent:
		return &absentError{f}
	}
	return &unknownError{f}
}

// unknownError says that neither is proved.
type unknownError struct{ f Finding }

func (e *unknownError) Error() string { return fmt.Sprintf("platform: %s: %v", e.f.Why, e.f.Lost) }
func (e *unknownError) Unwrap() error { return e.f.Lost }

// Candidates returns the ids of jobs that it may be.
func (e *unknownError) Candidates() []string { return e.f.Candidates }

type absentError struct{ f Finding }

func (e *absentError) Error() string {
	return fmt.Sprintf("platform: %s: the request sent at %s was not accepted: %s", e.f.Lost.Endpoint, at(e.f.Lost.Sent), e.f.Why)
}

// NotSent returns true: fal did not accept it.
func (*absentError) NotSent() bool { return true }

// Adopt looks for the job of a request that failed with an error, and returns it
// if it is found. If the job was proved absent, [fal.NotSent] is true of the
// error: the request may be sent again. The guard of the request is told: a
// budget sets its money free, or books it when the job is waited for.
//
// An error that is not about a lost answer comes back as it is. A direct call by
// [fal.Run] has no job that could be waited for: use [Reconciler.Reconcile],
// whose finding has the output.
func Adopt[Out any](ctx context.Context, r Reconciler, e fal.Endpoint[Out], err error) (*fal.Job[Out], error) {
	lost, ok := errors.AsType[*fal.OutcomeUnknownError](err)
	if !ok {
		return nil, err
	}
	id, err := r.Find(ctx, lost)
	if err != nil {
		if fal.NotSent(err) {
			lost.NotAccepted(err)
		}
		return nil, err
	}
	job := fal.Resume(r.Client, e, id)
	job.TakeOver(lost)
	return job, nil
}

// Find is Reconcile for one request: it returns the id of its job, or the error
// of [Finding.Err].
func (r Reconciler) Find(ctx context.Context, lost *fal.OutcomeUnknownError) (requestID string, err error) {
	findings, err := r.Reconcile(ctx, lost)
	switch {
	case lost == nil:
		return "", err
	case err != nil:
		return "", errors.Join(err, lost)
	}
	return findings[0].RequestID, findings[0].Err()
}

// Result returns what came of a job, by the history, which has it for 30 days: the
// queue forgets results after an hour, or minutes if they are long. It is the body with
// its HTTP status, which [fal.Job.Decode] reads; of a job that failed the history may have
// the status alone. The error says that it does not have the result.
func (r Reconciler) Result(ctx context.Context, endpoint, requestID string) (status int, body json.RawMessage, err error) {
	for row, err := range (API{Client: r.Client}).Requests(ctx, RequestQuery{Endpoint: endpoint, RequestID: requestID, Payloads: true}) {
		if err != nil {
			return 0, nil, err
		}
		if row.ID == requestID && row.StatusCode != 0 && (row.Output != nil || row.StatusCode >= http.StatusBadRequest) {
			return row.StatusCode, row.Output, nil
		}
	}
	return 0, nil, fmt.Errorf("platform: %s: the history does not have the result of request %s", endpoint, requestID)
}

// Reconcile finds out what became of requests, in their order. They are looked
// for by endpoint, time and the whole of what was sent, in the request history,
// and in the bills for what the history does not list. An error says that the
// platform could not be asked; nothing is found out then. Guards are not told:
// see [fal.Job.TakeOver] and [fal.OutcomeUnknownError.NotAccepted].
func (r Reconciler) Reconcile(ctx context.Context, lost ...*fal.OutcomeUnknownError) ([]Finding, error) {
	now, unsure := r.Client.Now(ctx)
	cases := make([]*inquiry, len(lost))
	for i, l := range lost {
		if l == nil {
			return nil, fmt.Errorf("platform: error %d of %d is nil", i+1, len(lost))
		}
		cases[i] = r.inquiry(l, now)
	}
	byEndpoint := make(map[string][]*inquiry)
	for _, c := range cases {
		byEndpoint[c.lost.Endpoint] = append(byEndpoint[c.lost.Endpoint], c)
	}
	bills := true
	for endpoint, cases := range byEndpoint {
		if err := r.search(ctx, endpoint, cases, now, &bills); err != nil {
			return nil, err
		}
	}
	findings := make([]Finding, len(cases))
	for i, c := range cases {
		findings[i] = c.finding(cases, now, bills, unsure)
	}
	return findings, nil
}

// inquiry is the search for one request.
type inquiry struct {
	lost    *fal.OutcomeUnknownError
	from    time.Time // when it was sent at the earliest, and the latest: one, but
	to      time.Time // where this machine slept since, or its clock was set
	lag     time.Duration
	payload any // what was sent; nil if that is not known

	same     []Request
	similar  []string // ids of those that may be it
	unlisted []string // ids in the bills that the history does not have
	byID     bool     // its id came with the answer, and fal knows it
}

func (r Reconciler) inquiry(lost *fal.OutcomeUnknownError, now time.Time) *inquiry {
	c := &inquiry{lost: lost, from: lost.Sent, to: lost.Sent, lag: r.Lag}
	if wall := lost.Sent.Round(0); wall != lost.Sent { // it is of this process, and by its clock
		byClock, passed := now.Add(-time.Since(wall)), now.Add(-time.Since(lost.Sent))
		if ahead := byClock.Sub(wall); ahead.Abs() < time.Minute {
			byClock = wall
		}
		c.from, c.to = byClock, byClock
		switch later := passed.Sub(byClock); {
		case later > time.Minute:
			c.to = passed
		case later < -time.Minute:
			c.from = passed
		}
	}
	if c.lag <= 0 {
		c.lag = lag
		if strings.Contains(lost.Endpoint, "train") {
			c.lag = trainLag
		}
	}
	if lost.Payload != nil {
		c.payload = readJSON(lost.Payload())
	}
	return c
}

// look compares a request of the history.
func (c *inquiry) look(row Request) {
	away := time.Duration(0)
	switch {
	case row.Sent.IsZero():
	case row.Sent.Before(c.from):
		away = row.Sent.Sub(c.from)
	case row.Sent.After(c.to):
		away = row.Sent.Sub(c.to)
	}
	inTime := away >= -early && away <= late
	input := readJSON(row.Input)
	row.Input = nil // it may be long
	switch {
	case slices.Contains(c.lost.Not, row.ID):
	case row.ID == c.lost.RequestID:
		c.byID, c.same = true, []Request{row}
	case away < -early-doubtful || away > late+doubtful:
	case input == nil || c.payload == nil:
		if inTime {
			c.similar = append(c.similar, row.ID)
		}
	default:
		switch likeness := compare(c.payload, input); {
		case likeness == same && inTime && !row.Sent.IsZero():
			c.same = append(c.same, row)
		case likeness == same, likeness == similar && inTime:
			c.similar = append(c.similar, row.ID)
		}
	}
}

// search goes through the history of an endpoint since the first of the
// requests, and through the bills.
func (r Reconciler) search(ctx context.Context, endpoint string, cases []*inquiry, now time.Time, bills *bool) error {
	api := API{Client: r.Client}
	first, last := cases[0].from, cases[0].to
	for _, c := range cases {
		if c.from.Before(first) {
			first = c.from
		}
		if until := c.to.Add(late + c.lag); until.After(last) {
			last = until
		}
		if c.lost.RequestID == "" {
			continue
		}
		_, err := fal.Resume(r.Client, fal.Endpoint[struct{}](endpoint), c.lost.RequestID).Status(ctx)
		if c.byID = err == nil; err != nil && !errors.Is(err, fal.ErrNotFound) {
			return fmt.Errorf("platform: %s: asking for job %s: %w", endpoint, c.lost.RequestID, err)
		}
		// The queue does not know direct calls; the history does, whenever they were.
		for row, err := range api.Requests(ctx, RequestQuery{Endpoint: endpoint, RequestID: c.lost.RequestID, Payloads: true}) {
			if err != nil {
				return err
			}
			c.look(row)
		}
	}
	if first = first.Add(-early - doubtful); now.Sub(first) > kept {
		first = now.Add(-kept + time.Minute)
	}
	seen := make(map[string]bool)
	look := func(row Request) {
		skip := seen[row.ID] || row.ID == "" || r.Known != nil && r.Known(row.ID)
		if seen[row.ID] = true; skip {
			return
		}
		for _, c := range cases {
			c.look(row)
		}
	}
	// By which of its times the platform selects a request is unconfirmed: it is
	// looked for until it has ended, too.
	query := RequestQuery{Endpoint: endpoint, Span: Span{Start: first}, Payloads: true, PageSize: pageSize}
	if end := last.Add(doubtful); end.Before(now) && end.After(first) {
		query.End = end
	}
	for _, path := range []string{"", "/stream"} { // a stream may be listed by the path that it was asked for at
		query.Endpoint = endpoint + path
		for row, err := range api.Requests(ctx, query) {
			if path != "" && errors.Is(err, fal.ErrNotFound) {
				break // the endpoint does not stream
			}
			if err != nil {
				return err
			}
			look(row)
		}
	}
	if !*bills {
		return nil
	}
	span := Span{Start: first, End: first.Add(max(min(last.Sub(first), now.Sub(first)), time.Second))}
	err := r.searchBills(ctx, endpoint, cases, span, seen, look)
	if errors.Is(err, ErrAdmin) {
		*bills, err = false, nil
	}
	return err
}

// maxLookUps is how many requests that the bills have and the history does not
// list are asked for one by one.
const maxLookUps = 100

// searchBills goes through the bills of the endpoint for what the history does
// not list.
func (r Reconciler) searchBills(ctx context.Context, endpoint string, cases []*inquiry, span Span, seen map[string]bool, look func(Request)) error {
	api := API{Client: r.Client}
	app := endpoint // bills may name no more
	if parts := strings.SplitN(endpoint, "/", 3); len(parts) == 3 {
		app = parts[0] + "/" + parts[1]
	}
	var events []BillingEvent
	ofSibling := false
	for event, err := range api.BillingEvents(ctx, BillingQuery{Span: span, Endpoints: slices.Compact([]string{endpoint, app})}) {
		if err != nil {
			return err
		}
		known := seen[event.RequestID] || r.Known != nil && r.Known(event.RequestID)
		if !known && slices.ContainsFunc(cases, func(c *inquiry) bool { return c.mayBe(event) }) {
			events = append(events, event)
			ofSibling = ofSibling || event.Endpoint != endpoint
		}
	}
	if ofSibling {
		if err := r.searchSiblings(ctx, endpoint, app, span, seen); err != nil {
			return err
		}
	}
	lookUps := 0
	for _, event := range events {
		if seen[event.RequestID] {
			continue
		}
		if lookUps++; lookUps <= maxLookUps {
			for row, err := range api.Requests(ctx, RequestQuery{Endpoint: endpoint, RequestID: event.RequestID, Payloads: true}) {
				if err != nil {
					return err
				}
				look(row)
			}
		}
		for _, c := range cases {
			if !seen[event.RequestID] && c.mayBe(event) {
				c.unlisted = append(c.unlisted, event.RequestID)
			}
		}
	}
	return nil
}

// searchSiblings notes the requests that the history has of other endpoints of
// the same app: bills do not tell them apart.
func (r Reconciler) searchSiblings(ctx context.Context, endpoint, app string, span Span, seen map[string]bool) error {
	api := API{Client: r.Client}
	for m, err := range api.Models(ctx, ModelQuery{Search: app}) {
		if err != nil {
			return err
		}
		if m.Endpoint == endpoint || m.Endpoint != app && !strings.HasPrefix(m.Endpoint, app+"/") {
			continue
		}
		for row, err := range api.Requests(ctx, RequestQuery{Endpoint: m.Endpoint, Span: span, PageSize: 100}) {
			if errors.Is(err, fal.ErrNotFound) {
				break
			}
			if err != nil {
				return err
			}
			seen[row.ID] = true
		}
	}
	return nil
}

// mayBe reports whether a billing event may be that of the request, by its time.
func (c *inquiry) mayBe(event BillingEvent) bool {
	return !slices.Contains(c.lost.Not, event.RequestID) &&
		(event.Time.IsZero() || event.Time.Sub(c.from) >= -early && event.Time.Sub(c.to) <= late+c.lag)
}

// finding judges what was seen.
func (c *inquiry) finding(all []*inquiry, now time.Time, bills bool, unsure error) Finding {
	f := Finding{Lost: c.lost, Verdict: Unknown, Candidates: c.candidates()}
	alike := slices.ContainsFunc(all, func(o *inquiry) bool {
		return o != c && o.lost.Endpoint == c.lost.Endpoint && slices.ContainsFunc(o.same, func(r Request) bool {
			return slices.ContainsFunc(c.same, func(s Request) bool { return s.ID == r.ID })
		})
	})
	switch age := now.Sub(c.to); {
	case c.byID:
		f.Verdict, f.RequestID, f.Why = Found, c.lost.RequestID, "fal knows the job by the id that came with the answer"
		for _, row := range c.same {
			if row.ID == f.RequestID {
				f.Request = row
			}
		}
	case len(c.same) == 1 && !alike:
		f.Verdict, f.Request, f.RequestID = Found, c.same[0], c.same[0].ID
		f.Why = "the history has one request with this input at this time"
	case len(c.same) > 0:
		f.Why = "there are requests with the same input at the same time, and it is not known which is which: fix seeds, or say which are known"
	case len(c.similar) > 0:
		f.Why = "there are requests at this time whose input cannot be compared for certain"
	case len(c.unlisted) > 0:
		f.Why = "there are bills of requests that the history does not list"
		f.AskAgain = now.Add(c.lag)
	case age > remembered:
		f.Why = "it was sent longer ago than the history is complete"
	case age < c.lag:
		f.AskAgain = c.to.Add(c.lag)
		f.Why = "the history may be incomplete until " + at(f.AskAgain)
	case unsure != nil:
		f.Why = unsure.Error()
		f.AskAgain = now.Add(time.Minute)
	default:
		f.Verdict = Absent
		f.Why = fmt.Sprintf("the history is complete %v after, and has no such request", c.lag)
		if bills {
			f.Why += "; nor do the bills"
		}
	}
	if f.Verdict != Unknown {
		f.Candidates = nil
	}
	return f
}

// candidates returns the ids of what may be the lost request.
func (c *inquiry) candidates() []string {
	var ids []string
	for _, r := range c.same {
		ids = append(ids, r.ID)
	}
	return slices.Concat(ids, c.similar, c.unlisted)
}
