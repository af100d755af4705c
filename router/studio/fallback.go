package studio

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/router"
)

// Fallback says what Do may do where a model failed.
//
// What all of a task may cost together, with what failed and may have been
// charged, is the MaxPrice of the task, or, where it has none, the maximum of the
// first candidate: a failure alone never raises a price. Percent and Amount
// allow more than the latter. Only pictures that a model left out, although it did
// not fail, are asked for beyond it, each at the price of one. Of drafts and finals it is for each final, which no
// MaxPrice of the whole raises.
type Fallback struct {
	// Percent and Amount are how much more than the first candidate's maximum
	// all of a task without a MaxPrice may cost; the larger counts. 100 percent
	// allows twice as much.
	Percent int
	Amount  pricing.USD
	// Before, if not nil, is shown each other model before it is asked. Its
	// error ends the task, and is returned. It may be called by several
	// goroutines at once where several finals are made.
	Before func(ctx context.Context, next Step) error
}

// Step is what is about to be done after a model failed.
type Step struct {
	// Next is the model to be asked, and Err why the one before failed.
	Next *router.Candidate
	Err  error
	// Missing is how many pictures it is to make, and Spent what was spent
	// until now at most.
	Missing int
	Spent   pricing.USD
}

// bound returns what all of a task may cost, 0 if nothing bounds it: where the
// price of the first candidate is not known.
func (f Fallback) bound(t *router.Task, first *router.Candidate) (pricing.USD, error) {
	if t.MaxPrice > 0 || first.Unpriced {
		return t.MaxPrice, nil
	}
	more := f.Amount
	if f.Percent > 0 {
		part, err := first.Max.Scale(int64(f.Percent), 100)
		if err != nil {
			return 0, err
		}
		more = max(more, part)
	}
	return first.Max.Add(max(more, 0))
}

// verdict says what follows from an error of a request.
type verdict uint8

const (
	tryOther verdict = iota // another model may do better
	tryAgain                // the same may, too: once, if it was not charged
	giveUp                  // no other model may be asked
)

// verdictTypes are those of fal's error types. What is not among them is about
// the model.
var verdictTypes = map[string]verdict{
	// The account, the prompt or an input is at fault: every model shares it.
	"content_policy_violation": giveUp, "file_download_error": giveUp, "image_load_error": giveUp, "file_too_large": giveUp,
	"unsupported_image_format": giveUp, "invalid_archive": giveUp, "bad_request": giveUp,
	"client_cancelled": giveUp, "client_disconnected": giveUp,
	// A machine failed, or the model by chance.
	"internal_error": tryAgain, "internal_server_error": tryAgain, "runner_server_error": tryAgain, "runner_disconnected": tryAgain,
	"runner_incomplete_response": tryAgain, "runner_scheduling_failure": tryAgain, "runner_connection_timeout": tryAgain,
	"runner_connection_refused": tryAgain, "runner_connection_error": tryAgain, "request_timeout": tryAgain, "startup_timeout": tryAgain,
	"generation_timeout": tryAgain, "downstream_service_error": tryAgain, "downstream_service_unavailable": tryAgain,
	"no_media_generated": tryAgain,
}

// verdictStatus are those of statuses whose type says nothing.
var verdictStatus = map[int]verdict{
	http.StatusBadRequest: giveUp, http.StatusUnauthorized: giveUp, http.StatusPaymentRequired: giveUp,
	http.StatusRequestEntityTooLarge: giveUp, http.StatusTooManyRequests: giveUp, 499: giveUp,
}

// verdictOf says what follows from an error. Nothing more may be sent if every
// model would fail alike, or if it is no refusal, of fal's or of this side, so
// that what became of the request is open, or it was billed.
func verdictOf(err error) verdict {
	e := refusal(err)
	if e == nil {
		_, invalid := errors.AsType[*fal.ValidationError](err)
		_, budget := errors.AsType[*spend.BudgetError](err)
		if invalid || budget {
			return tryOther
		}
		return giveUp
	}
	if errors.Is(e, fal.ErrLocked) {
		return giveUp
	}
	types := []string{e.Type}
	for _, f := range e.Fields {
		types = append(types, f.Type)
	}
	out, known := tryOther, false
	for _, t := range types {
		if v, ok := verdictTypes[t]; ok {
			out, known = max(out, v), true
		}
	}
	switch v, ok := verdictStatus[e.Status]; {
	case ok && (!known || v == giveUp && e.Status != http.StatusBadRequest):
		return v
	case !known && e.Status >= 500:
		return tryAgain
	}
	return out
}

// ends reports whether no other model may be tried after an error.
func ends(err error) bool { return err != nil && verdictOf(err) == giveUp }

// again reports whether the attempts that failed may be made once more on the
// same model: none was charged, and all failed in a way that may pass.
func again(attempts []Attempt) bool {
	return slices.ContainsFunc(attempts, func(a Attempt) bool { return a.Err != nil }) &&
		!slices.ContainsFunc(attempts, func(a Attempt) bool {
			return a.Err != nil && (verdictOf(a.Err) != tryAgain || fal.Charged(a.Err) != fal.NotBilled)
		})
}
