package live_test

import (
	"context"
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing/live"
	"github.com/falimage/falimage-go/qwen"
)

// A nightly job tells which prices changed, and quotes by them from then on:
// pricing.SetDefault(table) would do so everywhere. The local fal has the
// prices that it is given.
func ExampleFeed() {
	srv := faltest.New()
	defer srv.Close()
	srv.SetPrice("fal-ai/qwen-image", "0.025", "megapixels")
	if err := nightly(srv.Client()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// price       fal-ai/qwen-image: table $0.02 per megapixel, live $0.025 per megapixels
	// $0.025
}

func nightly(client *fal.Client) error {
	feed := &live.Feed{Client: client}
	table, changes, err := feed.Refresh(context.Background())
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.Kind == live.ChangedPrice {
			fmt.Println(c)
		}
	}
	quote, err := table.Estimate(qwen.Image{Prompt: "a mug", ImageSize: fal.SquareHD}.Usage())
	fmt.Println(quote.Expected)
	return err
}
