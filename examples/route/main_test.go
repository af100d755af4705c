package main

import (
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
)

func TestParse(t *testing.T) {
	t.Parallel()
	seed := uint64(7)
	for _, tt := range []struct {
		args string // separated by |
		file string
		want router.Task
		bad  string // in the error
	}{
		{"", "", router.Task{Prompt: example}, ""},
		{"-n|4|-size|1920x1080", "", router.Task{Prompt: example, Count: 4, Size: "1920x1080"}, ""},
		{"-prompt|a mug|-colors|#2ECC71, #1B3A5C|-max|$0.50|-seed|7", "", router.Task{
			Prompt: "a mug", Colors: []flux.Color{"#2ECC71", "#1B3A5C"}, MaxPrice: 50 * pricing.Cent, Seed: &seed}, ""},
		{"-edit|layers|-pictures|https://x.example/a.png", "", router.Task{
			Edit: router.EditLayers, Pictures: []router.Picture{{File: fal.URL("https://x.example/a.png")}}}, ""},
		{"-require|hex colours,seed|-only|FLUX.2|-prefer|3,0,1|-verbatim", "", router.Task{
			Prompt: example, Require: []router.Feature{"hex colours", "seed"}, Only: []string{"FLUX.2"},
			Prefer: router.Preference{Quality: 3, Price: 1}, VerbatimPrompt: true}, ""},
		{"-n|2|-f|-", `{"prompt": "a mug", "count": 9, "max_price": "0.50"}`, router.Task{Prompt: "a mug", Count: 2, MaxPrice: 50 * pricing.Cent}, ""},
		{"-f|-", `{"promt": "a mug"}`, router.Task{}, "promt"},
		{"-f|-", `{} {}`, router.Task{}, "after the task"},
		{"-f|no-such-file", "", router.Task{}, "no such file"},
		{"-colors|green", "", router.Task{}, "green"},
		{"-prefer|1,2", "", router.Task{}, "three numbers"},
		{"-max|dear", "", router.Task{}, "dear"},
		{"a mug", "", router.Task{}, "-prompt"},
	} {
		var args []string
		if tt.args != "" {
			args = strings.Split(tt.args, "|")
		}
		got, err := parse(args, strings.NewReader(tt.file), new(strings.Builder))
		switch {
		case tt.bad != "" && (err == nil || !strings.Contains(err.Error(), tt.bad)), tt.bad == "" && err != nil:
			t.Errorf("%s: %v", tt.args, err)
		case tt.bad == "" && !reflect.DeepEqual(got.task, tt.want):
			t.Errorf("%s:\n got %+v\nwant %+v", tt.args, got.task, tt.want)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run([]string{"-n", "4", "-size", "1920x1080", "-refused", "-top", "1"}, nil, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"the prompt quotes it: OPEN LATE", "FLUX.2 [pro]", "$0.18", "flux.Pro2Edit", "edits pictures in words"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
}

// A need that takes two steps is shown with both, as text and as a document.
func TestTwoSteps(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run([]string{"-prompt", "a red mug", "-transparent", "-only", "flux.Pro2,flux.Max2", "-top", "1"}, nil, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"FLUX.2 [pro], then Qwen Image Layered", "$0.08", "transparency follows, by Qwen Image Layered", "before the second. It would be"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
	out.Reset()
	if err := run([]string{"-json", "-prompt", "a red mug", "-transparent", "-only", "flux.Pro2,flux.Max2"}, nil, &out); err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal([]byte(out.String()), &d); err != nil {
		t.Fatal(err)
	}
	if then := d.Candidates[0].Then; then == nil || then.Endpoint != "fal-ai/qwen-image-layered" || !strings.Contains(string(then.Body), "num_layers") || d.Firmness == nil || len(d.Firmness.Changes) == 0 {
		t.Error(out.String())
	}
}

// The document has the body of each request, also where a picture has no URL
// yet.
func TestJSON(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.png")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, image.NewGray(image.Rect(0, 0, 1024, 1024))); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run([]string{"-json", "-prompt", "make it red", "-pictures", path, "-size", "square_hd", "-only", "flux.Pro2Edit"}, nil, &out); err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal([]byte(out.String()), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Candidates) != 1 || len(d.Refused) == 0 || len(d.Understood) == 0 {
		t.Fatal(out.String())
	}
	c := d.Candidates[0]
	if c.Endpoint != "fal-ai/flux-2-pro/edit" || c.Price == nil || c.Price.Min != c.Price.Max || !strings.Contains(string(c.Body), "upload of ") {
		t.Errorf("%+v %s", c, c.Body)
	}
}

// Errors are told in full, as text and as a document.
func TestErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args string // separated by |
		text []string
	}{
		{"-max-each|0.0001", []string{"no model can do all of this together", "at most $0.0001", "nearest", "flux.Schnell"}},
		{"-size|big|-purpose|art", []string{"size: big", "purpose: art"}},
		{"-f|no-such-file", []string{"no such file"}},
	} {
		err := run(strings.Split(tt.args, "|"), nil, new(strings.Builder))
		if err == nil {
			t.Errorf("%s: no error", tt.args)
			continue
		}
		var out strings.Builder
		complain(&out, err)
		for _, want := range tt.text {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q is missing in\n%s", tt.args, want, &out)
			}
		}
	}
	var out strings.Builder
	if err := run([]string{"-json", "-max-each", "0.0001"}, nil, &out); err == nil {
		t.Error("no error")
	}
	var d document
	if err := json.Unmarshal([]byte(out.String()), &d); err != nil || d.Error == nil || len(d.Error.Conflict) == 0 || len(d.Error.Nearest) == 0 || len(d.Refused) == 0 {
		t.Errorf("%v\n%s", err, &out)
	}
}
