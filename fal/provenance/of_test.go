package provenance_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/provenance"
	"github.com/falimage/falimage-go/flux"
)

// Which requests have a seed, and which are of other pictures.
func TestSeedsAndSources(t *testing.T) {
	t.Parallel()
	call := func(input map[string]any) fal.Request[fal.Images] {
		return fal.Call[fal.Images]{ID: "x/y", Input: input}
	}
	for name, tt := range map[string]struct {
		req    fal.Request[fal.Images]
		input  string
		prompt string
		seed   *uint64
		source provenance.Source
	}{
		"a pointer":                  {&flux.Pro2{Prompt: "p"}, `{"prompt":"p","seed":7}`, "p", fal.Seed(7), provenance.Generated},
		"no field for it":            {flux.Image3{Prompt: "p"}, `{"prompt":"p"}`, "p", nil, provenance.Generated},
		"wrapped, no field for it":   {fal.With(flux.Image3{Prompt: "p"}, map[string]any{"new": 1}), `{"new":1,"prompt":"p"}`, "p", nil, provenance.Generated},
		"a seed that is added":       {fal.With(flux.Image3{Prompt: "p"}, map[string]any{"seed": 3}), `{"prompt":"p","seed":3}`, "p", fal.Seed(3), provenance.Generated},
		"a seed that is null":        {call(map[string]any{"seed": nil}), `{"seed":7}`, "", fal.Seed(7), provenance.Generated},
		"a seed that is a text":      {call(map[string]any{"seed": "x"}), `{"seed":"x"}`, "", nil, provenance.Generated},
		"a prompt that is none":      {call(map[string]any{"prompt": 1}), `{"prompt":1,"seed":7}`, "", fal.Seed(7), provenance.Generated},
		"a file at a URL":            {flux.Pro2Edit{Prompt: "p", ImageURLs: []fal.File{fal.URL("https://x.example/a")}}, `{"image_urls":["https://x.example/a"],"prompt":"p","seed":7}`, "p", fal.Seed(7), provenance.Edited},
		"data in capitals, of a few": {flux.Pro2Edit{Prompt: "p", ImageURLs: []fal.File{fal.URL("DATA:,abc")}}, `{"image_urls":["https://sha256.invalid/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],"prompt":"p","seed":7}`, "p", fal.Seed(7), provenance.Edited},
	} {
		before := time.Now().Truncate(time.Second)
		got, err := provenance.Of(tt.req, fal.Meta{RequestID: id}, 7)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Time.Before(before) || got.Time.After(time.Now()) || got.Time.Nanosecond() != 0 || got.Time.Location() != time.UTC {
			t.Errorf("%s: made at %v", name, got.Time)
		}
		want := provenance.Record{Endpoint: string(tt.req.Endpoint()), RequestID: id, Time: got.Time, Prompt: tt.prompt, Seed: tt.seed, Input: json.RawMessage(tt.input), Source: tt.source}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// A file that is not there, or cannot be read, is told by its field.
func TestFilesThatAreNotThere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file fal.File
		want string
	}{{fal.File{}, "provenance: image_urls[1]: fal: no file is given"}, {fal.Path("none.png"), "provenance: image_urls[1]: "}, {fal.Reader(errorReader{}), "no disk"}} {
		_, err := provenance.Of(flux.Pro2Edit{Prompt: "p", ImageURLs: []fal.File{fal.URL("https://x.example/a"), tt.file}}, fal.Meta{}, 7)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
		if _, err := provenance.Reproduce[fal.Images](full(), []fal.File{tt.file}); err == nil || !strings.HasPrefix(err.Error(), "provenance: ") {
			t.Errorf("of files that are given: %v", err)
		}
	}
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, errors.New("no disk") }

// What may be secret in an address is cut, wherever it stands; other texts stay.
func TestSecretsInAddresses(t *testing.T) {
	t.Parallel()
	for before, after := range map[string]string{
		"https://x.example/a?b": "https://x.example/a", "http://x.example/a?b": "http://x.example/a", "https://me:pw@x.example/a": "https://x.example/a",
		"https://x.example/a#b": "https://x.example/a", "https://x.example/a b": "https://x.example/a b", "ftp://x.example/a?b": "ftp://x.example/a?b",
		"https:///a?b": "https:///a?b", "what is https://x?": "what is https://x?", "https://[?": "https://[?",
	} {
		input := func(text string) map[string]any {
			return map[string]any{"a": []any{text, map[string]any{"b": text}}}
		}
		got, err := provenance.Of(fal.Call[fal.Images]{ID: "x/y", Input: input(before)}, fal.Meta{}, 0)
		want, marshalErr := json.Marshal(input(after))
		if err := errors.Join(err, marshalErr); err != nil || string(got.Input) != string(want) {
			t.Errorf("%s: %s, %v, want %s", before, got.Input, err, want)
		}
	}
}

// Of several decoders the first that knows the endpoint decides.
func TestDecoders(t *testing.T) {
	t.Parallel()
	record := provenance.Record{Endpoint: "x/y", Seed: fal.Seed(7), Input: json.RawMessage(`{"a":["https://sha256.invalid/x","https://x.example"],"seed":7}`)}
	unknown := func(string, []byte) (any, error) { return nil, errors.New("unknown") }
	known := func(endpoint string, body []byte) (any, error) {
		if endpoint != "x/y" || string(body) != string(record.Input) {
			t.Errorf("asked for %s with %s", endpoint, body)
		}
		return flux.Pro2{Prompt: "known"}, nil
	}
	other := func(string, []byte) (any, error) { return flux.Pro2{Prompt: "other"}, nil }
	got, err := provenance.Reproduce[fal.Images](record, nil, unknown, known, other)
	if r, ok := got.(flux.Pro2); err != nil || !ok || r.Prompt != "known" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := provenance.Reproduce[fal.Images](record, nil, unknown); err == nil || !strings.Contains(err.Error(), "a[0]: the file with SHA-256 x that was uploaded is needed") {
		t.Errorf("a file that is missing: %v", err)
	}
	record.Input = nil
	if _, err := provenance.Reproduce[fal.Images](record, nil, known); !errors.Is(err, provenance.ErrNoSeed) {
		t.Errorf("without a request: %v", err)
	}
}
