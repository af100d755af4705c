package fal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

// Submit puts a request into fal's queue and returns as soon as it is
// accepted. If fal may have accepted it but that is not known, the error is a
// [*OutcomeUnknownError]; the request is then never sent again.
//
// If the context ends while the request is on its way, Submit waits a few
// seconds more for the answer, so that an accepted job is not lost: the error
// is then a [*JobError] with the request id.
func Submit[Out any](ctx context.Context, c *Client, r Request[Out], opts ...Option) (*Job[Out], error) {
	ctx, p, err := prepare(ctx, c, "submit", r, opts)
	if err != nil {
		return nil, err
	}
	j, err := submit(ctx, p)
	if err != nil {
		p.end(ctx, err)
		return nil, err
	}
	p.got = j.known()
	p.end(ctx, nil)
	return &Job[Out]{j}, nil
}

// Resume returns the job with the given request id, to be followed, waited for
// or cancelled as if this program had submitted it. Nothing is sent until then.
func Resume[Out any](c *Client, e Endpoint[Out], requestID string) *Job[Out] {
	j := &job{c: c, endpoint: string(e), id: requestID, call: newCallID(), maxResult: anyResult, reservation: noReservation{}, start: time.Now()}
	if err := j.resume(); err != nil {
		j.err = notSent(err)
	}
	return &Job[Out]{j}
}

// Job is a request in fal's queue. Its methods may be called by many
// goroutines at once.
type Job[Out any] struct{ j *job }

// ID returns the request id, by which [Resume] finds the job again.
func (j *Job[Out]) ID() string { return j.j.id }

// Endpoint returns the endpoint that the job was submitted to.
func (j *Job[Out]) Endpoint() Endpoint[Out] { return Endpoint[Out](j.j.endpoint) }

// Status asks once where the job stands.
func (j *Job[Out]) Status(ctx context.Context) (Status, error) {
	ctx, err := j.j.ready(ctx)
	if err != nil {
		return Status{}, err
	}
	return j.j.status(ctx)
}

// Cancel asks fal to drop the job. A job that is running may still complete,
// and be charged. The question is repeated if its answer is lost: a job that
// the first one dropped may then be reported as AlreadyCompleted.
func (j *Job[Out]) Cancel(ctx context.Context) (CancelOutcome, error) {
	ctx, err := j.j.ready(ctx)
	if err != nil {
		return "", err
	}
	return j.j.cancel(ctx)
}

// Wait waits until the job is completed and returns its result. The error is
// an [*Error] if the job failed or was cancelled, a [*DecodeError] with the
// result in it if that does not fit Out, and a [*JobError] if the wait ended
// before the job did: the job then goes on, and Wait may be called again.
func (j *Job[Out]) Wait(ctx context.Context) (*Out, error) {
	ctx, err := j.j.ready(ctx)
	if err != nil {
		return nil, err
	}
	s := Span{Name: "wait", CallID: j.j.call, Endpoint: j.j.endpoint, Usage: j.j.usage}
	ctx = j.j.c.begin(ctx, &s)
	out, err := wait[Out](ctx, j.j)
	j.j.c.end(ctx, &s, j.j.known(), err)
	return out, err
}

// wait follows the job to its end.
func wait[Out any](ctx context.Context, j *job) (*Out, error) {
	var out *Out
	err := j.wait(ctx, func(header http.Header, body []byte) (err error) {
		out, err = decode[Out](j.meta(header), body)
		return err
	})
	return ended(ctx, j, out, err)
}

// ended returns the result of a job, held against the request, or its error and
// with that what there is of a result.
func ended[Out any](ctx context.Context, j *job, out *Out, err error) (*Out, error) {
	if err != nil {
		if _, there := errors.AsType[*DecodeError](err); !there {
			out = nil
		}
		return out, err
	}
	return out, check(ctx, j.c, out, j.usage, j.refuseFlagged)
}

// Reserved has r told how the job ends, in place of the reservation that it was
// submitted with: for a job that was taken up by [Resume]. Call it before the
// job is waited for.
func (j *Job[Out]) Reserved(r Reservation) {
	j.j.mu.Lock()
	defer j.j.mu.Unlock()
	j.j.reservation = r
}

// CancelOutcome is what became of an attempt to cancel a job.
type CancelOutcome string

// The outcomes of an attempt to cancel a job.
const (
	Cancelled        CancelOutcome = "OK"                     // it was still in the queue and is gone
	CancelRequested  CancelOutcome = "CANCELLATION_REQUESTED" // it is running and was asked to stop
	AlreadyCompleted CancelOutcome = "ALREADY_COMPLETED"      // too late, the result is there
	JobNotFound      CancelOutcome = "NOT_FOUND"              // fal does not know the job
)

// job is a Job without its type.
type job struct {
	c        *Client
	endpoint string
	id       string
	call     string // id of the logical call
	base     string // URL of the job, which is that of its result
	logs     bool
	start    time.Time
	err      error // what is wrong with a resumed job

	onUpdate  func(Status)
	usage     Usage // what was asked for; zero if that is not known
	maxResult int64 // how long its result may be

	uploaded []string // URLs of files that we uploaded

	refuseFlagged bool

	mu          sync.Mutex
	reservation Reservation
	done        bool   // it was seen at its end
	said        Status // the status at the end
	got         Meta   // of the result that came last
}

// submit returns a job whenever one was accepted, even with an error.
func submit(ctx context.Context, p *prepared) (*job, error) {
	target := p.c.hosts.Queue + "/" + p.path
	if len(p.opts.query) > 0 {
		target += "?" + p.opts.query.Encode()
	}
	start := time.Now()
	req := p.request(target)
	req.Timeout, req.Grace = readTimeout, grace
	resp, err := p.post(ctx, req, start)
	if err != nil {
		return nil, err
	}
	body, err := readHead(resp)
	answer := p.c.decodeSubmit(body)
	if err != nil || !answer.whole || answer.RequestID == "" {
		if err == nil {
			err = errors.New("the answer is not that of the queue: " + quoteShort(plainText(body, p.c.clean)))
		}
		id := cmp.Or(p.c.requestID(resp.Header.Get("X-Fal-Request-Id")), answer.RequestID)
		return nil, p.unknown(start, id, resp.StatusCode, err)
	}
	p.reservation.Accepted(answer.RequestID)
	j := &job{
		c: p.c, endpoint: p.endpoint, id: answer.RequestID, call: p.span.CallID, base: p.c.hosts.Queue + "/" + p.app + "/requests/" + answer.RequestID,
		logs: p.opts.logs, start: start, reservation: p.reservation, onUpdate: p.opts.onUpdate, usage: p.usage, maxResult: maxResult(p.body, p.usage), uploaded: p.uploaded, refuseFlagged: p.opts.refuseFlagged,
	}
	if answer.ResponseURL != j.base && j.trusted(answer.ResponseURL) {
		j.base = strings.TrimSuffix(answer.ResponseURL, "/response")
	}
	if err := ctx.Err(); err != nil {
		return j, j.unfinished(err)
	}
	return j, nil
}

// submitted is the answer to a submit. Only the id is indispensable.
type submitted struct {
	RequestID   string `json:"request_id"`
	ResponseURL string `json:"response_url"`

	whole bool
}

// decodeSubmit reads the answer to a submit as far as it goes: it may be cut
// off.
func (c *Client) decodeSubmit(body []byte) (b submitted) {
	if b.whole = tolerant(json.Unmarshal(body, &b)); !b.whole {
		value, _ := readLoose(body, func(s string) string { return s })
		object, _ := value.(map[string]any)
		b.RequestID = looseText(object["request_id"])
	}
	b.RequestID = c.requestID(b.RequestID)
	return b
}

// maxID is how long a request id may be.
const maxID = 200

// requestID returns an id that a server has sent, or "" if it cannot be one.
func (c *Client) requestID(id string) string {
	if len(id) > maxID || c.redact(id) != id || !isRequestID(id) {
		return ""
	}
	return id
}

func isRequestID(id string) bool {
	return strings.Trim(id, ".") != "" && !strings.ContainsFunc(id, notIDRune)
}

// resume finds the URLs of a job of which only the id is known.
func (j *job) resume() error {
	_, app, err := parseEndpoint(j.endpoint)
	if err != nil {
		return err
	}
	if !isRequestID(j.id) {
		return fmt.Errorf("fal: %s: %s is not a request id", j.endpoint, quoteShort(j.id))
	}
	j.base = app + "/requests/" + j.id // the host is known once the client is ready
	return nil
}

// ready returns the context of what is done with the job.
func (j *job) ready(ctx context.Context) (context.Context, error) {
	if j.err != nil {
		return ctx, j.err
	}
	if err := j.c.ready(ctx); err != nil {
		return ctx, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !strings.Contains(j.base, "://") {
		j.base = j.c.hosts.Queue + "/" + j.base
	}
	return transport.WithCall(ctx, j.call), nil
}

// trusted reports whether the key may be sent to a URL that the server named,
// and its path is that of this job.
func (j *job) trusted(u string) bool {
	parsed, err := url.Parse(u)
	return err == nil && !strings.ContainsAny(u, "?#") && j.c.transport.Trusts(parsed) &&
		strings.HasSuffix(strings.TrimSuffix(parsed.Path, "/response"), "/requests/"+j.id)
}

// status asks where the job stands. An answer that says nothing is looked at
// again once.
func (j *job) status(ctx context.Context) (Status, error) {
	s, err := j.askStatus(ctx)
	if err == nil || hopeless(err) || ctx.Err() != nil {
		return s, err
	}
	if sleep(ctx, minPoll) != nil {
		return s, err
	}
	return j.askStatus(ctx)
}

// askStatus asks once.
func (j *job) askStatus(ctx context.Context) (Status, error) {
	target := j.base + "/status"
	if j.logs {
		target += "?logs=1"
	}
	resp, err := j.c.get(ctx, j.endpoint, target)
	if err != nil {
		return Status{}, j.unfinished(err)
	}
	body, err := readHead(resp)
	if err != nil {
		return Status{}, j.unfinished(err)
	}
	if resp.StatusCode >= 300 {
		return Status{}, j.unfinished(advised(j.c.newError(j.endpoint, j.id, resp, body)))
	}
	b, ok := decodeStatus(body)
	if !ok {
		return Status{}, j.unfinished(errors.New("the answer is not a status: " + quoteShort(plainText(body, j.c.clean))))
	}
	return j.note(&b), nil
}

// ended reports whether a state is the last of a job. Fal itself has only
// COMPLETED; the others are those of gateways that speak its protocol.
func (s State) ended() bool {
	switch State(strings.ToUpper(string(s))) {
	case Completed, "FAILED", "ERROR", "CANCELLED", "CANCELED":
		return true
	}
	return false
}

// note keeps what a status tells about the job.
func (j *job) note(b *statusBody) Status {
	s := b.status()
	s.State, s.Error, s.ErrorType = State(shorten(j.c.clean(string(s.State)))), shortenTo(j.c.clean(s.Error), maxMessage), shorten(j.c.clean(s.ErrorType))
	for i, l := range s.Logs {
		s.Logs[i] = Log{visibleBut("\n\t", j.c.redact(l.Message)), shorten(j.c.clean(l.Timestamp)), shorten(j.c.clean(l.Level)), shorten(j.c.clean(l.Source))}
	}
	if s.State.ended() {
		j.mu.Lock()
		j.done, j.said = true, s
		j.mu.Unlock()
	}
	return s
}

func (j *job) cancel(ctx context.Context) (CancelOutcome, error) {
	var outcome CancelOutcome
	err := j.c.repeat(ctx, func() (said bool, err error) {
		resp, err := j.c.transport.Send(ctx, &transport.Request{
			Class: transport.Read, Method: http.MethodPut, URL: j.base + "/cancel",
			Auth: true, Endpoint: j.endpoint, Timeout: readTimeout,
		})
		if err != nil {
			return true, j.unfinished(err)
		}
		body, err := readHead(resp)
		b, _ := decodeStatus(body)
		outcome = CancelOutcome(b.Status)
		switch {
		case resp.StatusCode >= 300 && (outcome == AlreadyCompleted || outcome == JobNotFound):
			return true, nil
		case resp.StatusCode >= 300:
			return true, j.c.newError(j.endpoint, j.id, resp, body)
		case err != nil:
			return false, j.unfinished(err)
		case !json.Valid(body):
			return false, j.unfinished(errors.New("the answer does not say whether the job was cancelled: " + quoteShort(plainText(body, j.c.clean))))
		case resp.StatusCode != http.StatusOK || outcome != Cancelled:
			outcome = CancelRequested
		}
		return true, nil
	})
	if err != nil {
		return "", err
	}
	if outcome == Cancelled {
		j.release(ErrCancelled) // it has never run
	}
	return outcome, nil
}

// saidFailed returns the last status, and whether it said that the job failed.
func (j *job) saidFailed() (Status, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.said, j.done && (j.said.State != Completed || j.said.Error != "" || j.said.ErrorType != "")
}

// release tells the guard that the job was not charged.
func (j *job) release(err error) {
	j.mu.Lock()
	reservation := j.reservation
	j.reservation = noReservation{}
	j.mu.Unlock()
	reservation.Released(err)
}

// finish tells the guard once how the job ended, if that is known.
func (j *job) finish(err error) {
	if e, ok := errors.AsType[*Error](err); ok {
		j.c.forgetIfGone(j.uploaded, e)
	}
	if _, unfinished := errors.AsType[*JobError](err); unfinished {
		return
	}
	j.mu.Lock()
	reservation, meta := j.reservation, j.got
	if e, ok := errors.AsType[*Error](err); !ok || e.Billing != BillingUnknown {
		j.reservation = noReservation{}
	}
	j.mu.Unlock()
	finish(reservation, meta, err)
}

// known is what is known of the call so far.
func (j *job) known() Meta {
	j.mu.Lock()
	defer j.mu.Unlock()
	m := j.got
	m.RequestID = j.id
	return m
}

// meta describes the call whose result came with the given header.
func (j *job) meta(header http.Header) Meta {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.got = Meta{
		Endpoint: j.endpoint, RequestID: j.id, BillableUnits: shorten(j.c.clean(header.Get("X-Fal-Billable-Units"))),
		Elapsed: time.Since(j.start), InferenceTime: j.said.InferenceTime,
	}
	return j.got
}
