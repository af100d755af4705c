package invoice_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing/invoice"
	"github.com/falimage/falimage-go/pricing/spend"
)

// The account has a discount that the own books do not know.
func ExampleOf() {
	srv := faltest.New()
	defer srv.Close()
	srv.SetPrice("fal-ai/flux-2-pro", "0.03", "megapixels")
	srv.SetDiscount("10")
	folder, err := os.MkdirTemp("", "books")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(folder) }()
	ctx := context.Background()

	ledger, err := spend.OpenLedger(filepath.Join(folder, "spending.jsonl"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = ledger.Close() }()
	client := srv.Client()
	client.Guard = &spend.Budget{Ledger: ledger}
	for _, size := range []fal.ImageSize{fal.SquareHD, fal.Size(1920, 1080)} {
		if _, err := fal.Subscribe(ctx, client, flux.Pro2{Prompt: "a mug", ImageSize: size}); err != nil {
			fmt.Println(err)
			return
		}
	}

	now := time.Now()
	api := platform.API{Client: srv.Admin()} // the bills need a key with admin scope
	inv, err := invoice.Of(ctx, api, ledger, platform.Span{Start: now.Add(-time.Hour), End: now.Add(time.Hour)})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range inv.Differing() {
		fmt.Println(l.Booked.Expected, "quoted,", l.Booked.Billed, "by units,", l.Event.Total, "charged:", l.Kind, "by", l.Difference)
	}
	fmt.Println("in all", inv.Total.Difference)

	// Output:
	// $0.03 quoted, $0.03 by units, $0.027 charged: discounted by -$0.003
	// $0.045 quoted, $0.045 by units, $0.0405 charged: discounted by -$0.0045
	// in all -$0.0075
}
