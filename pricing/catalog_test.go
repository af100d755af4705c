package pricing_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/internal/catalog"
	"github.com/falimage/falimage-go/pricing"
)

// Every endpoint of the catalogue has a price, or words on why it has none,
// and the price class in the model tables agrees with it.
func TestCatalog(t *testing.T) {
	t.Parallel()
	classes := make(map[string]int)
	for _, e := range catalog.All() {
		for _, id := range append([]string{e.ID}, e.Aliases...) {
			var inputs []fal.File
			if id == "fal-ai/flux-pro/v1/vto" { // the dear part of it
				inputs = slices.Repeat([]fal.File{fal.URL("https://x.example/a.png").Sized(1024, 1024)}, 2)
			}
			q, err := pricing.EstimateUsage(fal.Usage{Endpoint: id, Outputs: 1, Size: fal.SquareHD, Resolution: "1k", Steps: 1000, Inputs: inputs})
			var unknown *pricing.UnknownError
			class := ""
			switch {
			case errors.As(err, &unknown):
				if unknown.Reason == "the table has no such endpoint" {
					t.Errorf("%s: %v", id, err)
				}
				if e.Price == "second" {
					class = "second"
				}
			case err != nil:
				t.Errorf("%s: %v", id, err)
			case e.Task == "train":
				class = "step"
			case q.Expected < pricing.Cent:
				class = "$"
			case q.Expected < 4*pricing.Cent:
				class = "$$"
			default:
				class = "$$$"
			}
			classes[class]++
			if id == e.ID && class != e.Price {
				t.Errorf("%s: the table says %q, the price is %v: %q", id, e.Price, q.Expected, class)
			}
		}
	}
	for _, class := range []string{"$", "$$", "$$$", "step"} {
		if classes[class] == 0 {
			t.Errorf("no endpoint of class %q: %v", class, classes)
		}
	}
}
