package fal_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/router"
)

// status is what a server answers its own caller, for each error of this
// module. The table is that of the package's overview.
func status(err error) int {
	invalid, failed := new(fal.ValidationError), new(fal.Error)
	task, noModel := new(router.TaskError), new(router.NoModelError)
	unknownPrice, overBudget := new(pricing.UnknownError), new(spend.BudgetError)
	lostAnswer, unfinished, odd := new(fal.OutcomeUnknownError), new(fal.JobError), new(fal.DecodeError)
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &invalid), errors.As(err, &task), errors.As(err, &noModel):
		return http.StatusBadRequest
	case errors.As(err, &overBudget):
		return http.StatusPaymentRequired
	case errors.As(err, &unknownPrice):
		return http.StatusNotImplemented
	case errors.Is(err, fal.ErrFlagged):
		return http.StatusUnprocessableEntity
	case errors.As(err, &lostAnswer): // look for the job by its time and endpoint
		return http.StatusBadGateway
	case errors.As(err, &unfinished): // take it up with fal.Resume
		return http.StatusGatewayTimeout
	case errors.As(err, &odd): // the result is in its Body
		return http.StatusBadGateway
	case errors.Is(err, fal.ErrUnauthorized), errors.Is(err, fal.ErrLocked): // our own fault, not the caller's
		return http.StatusBadGateway
	case errors.As(err, &failed):
		return failed.Status
	case fal.NotSent(err):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func Example_errors() {
	srv := faltest.New()
	defer srv.Close()
	client := srv.Client()
	client.Retry.MaxAttempts = 1

	for _, try := range []struct {
		fault  *faltest.Fault
		prompt string
	}{
		{nil, "a fox in the snow"},
		{nil, ""},
		{new(faltest.RateLimited("1")), "a fox in the snow"},
		{new(faltest.LostAnswer()), "a fox in the snow"},
	} {
		if try.fault != nil {
			srv.Inject(faltest.OpSubmit, *try.fault, 1)
		}
		_, err := fal.Subscribe(context.Background(), client, flux.Schnell{Prompt: try.prompt})
		fmt.Printf("%d, not sent: %t, %v\n", status(err), fal.NotSent(err), fal.Charged(err))
	}

	// Output:
	// 200, not sent: false, billed
	// 400, not sent: true, not billed
	// 429, not sent: false, not billed
	// 502, not sent: false, unknown whether billed
}
