package spend_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
	"github.com/falimage/falimage-go/qwen"
)

// Each customer may spend 9 cents a month. Fal does not get to see who they are;
// the ledger does, and tells at the end of the month what each is to pay.
func Example_month() {
	if err := month(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// nearly used up by Söhne & Co: $0.08 of $0.09
	// the budget of customer "Söhne & Co" per month is used up
	// Söhne & Co, fal-ai/flux-2-pro: $0.06
	// Söhne & Co, fal-ai/qwen-image: $0.02
	// Töchter, fal-ai/flux-2-pro: $0.03
	// 4 lines in the table
}

func month() error {
	srv := faltest.New()
	defer srv.Close()
	client := srv.Client()
	folder, err := os.MkdirTemp("", "month")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // a folder of an example
	ledger, err := spend.OpenLedger(filepath.Join(folder, "spending.jsonl"))
	if err != nil {
		return err
	}
	defer ledger.Close() //nolint:errcheck // likewise
	ledger.Archive = filepath.Join(folder, "settled.jsonl")
	client.Guard = &spend.Budget{
		Ledger: ledger,
		Limits: []spend.Limit{{Amount: 9 * pricing.Cent, Per: spend.Month, Tag: spend.Tag{Name: "customer"}}},
		Near: func(n spend.Near) {
			fmt.Printf("nearly used up by %s: %v of %v\n", n.Tag.Value, n.Used, n.Limit.Amount)
		},
	}
	pro, draft := flux.Pro2{Prompt: "a mug"}, qwen.Image{Prompt: "a mug", ImageSize: fal.SquareHD}
	for _, order := range []struct {
		customer string
		request  fal.Request[fal.Images]
	}{
		{"Söhne & Co", pro}, {"Töchter", pro}, {"Söhne & Co", draft}, {"Söhne & Co", pro}, {"Söhne & Co", pro},
	} {
		ctx := spend.WithTags(context.Background(), map[string]string{"customer": order.customer})
		if _, err := fal.Run(ctx, client, order.request); fal.NotSent(err) {
			fmt.Printf("the budget of customer %q per month is used up\n", order.customer)
		} else if err != nil {
			return err
		}
	}
	for _, m := range ledger.Totals().Months {
		if m.Tag.Name == "customer" {
			cents, err := m.Billed.RoundCents()
			if err != nil {
				return err
			}
			fmt.Printf("%s, %s: %v\n", m.Tag.Value, m.Endpoint, cents)
		}
	}
	var table strings.Builder
	if err := spend.WriteCSV(&table, ledger.Settled()); err != nil {
		return err
	}
	fmt.Println(strings.Count(table.String(), "\n")-1, "lines in the table")
	return nil
}
