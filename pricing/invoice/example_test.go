package invoice_test

import (
	"context"
	"fmt"
	"iter"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/invoice"
)

// books makes pictures and yields what the own books say of each.
func books(ctx context.Context, client *fal.Client, requests []flux.Pro2) iter.Seq2[invoice.Booked, error] {
	return func(yield func(invoice.Booked, error) bool) {
		for _, req := range requests {
			quote, err := pricing.Estimate(req)
			if err != nil {
				yield(invoice.Booked{}, err)
				return
			}
			out, err := fal.Subscribe(ctx, client, req)
			if err != nil {
				yield(invoice.Booked{}, err)
				return
			}
			bill, err := pricing.Settle(quote, out.Meta)
			if !yield(invoice.Booked{
				RequestID: out.RequestID, Endpoint: out.Endpoint, Quote: quote.Expected, Units: bill.Units, Billed: bill.Billed,
			}, err) {
				return
			}
		}
	}
}

// The account has a discount that the own books do not know.
func Example() {
	srv := faltest.New()
	defer srv.Close()
	srv.SetPrice("fal-ai/flux-2-pro", "0.03", "megapixels")
	srv.SetDiscount("10")
	ctx := context.Background()

	requests := []flux.Pro2{{Prompt: "a mug", ImageSize: fal.SquareHD}, {Prompt: "a mug", ImageSize: fal.Size(1920, 1080)}}
	events := platform.API{Client: srv.Admin()}.BillingEvents(ctx, platform.BillingQuery{})
	inv, err := invoice.Compare(books(ctx, srv.Client(), requests), events)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range inv.Differing() {
		fmt.Println(l.Booked.Quote, "quoted,", l.Booked.Billed, "by units,", l.Event.Total, "charged:", l.Kind, "by", l.Difference)
	}
	fmt.Println("in all", inv.Total.Difference)

	// Output:
	// $0.03 quoted, $0.03 by units, $0.027 charged: discounted by -$0.003
	// $0.045 quoted, $0.045 by units, $0.0405 charged: discounted by -$0.0045
	// in all -$0.0075
}
