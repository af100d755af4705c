package platform_test

import (
	"context"
	"fmt"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/flux"
)

// What requests were charged, as fal books it.
func ExampleAPI_BillingEvents() {
	srv := faltest.New()
	defer srv.Close()
	srv.SetPrice("fal-ai/flux-2-pro", "0.03", "megapixels")
	srv.SetDiscount("10")
	ctx := context.Background()

	_, err := fal.Subscribe(ctx, srv.Client(), flux.Pro2{Prompt: "a mug", ImageSize: fal.Size(1920, 1080)})
	if err != nil {
		fmt.Println(err)
		return
	}
	api := platform.API{Client: srv.Admin()} // the bills need a key with admin scope
	for event, err := range api.BillingEvents(ctx, platform.BillingQuery{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(event.Units, "units at", event.UnitPrice, "less", event.Reduction, "are", event.Total)
	}

	// Output:
	// 1.5 units at 0.03 less 0.0045 are 0.0405
}
