package batch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/gif"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/provenance"
	"github.com/falimage/falimage-go/fal/webhook"
	"github.com/falimage/falimage-go/flux"
)

func whole(r provenance.Record) provenance.Record { return r }

// A saved picture tells how it was made, so that it can be made again; the journal
// knows the file as it was saved, which is not fetched again, and comes out the same
// if it is lost.
func TestMark(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	run := &batch.Runner{Client: quick(srv), Journal: batch.Memory(), Dir: t.TempDir(), Mark: whole}
	first, err := batch.Step(t.Context(), run, mug("a"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(run.Dir, first.Files[0].Name)
	record, err := provenance.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if record.Prompt != "a mug, a" || record.RequestID != first.RequestID || record.Endpoint != "fal-ai/flux/schnell" || record.Seed == nil || !record.Time.Equal(first.Sent.Truncate(time.Second)) {
		t.Errorf("%+v", record)
	}
	before := srv.Ledger().Downloads
	again, err := provenance.Reproduce[fal.Images](record, nil, flux.Decode)
	if err != nil {
		t.Fatal(err)
	}
	replayed, err := batch.Step(t.Context(), &batch.Runner{Client: quick(srv)}, item{Request: again})
	if err != nil || replayed.Out.Seed != first.Out.Seed {
		t.Errorf("made again with another seed: %v", err)
	}
	second, err := batch.Step(t.Context(), run, mug("a"))
	if err != nil || !second.Kept || srv.Ledger().Downloads != before {
		t.Errorf("kept %v, %v", second.Kept, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	third, err := batch.Step(t.Context(), run, mug("a"))
	if diff := cmp.Diff(first.Files, third.Files); diff != "" || err != nil {
		t.Errorf("%v (-first +fetched again)\n%s", err, diff)
	}
}

// What is to be kept back is.
func TestMarkWithoutPrompt(t *testing.T) {
	t.Parallel()
	run := &batch.Runner{Client: quick(faltest.NewServer(t)), Dir: t.TempDir(), Mark: provenance.Record.WithoutPrompt}
	if _, err := batch.Step(t.Context(), run, mug("a")); err != nil {
		t.Fatal(err)
	}
	record, err := provenance.ReadFile(filepath.Join(run.Dir, "a.jpg"))
	if err != nil || record.Prompt != "" || record.Input != nil || record.Endpoint == "" || record.Seed == nil {
		t.Errorf("%v %+v", err, record)
	}
}

// Who receives marks too, by what was sent.
func TestMarkDelivered(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.QueueTime(50*time.Millisecond))
	j := batch.Memory()
	ctx, leave := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer leave()
	_, _ = batch.Step(ctx, &batch.Runner{Client: quick(srv), Journal: j}, mug("a"))
	row, _, _ := j.Get(t.Context(), "a")
	run := &batch.Runner{Client: quick(srv), Journal: j, Dir: t.TempDir(), Mark: whole}
	if _, err := batch.Deliver[fal.Images](t.Context(), run, "a", &webhook.Event{RequestID: row.RequestID}); err != nil {
		t.Fatal(err)
	}
	record, err := provenance.ReadFile(filepath.Join(run.Dir, "a.jpg"))
	if err != nil || record.Prompt != "a mug, a" || record.Seed == nil {
		t.Errorf("%v %+v", err, record)
	}
}

// A JPEG has no room for a long request, and is marked without. A picture that takes no
// record is saved as it came.
func TestMarkAsFarAsItGoes(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.Strict(false))
	it := mug("a")
	it.Request = fal.With(it.Request, map[string]any{"note": strings.Repeat("x", 100_000)})
	run := &batch.Runner{Client: quick(srv), Journal: batch.Memory(), Dir: t.TempDir(), Mark: whole}
	res, err := batch.Step(t.Context(), run, it)
	if err != nil {
		t.Fatal(err)
	}
	record, err := provenance.ReadFile(filepath.Join(run.Dir, "a.jpg"))
	if err != nil || record.Prompt != "a mug, a" || record.Input != nil || record.RequestID != res.RequestID {
		t.Errorf("%v %+v", err, record)
	}

	var picture bytes.Buffer
	if err := gif.Encode(&picture, image.NewPaletted(image.Rect(0, 0, 8, 8), color.Palette{color.Black, color.White}), nil); err != nil {
		t.Fatal(err)
	}
	row := res.Row
	row.Revision, row.Files = 1, nil
	row.Result, err = json.Marshal(fal.Images{Images: []fal.Image{{URL: srv.File("a.gif", "image/gif", picture.Bytes()), ContentType: "image/gif"}}})
	if err != nil {
		t.Fatal(err)
	}
	run = &batch.Runner{Client: quick(srv), Journal: batch.Memory(), Dir: t.TempDir(), Mark: whole}
	if err := run.Journal.Put(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	res, err = batch.Step(t.Context(), run, it)
	if err != nil || len(res.Files) != 1 || res.Files[0].Bytes != int64(picture.Len()) || res.Files[0].Name != "a.gif" {
		t.Fatalf("%+v %v", res.Files, err)
	}
	content, err := os.ReadFile(filepath.Join(run.Dir, "a.gif"))
	if sum, _ := fal.Bytes(content).SHA256(); err != nil || !bytes.Equal(content, picture.Bytes()) || res.Files[0].SHA256 != sum {
		t.Errorf("%d bytes, %+v, %v", len(content), res.Files, err)
	}
}
