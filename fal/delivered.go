package fal

import (
	"cmp"
	"context"
	"net/http"
)

// Decode turns what came of the job by another way than [Job.Wait], such as a
// webhook, into its result: body is what the model answered with the given HTTP
// status; 0 says that it failed by a status that is not known, and nothing of the
// bill. The errors are those of Wait. A guard is told of it as if Wait had
// fetched it, but without units, of which only fal's own answer tells.
func (j *Job[Out]) Decode(ctx context.Context, status int, body []byte) (*Out, error) {
	ctx, err := j.j.ready(ctx)
	if err != nil {
		return nil, err
	}
	out := new(Out)
	answer := &http.Response{StatusCode: cmp.Or(status, http.StatusInternalServerError), Header: http.Header{}}
	switch {
	case status == 0:
		e := j.j.c.newError(j.j.endpoint, j.j.id, answer, body).withSuccessor(&j.j.usage)
		e.Billing, e.Retryable = BillingUnknown, false
		err = e
	case status >= 300:
		e := j.j.c.newError(j.j.endpoint, j.j.id, answer, body).withSuccessor(&j.j.usage)
		e.Billing = billing(status, true, "") // it is fal's word
		err = e
	default:
		_, err = j.j.readSuccess(answer, body, func(header http.Header, body []byte) (err error) {
			out, err = decode[Out](j.j.meta(header), body)
			return err
		})
	}
	j.j.finish(err)
	return ended(ctx, j.j, out, err)
}
