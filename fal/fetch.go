package fal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

// Reading is free, and a job that is completed may have made a picture that is
// paid. So its result is read until there is an answer that can be trusted,
// until an outage has lasted too long: a page of HTML, a body that was cut off, or a failure of
// something in between ends nothing. What ends a job is a status that said that
// it failed, or fal's own error about it, seen twice.

// minLooks is how often a status or result is asked for at least.
const minLooks = 3

// outage is how long answers that say nothing are sat out.
func (c *Client) outage() time.Duration {
	return outageWaits * cmp.Or(max(c.Retry.MaxWait, 0), 8*time.Second)
}

// failedOutage is how long the reason is looked for of a job that failed.
const failedOutage = 5 * time.Second

// verdict is what an answer to the question for a result means.
type verdict int

const (
	taken   verdict = iota // it is the result, or an error of the job
	running                // the job is not completed after all
	again                  // it says nothing
	confirm                // it ends the job if it is seen twice
)

// fetch reads the result and hands it to take. Done is false while the job is
// not completed.
func (j *job) fetch(ctx context.Context, take func(http.Header, []byte) error) (done bool, err error) {
	start, wait, before, outage := time.Now(), minPoll, "", j.c.outage()
	for looks := 1; ; looks++ {
		v, err := j.readResult(ctx, take)
		if ended := ctx.Err(); ended != nil && v != taken {
			return false, j.unfinished(ended)
		}
		if v == confirm && gist(err) == before {
			v = taken
		}
		switch said, failed := j.saidFailed(); {
		case v == taken:
			j.finish(err)
			return true, err
		case failed && (said.State != Completed || time.Since(start) >= failedOutage):
			err := j.statusError(said)
			j.finish(err)
			return true, err
		case v == running:
			return false, nil
		case looks >= minLooks && time.Since(start) >= outage:
			return false, j.unfinished(fmt.Errorf("the job is completed, but its result could not be read in %d tries: the picture may be ready, take it up again with fal.Resume: %w", looks, err))
		}
		before = gist(err)
		if err := sleep(ctx, wait); err != nil {
			return false, j.unfinished(err)
		}
		wait = min(2*wait, maxPoll)
	}
}

// gist is what an error says, but for words that may be others each time.
func gist(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return fmt.Sprint(e.Status, " ", e.Type)
	}
	return err.Error()
}

// readResult asks once for the result.
func (j *job) readResult(ctx context.Context, take func(http.Header, []byte) error) (verdict, error) {
	resp, err := j.c.transport.Send(ctx, &transport.Request{
		Class: transport.Read, Method: http.MethodGet, URL: j.base,
		Auth: true, Endpoint: j.endpoint, Timeout: readTimeout, Result: true,
	})
	if err != nil {
		if hopeless(err) {
			return taken, j.unfinished(err)
		}
		return again, err
	}
	body, err := readHeadOrAll(resp, j.maxResult)
	switch {
	case errors.Is(err, errTooLong):
		return taken, j.unfinished(err)
	case err != nil:
		return again, err
	case resp.StatusCode < 300:
		return j.readSuccess(resp, body, take)
	case resp.StatusCode == http.StatusBadRequest && strings.Contains(string(body), "still in progress"):
		return running, nil
	}
	return j.readFailure(resp, body)
}

// readSuccess looks at a result that came without an error status. It may be
// an error all the same.
func (j *job) readSuccess(resp *http.Response, body []byte, take func(http.Header, []byte) error) (verdict, error) {
	body = j.c.redactResult(body)
	err := take(resp.Header, body)
	told := j.c.toldInResult(body, err)
	_, failed := j.saidFailed()
	switch {
	case told != nil:
		told.Endpoint, told.RequestID, told.Status = j.endpoint, j.id, resp.StatusCode
		told.BillableUnits = shorten(j.c.clean(resp.Header.Get("X-Fal-Billable-Units")))
		told.Billing = billing(resp.StatusCode, true, told.BillableUnits)
		if failed {
			return taken, told
		}
		return confirm, told
	case errors.Is(err, errNotJSON):
		return again, err
	case errors.Is(err, errNoPicture):
		return confirm, err
	}
	return taken, err
}

// readFailure looks at an answer with an error status: is it the job that
// failed, or what should have brought its result?
func (j *job) readFailure(resp *http.Response, body []byte) (verdict, error) {
	e := j.c.newError(j.endpoint, j.id, resp, body).withSuccessor(&j.usage)
	if _, failed := j.saidFailed(); failed && e.ofForm {
		e.Billing = billing(e.Status, true, e.BillableUnits)
		return taken, e
	}
	switch {
	case e.Status >= 500 && (e.falsWord || e.BillableUnits != ""):
		return confirm, e
	case e.Status >= 500, e.Status == http.StatusTooManyRequests, e.Status == http.StatusRequestTimeout, !e.ofForm:
		return again, e
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return confirm, j.unfinished(advised(e)) // about the question, not about the job
	}
	return confirm, e
}

// advised adds to an error about a question what to check.
func advised(e *Error) *Error {
	switch {
	case e.noEndpoint: // says so
	case e.Status == http.StatusMethodNotAllowed:
		e.Message += ": check the endpoint that the job was submitted to"
	case e.Status == http.StatusNotFound, e.Status == http.StatusGone:
		e.Message += ": check the request id and the endpoint; results are kept for an hour at least, those of 10 kB or more for some six minutes, unless the account stores them"
	}
	return e
}

// statusError is the error of a job of which only the status said that it
// failed.
func (j *job) statusError(s Status) *Error {
	e := &Error{
		Endpoint: j.endpoint, RequestID: j.id, Status: http.StatusInternalServerError, Type: s.ErrorType,
		Message: cmp.Or(s.Error, "the job ended as "+strings.ToLower(string(s.State))),
	}
	if strings.HasPrefix(strings.ToUpper(string(s.State)), "CANCEL") {
		e.Status = statusClientClosed
	}
	return e
}

// hopeless reports whether asking again would give the same error, since
// nothing was or can be sent.
func hopeless(err error) bool {
	e, ok := errors.AsType[*transport.Error](err)
	return ok && (e.Attempts == 0 || transport.Untrusted(err))
}

// unfinished wraps an error that says nothing of how the job ends.
func (j *job) unfinished(err error) error {
	if e, ok := errors.AsType[*JobError](err); ok {
		return e
	}
	return &JobError{Endpoint: j.endpoint, RequestID: j.id, Err: err}
}
