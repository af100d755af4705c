package pricing_test

import (
	"errors"
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
			q, err := pricing.EstimateUsage(fal.Usage{Endpoint: id, Outputs: 1, Size: fal.SquareHD, Steps: 1000})
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
