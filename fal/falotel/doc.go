// Package falotel tells OpenTelemetry what a client of package fal does: a span
// for each call, with spans inside of it for uploads and for each attempt of an
// HTTP exchange, and the time that calls take as a metric.
//
//	client := &fal.Client{Tracer: &falotel.Tracer{}}
//
// Names are those of the conventions for generative models as they are in
// development in November 2026 (gen_ai.*). They have no operation for pictures:
// "generate_content" with the output type "image" is what others use, with
// gen_ai.request.image.width and .height, and what a call did cost as
// gen_ai.usage.cost.amount, .currency and .source, which is "local": fal bills
// units, and package pricing turns them into money. Names that the conventions
// lack begin with "fal.".
//
// No prompt is recorded, and no text of an error that may repeat one, unless
// [Tracer.Prompts] says so. Addresses are without their query, and no API key is
// in what is recorded.
package falotel
