package fal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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
