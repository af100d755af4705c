package webhook_test

import (
	"errors"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/webhook"
	"github.com/falimage/falimage-go/flux"
)

// outcome is a guard that notes what it is told.
type outcome struct {
	fal.Guard
	released, settled int
}

func (o *outcome) Accepted(string)  {}
func (o *outcome) Settled(fal.Meta) { o.settled++ }
func (o *outcome) Released(error)   { o.released++ }

// An event of a job that failed, and that does not tell by what status, proves nothing
// of the bill: a prompt that was refused after the model had begun may be charged. By
// fal's own failure, which it names, it is not.
func TestBillOfAFailure(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text, payload string
		want          fal.Billing
	}{
		"refused":   {"Invalid status code: 422", `{"detail":[{"type":"content_policy_violation","msg":"no"}]}`, fal.BillingUnknown},
		"no number": {"Unprocessable Entity", `{"detail":[{"type":"content_policy_violation","msg":"no"}]}`, fal.BillingUnknown},
		"nothing":   {"", `{"detail":"no"}`, fal.BillingUnknown},
		"fal's own": {"Invalid status code: 500", `{"detail":"no"}`, fal.NotBilled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t)
			c := srv.Client()
			c.Retry = fal.Retry{MinWait: time.Millisecond, MaxWait: 2 * time.Millisecond}
			job, err := fal.Submit(t.Context(), c, flux.Schnell{Prompt: "x"})
			if err != nil {
				t.Fatal(err)
			}
			told := new(outcome)
			job.Reserved(told)
			_, err = webhook.Into(t.Context(), &webhook.Event{RequestID: job.ID(), Failed: true, Error: tt.text, Payload: []byte(tt.payload)}, job)
			e, ok := errors.AsType[*fal.Error](err)
			if !ok || e.Billing != tt.want || e.Retryable != (tt.want == fal.NotBilled) || told.settled != 0 || (told.released == 1) != (tt.want == fal.NotBilled) {
				t.Errorf("%v, %v; %+v", err, fal.Charged(err), told)
			}
		})
	}
}
