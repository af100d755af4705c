package batch_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// leaving ends a context when a submit is answered.
type leaving func()

func (l leaving) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if r.Method == http.MethodPost {
		l()
	}
	return resp, err
}

// The context ends while an item is on its way: its job is cancelled too, if that is
// wanted, and what is set aside for it is free again.
func TestContextEndsWhileSubmitting(t *testing.T) {
	t.Parallel()
	for _, cancels := range []bool{false, true} {
		t.Run(fmt.Sprint("cancels ", cancels), func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t, faltest.QueueTime(5*time.Second))
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			c := quick(srv)
			budget := &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Dollar}}}
			c.HTTPClient, c.Guard = &http.Client{Transport: leaving(stop)}, budget
			res, err := batch.Step(ctx, &batch.Runner{Client: c, CancelJobs: cancels}, mug("a"))
			if !errors.Is(err, context.Canceled) || res.RequestID == "" || (res.State == batch.Submitted) == cancels || (fal.Charged(err) == fal.NotBilled) != cancels {
				t.Errorf("%s: %v", res.State, err)
			}
			if l := srv.Ledger(); (l.Cancels == 1) != cancels || (budget.Reserved() == 0) != cancels {
				t.Errorf("%d cancels, %v set aside", l.Cancels, budget.Reserved())
			}
		})
	}
}
