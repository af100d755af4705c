package pricing_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/qwen"
)

// What the local fal bills is what was quoted, for every endpoint that there
// is: for a request with only what is required, and for one where whatever
// counts is not the default. The two count on their own.
func TestEveryBillIsAsQuoted(t *testing.T) {
	t.Parallel()
	client := faltest.NewServer(t).Client()
	client.Logger = slog.New(slog.DiscardHandler)
	dataURL := func(width, height int) string {
		return "data:image/png;base64," + base64.StdEncoding.EncodeToString(pngFile(t, width, height))
	}
	picture, small := dataURL(2040, 1400), dataURL(1000, 1000) // 3 MP and 1 MP
	exact, ranges, unknown := 0, 0, 0
	each := func(m schema.Model, decode func(string, []byte) (any, error)) {
		for _, id := range append([]string{m.Endpoint}, m.Aliases...) {
			for _, rich := range []bool{false, true} {
				body, err := json.Marshal(bodyFor(m.Fields, picture, small, rich))
				if err != nil {
					t.Fatal(err)
				}
				r, err := decode(m.Endpoint, body)
				if err != nil {
					t.Errorf("%s: %v", id, err)
					continue
				}
				told, ok := r.(interface{ Usage() fal.Usage })
				if !ok {
					t.Fatalf("%T does not tell its usage", r)
				}
				usage := told.Usage()
				usage.Endpoint = id
				quote, quoteErr := pricing.EstimateUsage(usage)
				meta, err := runAny(t, client, id, r)
				if err != nil {
					t.Errorf("%s: %v", id, err)
					continue
				}
				if quoteErr != nil {
					if unknown++; !errors.Is(quoteErr, pricing.ErrUnknown) || meta.BillableUnits == "" || meta.BillableUnits == "0" {
						t.Errorf("%s: %v, billed %q", id, quoteErr, meta.BillableUnits)
					}
					continue
				}
				bill, err := pricing.Settle(quote, meta)
				if err != nil || !bill.Within {
					t.Errorf("%s: %v, %v; the quote of %s:\n%v", id, bill, err, body[:min(len(body), 300)], quote)
				}
				if !quote.Exact() {
					ranges++
					continue
				}
				if exact++; bill.Difference != 0 || bill.Units != quote.Units() {
					t.Errorf("%s: %v, not as quoted for %s:\n%v", id, bill, body[:min(len(body), 300)], quote)
				}
			}
		}
	}
	for _, m := range flux.Models() {
		each(m, flux.Decode)
	}
	for _, m := range qwen.Models() {
		each(m, qwen.Decode)
	}
	t.Logf("%d exact, %d in a range, %d without a price", exact, ranges, unknown)
	if exact < 240 {
		t.Errorf("only %d of %d quotes are exact", exact, exact+ranges+unknown)
	}
}

// bodyFor returns a request with what is required, and what counts.
func bodyFor(fields []schema.Field, picture, small string, rich bool) map[string]any {
	body := make(map[string]any)
	for _, f := range fields {
		var v any
		switch {
		case strings.HasSuffix(f.Name, "_data_url"):
			v = "https://example.com/set.zip"
		case f.Name == "human_image_url", f.Name == "garment_image_url":
			v = small // no more is taken
		case f.Type == schema.File:
			v = picture
		case f.Type == schema.Files:
			v = slices.Repeat([]string{picture}, max(f.MinItems, 1))
			if rich && f.MaxItems != 1 {
				v = slices.Repeat([]string{picture}, max(f.MinItems, 2))
			}
		case f.Type == schema.Number:
			v = 1.0
		default:
			v = "x"
		}
		if f.Required {
			body[f.Name] = v
		}
		if rich {
			switch {
			case f.Name == "num_images", f.Name == "num_layers":
				body[f.Name] = 2
			case f.Name == "image_size" && slices.Contains(f.Enum, "landscape_16_9"):
				body[f.Name] = map[string]int{"width": 1920, "height": 1080}
			case f.Name == "upscale_factor":
				body[f.Name] = 1.3
			case f.Name == "steps" && f.Min != nil && *f.Min > 1:
				body[f.Name] = *f.Min // less than what is billed at least
			case f.Name == "steps":
				body[f.Name] = 10
			}
		}
	}
	return body
}

// runAny runs a request whatever its result is.
func runAny(t *testing.T, client *fal.Client, id string, r any) (fal.Meta, error) {
	t.Helper()
	switch r := r.(type) {
	case fal.Request[fal.Images]:
		return runAt(t, client, id, r, func(out *fal.Images) fal.Meta { return out.Meta })
	case fal.Request[fal.Training]:
		return runAt(t, client, id, r, func(out *fal.Training) fal.Meta { return out.Meta })
	case fal.Request[flux.Upscaled]:
		return runAt(t, client, id, r, func(out *flux.Upscaled) fal.Meta { return out.Meta })
	case fal.Request[flux.Frames]:
		return runAt(t, client, id, r, func(out *flux.Frames) fal.Meta { return out.Meta })
	}
	return fal.Meta{}, errors.New("a result of an unknown type")
}

func runAt[Out any](t *testing.T, client *fal.Client, id string, r fal.Request[Out], meta func(*Out) fal.Meta) (fal.Meta, error) {
	t.Helper()
	if string(r.Endpoint()) != id {
		r = fal.At(r, fal.Endpoint[Out](id))
	}
	out, err := fal.Subscribe(t.Context(), client, r)
	if err != nil {
		return fal.Meta{}, err
	}
	return meta(out), nil
}
