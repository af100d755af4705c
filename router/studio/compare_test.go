package studio_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/router"
	"github.com/falimage/falimage-go/router/studio"
)

// Models are compared at once, in the order asked for.
func TestCompare(t *testing.T) {
	t.Parallel()
	srv, client := local(t)
	srv.InjectFor("fal-ai/qwen-image", faltest.OpSubmit, faltest.LateFailure(500, "internal_server_error", "failed"), 1)
	names := []string{"qwen.Image2Pro", "flux.Pro2", "qwen.Image", "fal-ai/flux/schnell"}
	out, err := studio.Compare(t.Context(), client, router.Task{Prompt: posterPrompt, Not: []string{"flux"}}, names)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range out.Models {
		got = append(got, m.Candidate.Model.Name)
		if (m.Err != nil) != (m.Candidate.Model.Name == "qwen.Image") || m.Err == nil && len(m.Images()) != 1 {
			t.Errorf("%s: %v", m.Candidate.Model.Name, m.Err)
		}
		if m.Elapsed <= 0 || m.Elapsed > out.Elapsed {
			t.Errorf("%s took %v of %v", m.Candidate.Model.Name, m.Elapsed, out.Elapsed)
		}
	}
	if failed := out.Models[2]; failed.Missing != 1 || out.Models[0].Missing != 0 || srv.Ledger().Posts != 4 {
		t.Errorf("%d and %d are missing, %d posts", failed.Missing, out.Models[0].Missing, srv.Ledger().Posts)
	}
	names[3] = "flux.Schnell"
	if diff := cmp.Diff(names, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if want := 75*cent/10 + 3*cent + 3*cent/10; out.Billed != want {
		t.Errorf("billed %v, want %v", out.Billed, want)
	}
	posts := srv.Ledger().Posts
	for name, task := range map[string]router.Task{
		"over max_price": {Prompt: posterPrompt, MaxPrice: cent},
		"cannot serve":   {Prompt: posterPrompt, Format: "webp"},
	} {
		if _, err := studio.Compare(t.Context(), client, task, names); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := studio.Compare(t.Context(), client, router.Task{Prompt: "x"}, nil); err == nil {
		t.Error("no models were accepted")
	}
	if srv.Ledger().Posts != posts {
		t.Error("something was sent")
	}

	section := out.Section(t.Context(), client)
	var titles []string
	for _, e := range section.Entries {
		titles = append(titles, e.Title)
		if (e.Error == "") != (len(e.Picture) > 0) || e.Endpoint == "fal-ai/qwen-image-2/pro/text-to-image" && len(e.Reasons) == 0 {
			t.Errorf("%s: %d bytes, error %q, reasons %q", e.Title, len(e.Picture), e.Error, e.Reasons)
		}
	}
	if diff := cmp.Diff([]string{"Qwen Image 2.0 Pro", "FLUX.2 [pro]", "Qwen Image", "FLUX.1 [schnell]"}, titles); diff != "" || section.Prompt != posterPrompt {
		t.Errorf("section (-want +got)\n%s", diff)
	}
}
