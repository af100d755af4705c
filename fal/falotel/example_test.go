package falotel_test

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/falotel"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

// A call is a span with what it did cost, and its exchanges are inside of it.
func ExampleTracer() {
	srv := faltest.New()
	defer srv.Close()
	spans := tracetest.NewInMemoryExporter() // in a program, one that sends them
	client := srv.Client()
	client.Tracer = &falotel.Tracer{TracerProvider: trace.NewTracerProvider(trace.WithSyncer(spans))}

	if _, err := fal.Run(context.Background(), client, flux.Pro2{Prompt: "a ceramic coffee mug"}); err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range spans.GetSpans() {
		fmt.Println(s.Name)
		for _, a := range s.Attributes {
			if a.Key == "gen_ai.usage.cost.amount" || a.Key == "http.response.status_code" {
				fmt.Println(" ", a.Key, a.Value.String())
			}
		}
	}

	// Output:
	// POST
	//   http.response.status_code 200
	// generate_content fal-ai/flux-2-pro
	//   gen_ai.usage.cost.amount 0.03
}
