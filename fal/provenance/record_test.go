package provenance_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/provenance"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/qwen"
)

const id = "764cabcf-b745-4b3e-ae38-1200304cf45b"

func TestOf(t *testing.T) {
	t.Parallel()
	type input map[string]any
	for _, tt := range []struct {
		name   string
		req    fal.Request[fal.Images]
		seed   uint64
		input  string
		want   *uint64
		source provenance.Source
	}{
		{"seed of the result", flux.Pro2{Prompt: "a mug"}, 1<<63 + 1, `{"prompt":"a mug","seed":9223372036854775809}`, fal.Seed(1<<63 + 1), provenance.Generated},
		{"seed of the request", flux.Pro2{Prompt: "a mug", Seed: fal.Seed(0)}, 7, `{"prompt":"a mug","seed":0}`, fal.Seed(0), provenance.Generated},
		{"no seed", flux.Pro2{Prompt: "a mug"}, 0, `{"prompt":"a mug"}`, nil, provenance.Generated},
		{"wrapped", fal.At(fal.With[fal.Images](flux.Pro2{Prompt: "a mug"}, map[string]any{"new": 1}), "fal-ai/other"), 7, `{"new":1,"prompt":"a mug","seed":7}`, fal.Seed(7), provenance.Generated},
		{"call", fal.Call[fal.Images]{ID: "x/y", Input: input{"prompt": "p"}}, 7, `{"prompt":"p","seed":7}`, fal.Seed(7), provenance.Generated},
		{"call without a seed field", fal.Call[fal.Images]{ID: "x/y", Input: struct {
			Prompt string `json:"prompt"`
		}{"p"}}, 7, `{"prompt":"p"}`, nil, provenance.Generated},
		{
			"files", flux.Pro2Edit{Prompt: "x", ImageURLs: []fal.File{
				fal.URL("https://user:pass@example.com/a.png?signature=secret#x"), fal.URL("https://example.com/b.png"), fal.Bytes([]byte("abc")), fal.URL("data:text/plain,abc"),
			}}, 7, `{"image_urls":["https://example.com/a.png","https://example.com/b.png",` +
				`"https://sha256.invalid/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","https://sha256.invalid/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],"prompt":"x","seed":7}`,
			fal.Seed(7), provenance.Edited,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rec, err := provenance.Of(tt.req, fal.Meta{RequestID: id}, tt.seed)
			if err != nil {
				t.Fatal(err)
			}
			if rec.Time.IsZero() {
				t.Error("no time")
			}
			var prompt struct{ Prompt string }
			if err := json.Unmarshal([]byte(tt.input), &prompt); err != nil {
				t.Fatal(err)
			}
			want := provenance.Record{
				Endpoint: string(tt.req.Endpoint()), RequestID: id, Prompt: prompt.Prompt, Seed: tt.want,
				Input: json.RawMessage(tt.input), Source: tt.source, Time: rec.Time,
			}
			if diff := cmp.Diff(want, rec); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := provenance.Of(flux.Pro2Edit{ImageURLs: []fal.File{fal.Path("no such file")}}, fal.Meta{}, 0); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a file that cannot be read: %v", err)
	}
	if _, err := provenance.Of(fal.Call[fal.Images]{ID: "x/y", Input: []int{1}}, fal.Meta{}, 0); err == nil || !strings.Contains(err.Error(), "no JSON object") {
		t.Errorf("a body that is no object: %v", err)
	}
}

func TestReproduce(t *testing.T) {
	t.Parallel()
	mug := fal.Bytes([]byte("abc"))
	for _, tt := range []struct {
		name  string
		req   fal.Request[fal.Images]
		files []fal.File
		want  fal.Request[fal.Images]
	}{
		{"flux", flux.Pro2{Prompt: "a mug", ImageSize: fal.Size(640, 480)}, nil, flux.Pro2{Prompt: "a mug", ImageSize: fal.Size(640, 480), Seed: fal.Seed(1<<63 + 1)}},
		{"qwen", qwen.Image{Prompt: "a mug"}, nil, qwen.Image{Prompt: "a mug", Seed: fal.Seed(1<<63 + 1)}},
		{
			"a file", flux.Pro2Edit{Prompt: "x", ImageURLs: []fal.File{mug, fal.URL("https://example.com/b.png")}}, []fal.File{fal.Bytes([]byte("other")), mug},
			flux.Pro2Edit{Prompt: "x", ImageURLs: []fal.File{mug, fal.URL("https://example.com/b.png")}, Seed: fal.Seed(1<<63 + 1)},
		},
		{
			"no type", fal.Call[fal.Images]{ID: "x/y", Input: map[string]any{"image": mug}}, []fal.File{mug},
			fal.Call[fal.Images]{ID: "x/y", Input: map[string]any{"image": mug, "seed": json.Number("9223372036854775809")}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rec, err := provenance.Of(tt.req, fal.Meta{RequestID: id}, 1<<63+1)
			if err != nil {
				t.Fatal(err)
			}
			marked, err := provenance.Mark(pictures(t)["webp"], rec)
			if err != nil {
				t.Fatal(err)
			}
			rec, err = provenance.Read(marked)
			if err != nil {
				t.Fatal(err)
			}
			got, err := provenance.Reproduce[fal.Images](rec, tt.files, flux.Decode, qwen.Decode)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b fal.File) bool { return a == b })); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if tt.files == nil {
				return
			}
			_, err = provenance.Reproduce[fal.Images](rec, nil, flux.Decode, qwen.Decode)
			if err == nil || !strings.Contains(err.Error(), "ba7816bf") || !strings.Contains(err.Error(), "image") {
				t.Errorf("without the file: %v", err)
			}
		})
	}
}

func TestCannotReproduce(t *testing.T) {
	t.Parallel()
	rec, err := provenance.Of(flux.Pro2{Prompt: "a mug"}, fal.Meta{RequestID: id}, 7)
	if err != nil {
		t.Fatal(err)
	}
	noSeed := rec
	noSeed.Seed = nil
	for _, r := range []provenance.Record{noSeed, rec.WithoutPrompt()} {
		_, err := provenance.Reproduce[fal.Images](r, nil, flux.Decode)
		if !errors.Is(err, provenance.ErrNoSeed) || fal.RequestID(err) != id {
			t.Errorf("error %v with request id %q", err, fal.RequestID(err))
		}
	}
	if _, err := provenance.Reproduce[fal.Training](rec, nil, flux.Decode); err == nil || !strings.Contains(err.Error(), "flux.Pro2 is not a fal.Training") {
		t.Errorf("another result: %v", err)
	}
	if _, err := provenance.Reproduce[fal.Images](rec, []fal.File{fal.Path("no such file")}, flux.Decode); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a file that cannot be read: %v", err)
	}
	bad := rec
	bad.Input = json.RawMessage(`{"prompt":"x","nonsense":1}`)
	if _, err := provenance.Reproduce[fal.Images](bad, nil, flux.Decode); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a body that is refused: %v", err)
	}
	bad.Endpoint, bad.Input = "x/y", json.RawMessage(`[`)
	if _, err := provenance.Reproduce[fal.Images](bad, nil, flux.Decode); err == nil || !strings.Contains(err.Error(), "no JSON object") {
		t.Errorf("a body that is no object: %v", err)
	}
}
