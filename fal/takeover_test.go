package fal_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

// How long a call took is told by one clock, though fal's is another than this machine's.
func TestTakeOverTime(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 3 * time.Hour, -3 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			const takes = 7 * time.Second
			client := &fal.Client{Key: fal.NewKey("id:secret"), Retry: fal.Retry{MaxAttempts: 1}, HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				status, body := http.StatusOK, `{"images":[{"url":"https://v3.fal.media/a.png"}]}`
				switch {
				case r.Method == http.MethodPost:
					return nil, errors.New("the connection was reset")
				case strings.HasSuffix(r.URL.Path, "/status"):
					body = `{"status":"COMPLETED"}`
				case !strings.HasSuffix(r.URL.Path, "/requests/job"):
					status = http.StatusNotFound
				}
				header := http.Header{"Date": {time.Now().UTC().Add(ahead).Format(http.TimeFormat)}}
				return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
			})}}
			if _, err := client.Now(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, err := fal.Submit(t.Context(), client, flux.Schnell{Prompt: "x"})
			lost, ok := errors.AsType[*fal.OutcomeUnknownError](err)
			if !ok {
				t.Fatal(err)
			}
			if off := lost.Sent.Sub(time.Now().Add(ahead)); off.Abs() > time.Second {
				t.Errorf("%v ahead: it was sent %v off fal's time", ahead, off)
			}
			time.Sleep(takes)
			job := fal.Resume(client, flux.Schnell{}.Endpoint(), "job")
			job.TakeOver(lost)
			out, err := job.Wait(t.Context())
			if err != nil || (out.Elapsed-takes).Abs() > time.Second {
				t.Errorf("%v ahead: it took %v, %v", ahead, out.Elapsed, err)
			}
		})
	}
}
