package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
)

// Without changes, the local fal is what the catalogue says.
func TestNoDifference(t *testing.T) {
	t.Parallel()
	srv := demo.Server()
	defer srv.Close()
	all, err := differences(t.Context(), srv.Client())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		t.Error(d)
	}
}

// injected is what is to be found of what inject changes: each kind.
var injected = []string{
	"blackforestlabs/flux-9  new: nothing -> text-to-image",
	"fal-ai/flux-2-pro  field gone  safety_tolerance: enum -> nothing",
	"fal-ai/flux-2-pro  field new  mood: nothing -> string",
	"fal-ai/flux-2-pro  required  image_size: false -> true",
	"fal-ai/flux-2-pro  type  seed: integer -> string",
	"fal-ai/flux-lora  gone: live -> not listed",
	"fal-ai/flux-pro/v1.1  price unit: $0.04 per megapixel -> $0.04 per compute seconds",
	"fal-ai/flux/dev  default  num_inference_steps: 28 -> 30",
	`fal-ai/flux/dev  limits  num_images: maximum 4, minimum 1 -> maximum 8, minimum 1`,
	"fal-ai/flux/dev  values  output_format: jpeg png -> avif jpeg png",
	"fal-ai/flux/schnell  deprecated: live -> deprecated",
	"fal-ai/qwen-image  price price: $0.02 per megapixel -> $0.03 per megapixels",
	"fal-ai/qwen-image-edit-trainer  back: delisted -> active",
}

func TestInjected(t *testing.T) {
	t.Parallel()
	srv := demo.Server()
	defer srv.Close()
	inject(srv)
	all, err := differences(t.Context(), srv.Client())
	if err != nil {
		t.Fatal(err)
	}
	lines := make([]string, 0, len(all))
	for _, d := range all {
		lines = append(lines, d.String())
	}
	if diff := cmp.Diff(injected, lines); diff != "" {
		t.Error(diff)
	}
	kinds := make(map[string]bool)
	for _, d := range all {
		kinds[d.Kind] = true
	}
	if len(kinds) < 10 {
		t.Errorf("%d kinds of change: %v", len(kinds), kinds)
	}
}

// What is acknowledged is passed over, as long as it stays what it is.
func TestKnown(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "known.txt")
	text := "# what we know\n\n" + injected[0] + " # not ours\n" + strings.ReplaceAll(injected[1], "  ", " ") + "\nfal-ai/flux/dev  gone: live -> not listed\n" + strings.ReplaceAll(injected[11], "$0.03", "$0.05") + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	accepted, err := readKnown(path)
	if err != nil {
		t.Fatal(err)
	}
	srv := demo.Server()
	defer srv.Close()
	inject(srv)
	all, err := differences(t.Context(), srv.Client())
	if err != nil {
		t.Fatal(err)
	}
	open, stale := accepted.sort(all)
	if len(open) != len(injected)-2 || len(stale) != 2 {
		t.Errorf("%d open, no longer: %q", len(open), stale)
	}
	if err := os.WriteFile(path, []byte("something else\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readKnown(path); err == nil || !strings.Contains(err.Error(), "known.txt:1") {
		t.Errorf("%v", err)
	}
	if _, err := readKnown(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was read")
	}
}

// Where one id that is gone makes the answer an error, the others are told all
// the same.
func TestErrorForOne(t *testing.T) {
	t.Parallel()
	srv := demo.Server()
	defer srv.Close()
	missing := faltest.Answer(http.StatusNotFound, `{"error":{"type":"not_found","message":"one of them is not there"}}`)
	srv.Inject(faltest.OpPlatform, missing, 2) // 50 ids, and the first 25 of them
	all, err := differences(t.Context(), srv.Client())
	if err != nil || len(all) > 0 {
		t.Errorf("%v, %v", all, err)
	}
	srv.Inject(faltest.OpPlatform, faltest.Answer(http.StatusForbidden, `{"error":{"type":"authorization_error","message":"no"}}`), 1)
	if _, err := differences(t.Context(), srv.Client()); err == nil {
		t.Error("another error was passed over")
	}
}

func TestInParts(t *testing.T) {
	t.Parallel()
	ids := make([]string, 120)
	for i := range ids {
		ids[i] = strconv.Itoa(i)
	}
	var told []string
	err := inParts(ids, func(part []string) error {
		if len(part) > 50 {
			t.Errorf("%d ids at once", len(part))
		}
		if slices.Contains(part, "0") || slices.Contains(part, "119") {
			return fmt.Errorf("%w: one of them", fal.ErrNotFound)
		}
		told = append(told, part...)
		return nil
	})
	if err != nil || len(told) != 118 || slices.Contains(told, "0") {
		t.Errorf("%d told, %v", len(told), err)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	open := []difference{{"a/b", "default", "size", "1|2", "<script>\n`x`"}}
	for _, format := range formats {
		var b bytes.Buffer
		if err := report(&b, format, open, []string{"c/d  gone: live -> not listed"}, 4); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		if !strings.Contains(text, "a/b") || !strings.Contains(text, "c/d") || !strings.Contains(text, "4") {
			t.Errorf("%s: %s", format, text)
		}
		switch format {
		case "json":
			var v struct{ Differences []difference }
			if err := json.Unmarshal(b.Bytes(), &v); err != nil || !slices.Equal(v.Differences, open) {
				t.Errorf("%+v, %v", v, err)
			}
		case "markdown":
			if strings.Contains(text, "<script>") || !strings.Contains(text, `1\|2`) {
				t.Errorf("what fal says is not quoted: %s", text)
			}
		}
	}
}

func FuzzKnown(f *testing.F) {
	f.Add("a/b  gone: live -> not listed # why\n")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "known.txt")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		accepted, err := readKnown(path)
		if (accepted == nil) == (err == nil) {
			return
		}
		if err == nil {
			accepted.sort(nil)
		}
	})
}
