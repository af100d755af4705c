package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
)

// The gallery has each picture of 10,000, with what is known of it, and what went
// wrong, in some megabytes.
func TestGallery(t *testing.T) {
	t.Parallel()
	o := &options{out: t.TempDir(), server: "x"}
	if err := os.MkdirAll(o.folder(), 0o755); err != nil {
		t.Fatal(err)
	}
	j := batch.Memory()
	const pictures = 10_000
	for i := range pictures {
		row := batch.Row{
			Key: fmt.Sprintf("P%05d", i), Revision: 1, State: batch.Done, Endpoint: "fal-ai/qwen-image", Digest: "d", Units: "1", RequestID: fmt.Sprintf("r-%d", i),
			Payload: fmt.Appendf(nil, `{"prompt":"a mug, number %d"}`, i),
			Result:  fmt.Appendf(nil, `{"images":[{"url":"https://v3.fal.media/x.png","width":1024,"height":768}],"seed":%d}`, i),
			Files:   []batch.File{{Name: fmt.Sprintf("P%05d.png", i)}},
		}
		if i == 7 {
			row.State, row.Files, row.Failure = batch.Failed, nil, &batch.Failure{Message: "the content policy", Billing: fal.NotBilled}
		}
		if err := j.Put(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.gallery(j); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(o.folder(), "gallery.html"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, want := range []string{`src="./pictures/P00000.png"`, `src="./pictures/P09999.png"`, "a mug, number 4321", "the content policy", "there is no picture: failed", "$0.02", "r-9999", "From 9901 on", `width="1024"`} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if n := strings.Count(page, `loading="lazy"`); n < pictures-1 || len(page) > 60<<20 {
		t.Errorf("%d lazy pictures, %d bytes", n, len(page))
	}
	t.Logf("%d bytes", len(page))
}
