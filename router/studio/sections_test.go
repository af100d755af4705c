package studio_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/png"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/sheet"
	"github.com/falimage/falimage-go/router/studio"
)

// embedded returns a picture and a result's that holds it.
func embedded(t *testing.T, side int) ([]byte, fal.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, side, side))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), fal.Image{URL: "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())}
}

// A section tells of each picture what is known, and of each failure why: price and
// seed are those of the request, flags those of the picture, warnings come first.
func TestSection(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client := srv.Client()
	small, smallImage := embedded(t, 8)
	large, largeImage := embedded(t, 9)
	gone := fal.Image{URL: srv.URL() + "/v3.fal.media/files/b/none/none.png"}
	model := router.Model{Title: "FLUX", Endpoint: "fal-ai/flux"}
	base := sheet.Entry{Title: "FLUX", Endpoint: "fal-ai/flux", Elapsed: time.Second, RequestID: "r-1", Request: "{\n  \"prompt\": \"a mug\"\n}"}
	entry := func(change func(e *sheet.Entry)) sheet.Entry {
		e := base
		change(&e)
		return e
	}
	whole := fal.Warning{Kind: fal.FewerPictures, Picture: -1, Message: "2 of 3 pictures came"}
	for name, tt := range map[string]struct {
		attempt studio.Attempt
		want    []sheet.Entry
	}{
		"two pictures": {
			studio.Attempt{Billed: 3 * cent, Spent: 4 * cent, Result: &fal.Images{Seed: 7, Images: []fal.Image{smallImage, largeImage}, Warnings: []fal.Warning{
				whole, {Kind: fal.FlaggedByFal, Picture: 1, Message: "flagged"}, {Kind: fal.OtherSize, Picture: 0, Message: "other size"},
			}}},
			[]sheet.Entry{
				entry(func(e *sheet.Entry) {
					e.Price, e.Seed, e.Picture, e.Reasons = "$0.03", fal.Seed(7), small, []string{"2 of 3 pictures came"}
				}),
				entry(func(e *sheet.Entry) {
					e.Seed, e.Picture, e.Flagged, e.Reasons = fal.Seed(7), large, true, []string{"2 of 3 pictures came"}
				}),
			},
		},
		"seed of the request": {
			studio.Attempt{Spent: 4 * cent, Seed: fal.Seed(5), Result: &fal.Images{Seed: 7, Images: []fal.Image{smallImage}}},
			[]sheet.Entry{entry(func(e *sheet.Entry) { e.Price, e.Seed, e.Picture = "at most $0.04", fal.Seed(5), small })},
		},
		"no seed, no price": {
			studio.Attempt{Result: &fal.Images{Images: []fal.Image{smallImage}}},
			[]sheet.Entry{entry(func(e *sheet.Entry) { e.Picture = small })},
		},
		"all black": {
			studio.Attempt{Result: &fal.Images{Images: []fal.Image{smallImage}, Warnings: []fal.Warning{{Kind: fal.AllBlack, Picture: 0}}}},
			[]sheet.Entry{entry(func(e *sheet.Entry) { e.Picture, e.Flagged = small, true })},
		},
		"failed": {
			studio.Attempt{Err: errors.New("it broke"), Spent: cent},
			[]sheet.Entry{entry(func(e *sheet.Entry) { e.Error, e.Price = "it broke", "at most $0.01" })},
		},
		"no picture": {
			studio.Attempt{Result: &fal.Images{Seed: 7, Warnings: []fal.Warning{whole}}},
			[]sheet.Entry{entry(func(e *sheet.Entry) {
				e.Error, e.Reasons = "the result has no picture", []string{"2 of 3 pictures came"}
			})},
		},
		"no picture and why": {
			studio.Attempt{Err: errors.New("none"), Result: &fal.Images{}},
			[]sheet.Entry{entry(func(e *sheet.Entry) { e.Error = "none" })},
		},
		"of a format that no sheet has": {
			studio.Attempt{Result: &fal.Images{Images: []fal.Image{{URL: "data:image/bmp;base64,Qk0aAAAAAAAAABoAAAAMAAAAAQABAAEAGAA="}, smallImage}}},
			[]sheet.Entry{
				entry(func(e *sheet.Entry) { e.Error = "the picture is no PNG, JPEG, WebP or GIF" }),
				entry(func(e *sheet.Entry) { e.Picture = small }),
			},
		},
		"at no address": {
			studio.Attempt{Result: &fal.Images{Images: []fal.Image{{URL: "https://[::1/"}}}},
			[]sheet.Entry{entry(func(e *sheet.Entry) { e.Error = "fal: download: GET ?: the URL is malformed" })},
		},
		"gone": {
			studio.Attempt{Result: &fal.Images{Images: []fal.Image{gone}}},
			[]sheet.Entry{entry(func(e *sheet.Entry) { e.URL, e.Error = gone.URL, "gone" })},
		},
	} {
		tt.attempt.Model, tt.attempt.Elapsed, tt.attempt.RequestID, tt.attempt.Request = model, time.Second, "r-1", flux.Schnell{Prompt: "a mug"}
		c := studio.Comparison{Task: router.Task{Prompt: "a mug"}, Models: []studio.Compared{{Outcome: studio.Outcome{Attempts: []studio.Attempt{tt.attempt}}}}}
		got := c.Section(t.Context(), client)
		for i := range got.Entries {
			if e := &got.Entries[i]; e.Error != "" && e.URL != "" {
				e.Error = "gone" // in whatever words
			}
		}
		if diff := cmp.Diff(sheet.Section{Prompt: "a mug", Entries: tt.want}, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	// A model that was not asked says why; one without a reason says nothing.
	c := studio.Comparison{Models: []studio.Compared{
		{Candidate: router.Candidate{Model: model}, Err: errors.New("too dear")}, {Candidate: router.Candidate{Model: model}},
	}}
	want := []sheet.Entry{{Title: "FLUX", Endpoint: "fal-ai/flux", Error: "too dear"}}
	if diff := cmp.Diff(want, c.Section(t.Context(), client).Entries); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The sections of drafts and finals mark what was picked, link what is at fal, and have
// the attempts of each final.
func TestSections(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	last := func(_ context.Context, v []studio.Variant) ([]studio.Variant, error) { return v[2:], nil }
	srv.InjectFor(pro2, faltest.OpSubmit, faltest.Answer(404, `{"detail":"Application not found"}`), 1)
	out, err := studio.Draft(t.Context(), client, router.Task{Prompt: journalPrompt, Seed: fal.Seed(40)}, studio.Drafts{Count: 3}, last)
	if err != nil {
		t.Fatal(err)
	}
	sections := out.Sections(t.Context(), client)
	var got []string
	for _, s := range sections {
		for _, e := range s.Entries {
			seed := "none"
			if e.Seed != nil {
				seed = strconv.FormatUint(*e.Seed, 10)
			}
			got = append(got, fmt.Sprint(s.Title, " ", s.Prompt == journalPrompt, " seed ", seed, " picked ", e.Picked, " shown ", len(e.Picture) > 0 && e.URL != "", " failed ", e.Error != "", " reasons ", len(e.Reasons) > 0))
		}
	}
	want := []string{
		"Drafts true seed 40 picked false shown true failed false reasons true",
		"Drafts true seed 41 picked false shown true failed false reasons true",
		"Drafts true seed 42 picked true shown true failed false reasons true",
		"Finals true seed 42 picked false shown false failed true reasons true",
		"Finals true seed 42 picked false shown true failed false reasons true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
