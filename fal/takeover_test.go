package fal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

// told is a guard that notes what it is told.
type told struct{ lines []string }

func (g *told) Reserve(context.Context, fal.Usage, map[string]string) (fal.Reservation, error) {
	g.lines = append(g.lines, "reserved")
	return g, nil
}
func (g *told) Accepted(id string) { g.lines = append(g.lines, "accepted "+id) }
func (g *told) Settled(m fal.Meta) { g.lines = append(g.lines, "settled "+m.BillableUnits) }
func (g *told) Released(err error) { g.lines = append(g.lines, fmt.Sprint("released ", err)) }

// The guard of a request whose answer was lost is told once what became of it.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	lose := func(g *told, req fal.Request[fal.Images]) *fal.OutcomeUnknownError {
		client := srv.Client()
		client.Guard = g
		srv.Inject(faltest.OpSubmit, faltest.LostAnswer(), 1)
		_, err := fal.Submit(t.Context(), client, req, fal.RefuseFlagged())
		lost, ok := errors.AsType[*fal.OutcomeUnknownError](err)
		if !ok {
			t.Fatal(err)
		}
		return lost
	}
	bills := func() faltest.Bill { all := srv.Ledger().Bills; return all[len(all)-1] }

	guard := new(told)
	lost := lose(guard, flux.Dev{Prompt: "x"})
	other := fal.Resume(srv.Client(), flux.Schnell{}.Endpoint(), bills().RequestID)
	other.TakeOver(lost) // is of another endpoint
	job := fal.Resume(srv.Client(), flux.Dev{}.Endpoint(), bills().RequestID)
	job.TakeOver(nil)
	job.TakeOver(lost)
	job.TakeOver(lost)
	if _, err := job.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	lost.NotAccepted(errors.New("too late"))
	if want := []string{"reserved", "accepted " + job.ID(), "settled 1"}; !slices.Equal(guard.lines, want) {
		t.Errorf("told %q, want %q", guard.lines, want)
	}

	// The job is the request's in every other way.
	guard = new(told)
	srv.Inject(faltest.OpSubmit, faltest.NSFW(), 1)
	lost = lose(guard, flux.Dev{Prompt: "x", NumImages: 2})
	job = fal.Resume(srv.Client(), flux.Dev{}.Endpoint(), bills().RequestID)
	job.TakeOver(lost)
	if _, err := job.Wait(t.Context()); !errors.Is(err, fal.ErrFlagged) {
		t.Errorf("a flagged picture that was to be refused: %v", err)
	}

	guard = new(told)
	lost = lose(guard, flux.Dev{Prompt: "x"})
	lost.NotAccepted(errors.New("absent"))
	lost.NotAccepted(errors.New("absent"))
	if want := []string{"reserved", "released absent"}; !slices.Equal(guard.lines, want) {
		t.Errorf("told %q, want %q", guard.lines, want)
	}
	(&fal.OutcomeUnknownError{}).NotAccepted(nil) // one of another process
}
