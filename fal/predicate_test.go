package fal_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/router"
)

// selfToldError is an error of somebody else's that says of itself what it is.
type selfToldError struct{ sent bool }

func (selfToldError) Error() string   { return "self-told" }
func (e selfToldError) NotSent() bool { return !e.sent }

func TestPredicates(t *testing.T) {
	t.Parallel()
	invalid := &fal.ValidationError{Endpoint: "a/b"}
	unknown := &fal.OutcomeUnknownError{Endpoint: "a/b", RequestID: "u", Err: context.Canceled}
	billed := &fal.Error{Endpoint: "a/b", RequestID: "e", Billing: fal.Billed}
	free := &fal.Error{Endpoint: "a/b", Billing: fal.NotBilled}
	foreign := errors.New("foreign")
	keyless := &fal.Client{Key: fal.NewKey("")}
	_, noKey := fal.Run(t.Context(), keyless, request)
	guarded := newMock()
	guarded.client.Guard = &ledger{refuse: foreign}
	_, refusedByGuard := fal.Submit(t.Context(), guarded.client, request)
	for _, tt := range []struct {
		name    string
		err     error
		notSent bool
		charged fal.Billing
		id      string
	}{
		{"none", nil, false, fal.Billed, ""},
		{"foreign", foreign, false, fal.BillingUnknown, ""},
		{"context", context.Canceled, false, fal.BillingUnknown, ""},
		{"invalid", invalid, true, fal.NotBilled, ""},
		{"wrapped", fmt.Errorf("x: %w", invalid), true, fal.NotBilled, ""},
		{"unknown", unknown, false, fal.BillingUnknown, "u"},
		{"billed", billed, false, fal.Billed, "e"},
		{"free", free, false, fal.NotBilled, ""},
		{"job", &fal.JobError{RequestID: "j", Err: invalid}, false, fal.BillingUnknown, "j"},
		{"job taken back", &fal.JobError{RequestID: "j", Cancel: fal.Cancelled, Err: context.Canceled}, false, fal.NotBilled, "j"},
		{"self-told", selfToldError{}, true, fal.NotBilled, ""},
		{"self-told, sent", selfToldError{sent: true}, false, fal.BillingUnknown, ""},
		{"both not sent", errors.Join(invalid, selfToldError{}), true, fal.NotBilled, ""},
		{"one of two sent", errors.Join(invalid, free), false, fal.NotBilled, ""},
		{"one of two unknown", errors.Join(free, unknown, free), false, fal.BillingUnknown, "u"},
		{"one of two foreign", errors.Join(foreign, free), false, fal.BillingUnknown, ""},
		{"one of three billed", fmt.Errorf("%w, %w, %w", free, foreign, billed), false, fal.Billed, "e"},
		{"no key", noKey, true, fal.NotBilled, ""},
		{"refused by a guard", refusedByGuard, true, fal.NotBilled, ""},
		{"price", &pricing.UnknownError{}, true, fal.NotBilled, ""},
		{"budget", &spend.BudgetError{}, true, fal.NotBilled, ""},
		{"task", &router.TaskError{}, true, fal.NotBilled, ""},
		{"model", &router.NoModelError{}, true, fal.NotBilled, ""},
	} {
		if got := fal.NotSent(tt.err); got != tt.notSent {
			t.Errorf("%s: NotSent is %t", tt.name, got)
		}
		if got := fal.Charged(tt.err); got != tt.charged {
			t.Errorf("%s: Charged is %q", tt.name, got)
		}
		if got := fal.RequestID(tt.err); got != tt.id {
			t.Errorf("%s: RequestID is %q", tt.name, got)
		}
	}
}
