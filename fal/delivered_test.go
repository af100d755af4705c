package fal_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// What came another way is read as what was fetched, once for the budget too.
func TestDecodeOfAJob(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status          int
		body            string
		pictures        int
		kind            string
		spent, reserved pricing.USD
	}{
		"a result":        {http.StatusOK, `{"images":[{"url":"https://x.example/a.png"}],"seed":7}`, 1, "", 3 * pricing.Cent, 0},
		"of another size": {http.StatusOK, `{"images":[{"url":"https://x.example/a.png","width":1,"height":1}]}`, 1, "", 3 * pricing.Cent, 0},
		"refused":         {http.StatusUnprocessableEntity, `{"detail":[{"type":"content_policy_violation","msg":"no"}]}`, 0, "content_policy_violation", 0, 3 * pricing.Cent},
		"fal's failure":   {http.StatusInternalServerError, `{"detail":"x"}`, 0, "", 0, 0},
		"error inside":    {http.StatusOK, `{"detail":[{"type":"no_media_generated","msg":"no"}]}`, 0, "no_media_generated", 0, 3 * pricing.Cent},
	} {
		srv := faltest.NewServer(t)
		c := srv.Client()
		budget := &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Dollar}}}
		c.Guard = budget
		j, err := fal.Submit(t.Context(), c, flux.Pro2{Prompt: "x"})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time changes nothing
			out, err := j.Decode(t.Context(), tt.status, []byte(tt.body))
			e, failed := errors.AsType[*fal.Error](err)
			switch {
			case failed:
				if tt.pictures > 0 || e.Type != tt.kind || e.Status != tt.status || e.RequestID != j.ID() || e.Endpoint != "fal-ai/flux-2-pro" {
					t.Errorf("%s: %+v", name, e)
				}
			case err != nil || len(out.Images) != tt.pictures || out.RequestID != j.ID():
				t.Errorf("%s: %+v, %v", name, out, err)
			case (len(out.Warnings) > 0) != (name == "of another size"):
				t.Errorf("%s: warnings %v", name, out.Warnings)
			}
			if diff := cmp.Diff([]pricing.USD{tt.spent, tt.reserved}, []pricing.USD{budget.Spent(), budget.Reserved()}); diff != "" {
				t.Errorf("%s: spent and reserved -want +got\n%s", name, diff)
			}
		}
	}
}
