package fal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

type seeded struct {
	Prompt string  `json:"prompt,omitzero"`
	Seed   *uint64 `json:"seed,omitzero"`
}

type otherSeed struct {
	Seed string `json:"seed,omitzero"`
}

// noter is a guard that notes what is sent, and may refuse it then.
type noter struct {
	calls []string
	err   error
}

func (n *noter) Reserve(context.Context, fal.Usage, map[string]string) (fal.Reservation, error) {
	return n, nil
}
func (n *noter) Sending(payload json.RawMessage) error {
	n.calls = append(n.calls, "sending "+regexp.MustCompile("[0-9]+").ReplaceAllString(string(payload), "N"))
	return n.err
}
func (n *noter) Accepted(string)    { n.calls = append(n.calls, "accepted") }
func (n *noter) Settled(m fal.Meta) { n.calls = append(n.calls, "settled "+m.BillableUnits) }
func (n *noter) Released(err error) {
	n.calls = append(n.calls, fmt.Sprint("released ", fal.NotSent(err)))
}

// A reservation that notes what is sent gets it with a seed, before it is sent, and
// may refuse it; that of a job that is taken up is told how it ends.
func TestSending(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client, n := srv.Client(), new(noter)
	client.Guard = n
	job, err := fal.Submit(t.Context(), client, flux.Schnell{Prompt: "x"})
	if err != nil {
		t.Fatal(err)
	}
	n.err = errors.New("the disk is full")
	if _, err := fal.Submit(t.Context(), client, flux.Schnell{Prompt: "y"}); !errors.Is(err, n.err) || !fal.NotSent(err) {
		t.Errorf("refused: %v", err)
	}
	taken := fal.Resume(client, job.Endpoint(), job.ID())
	taken.Reserved(n)
	if _, err := taken.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{`sending {"prompt":"x","seed":N}`, "accepted", `sending {"prompt":"y","seed":N}`, "released true", "settled 1"}
	if diff := cmp.Diff(want, n.calls); diff != "" || srv.Ledger().Posts != 1 {
		t.Errorf("%d posts (-want +got)\n%s", srv.Ledger().Posts, diff)
	}
}

func TestFixSeeds(t *testing.T) {
	t.Parallel()
	const ours = "ours"
	for name, tt := range map[string]struct {
		request fal.Request[json.RawMessage]
		want    string // the seed that is sent
	}{
		"without a seed":   {fal.Raw(flux.Pro2{Prompt: "x"}), ours},
		"with a seed":      {fal.Raw(flux.Pro2{Prompt: "x", Seed: fal.Seed(7)}), "7"},
		"seed of nothing":  {fal.Raw(flux.Pro2{Prompt: "x", Seed: fal.Seed(0)}), "0"},
		"elsewhere":        {fal.Raw(fal.At(flux.Pro2{Prompt: "x"}, "me/model")), ours},
		"more fields":      {fal.Raw(fal.With(flux.Pro2{Prompt: "x"}, map[string]any{"new": 1})), ours},
		"seed by With":     {fal.Raw(fal.With(flux.Pro2{Prompt: "x"}, map[string]any{"seed": 9})), "9"},
		"none to be had":   {fal.Raw(flux.ProErase{}), ""},
		"call":             {fal.Call[json.RawMessage]{ID: "me/model", Input: seeded{Prompt: "x"}}, ours},
		"call by pointer":  {fal.Call[json.RawMessage]{ID: "me/model", Input: &seeded{}}, ours},
		"call of a map":    {fal.Call[json.RawMessage]{ID: "me/model", Input: map[string]any{"prompt": "x"}}, ""},
		"call of nothing":  {fal.Call[json.RawMessage]{ID: "me/model"}, ""},
		"of another type":  {fal.Call[json.RawMessage]{ID: "me/model", Input: otherSeed{}}, ""},
		"call of a number": {fal.Call[json.RawMessage]{ID: "me/model", Input: 3}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var body []byte
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ = io.ReadAll(r.Body)
				_, _ = io.WriteString(w, `{}`)
			}))
			defer srv.Close()
			client := &fal.Client{Key: fal.NewKey(secret), Hosts: fal.Hosts{Run: srv.URL}, FixSeeds: true}
			if _, err := fal.Run(t.Context(), client, tt.request, fal.SkipValidation()); err != nil {
				t.Fatal(err)
			}
			var sent struct {
				Seed *json.Number `json:"seed"`
			}
			_ = json.Unmarshal(body, &sent)
			switch {
			case tt.want == ours:
				if n, err := sent.Seed.Int64(); err != nil || n < 1 || n >= 1<<31 {
					t.Errorf("seed %v in %s", sent.Seed, body)
				}
			case tt.want == "" && sent.Seed != nil, tt.want != "" && (sent.Seed == nil || sent.Seed.String() != tt.want):
				t.Errorf("%s, want seed %q", body, tt.want)
			}
		})
	}
}

// What was sent can be had from the error, and is in no text of it.
func TestOutcomeUnknownPayload(t *testing.T) {
	t.Parallel()
	for _, lose := range []struct {
		op  faltest.Op
		run func(*fal.Client) error
	}{
		{faltest.OpSubmit, func(c *fal.Client) error {
			_, err := fal.Submit(t.Context(), c, flux.Dev{Prompt: "a private fox"})
			return err
		}},
		{faltest.OpRun, func(c *fal.Client) error {
			_, err := fal.Run(t.Context(), c, flux.Dev{Prompt: "a private fox"})
			return err
		}},
	} {
		srv := faltest.NewServer(t)
		srv.Inject(lose.op, faltest.LostAnswer(), 1)
		client := srv.Client()
		client.FixSeeds = true
		lost, ok := errors.AsType[*fal.OutcomeUnknownError](lose.run(client))
		if !ok || lost.Payload == nil {
			t.Fatalf("%s: no payload", lose.op)
		}
		var sent seeded
		if err := json.Unmarshal(lost.Payload(), &sent); err != nil || sent.Prompt != "a private fox" || sent.Seed == nil {
			t.Errorf("%s: payload %s, %v", lose.op, lost.Payload(), err)
		}
		encoded, err := json.Marshal(lost)
		if err != nil {
			t.Error(err)
		}
		for _, text := range []string{lost.Error(), fmt.Sprintf("%+v %#v", lost, lost), string(encoded)} {
			if strings.Contains(text, "private fox") {
				t.Errorf("%s: the prompt is in %s", lose.op, text)
			}
		}
	}
}
