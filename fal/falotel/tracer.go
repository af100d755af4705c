package falotel

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/falimage/falimage-go/fal"
)

// scope names what records.
const scope = "github.com/falimage/falimage-go/fal/falotel"

// Tracer is a [fal.Tracer] that records with OpenTelemetry. The zero value
// records with the global providers. It may be used by many goroutines and
// clients at once; its fields must not be changed after its first use.
type Tracer struct {
	// TracerProvider gets the spans; nil means the global one.
	TracerProvider trace.TracerProvider
	// MeterProvider gets the metric gen_ai.client.operation.duration, in seconds;
	// nil means the global one.
	MeterProvider metric.MeterProvider
	// Prompts records prompts, and what errors say. They may be private.
	Prompts bool

	init     sync.Once
	tracer   trace.Tracer
	duration metric.Float64Histogram
}

var _ fal.Tracer = (*Tracer)(nil)

func (t *Tracer) setUp() {
	tracers, meters := t.TracerProvider, t.MeterProvider
	if tracers == nil {
		tracers = otel.GetTracerProvider()
	}
	if meters == nil {
		meters = otel.GetMeterProvider()
	}
	t.tracer = tracers.Tracer(scope)
	var err error
	t.duration, err = meters.Meter(scope).Float64Histogram("gen_ai.client.operation.duration",
		metric.WithUnit("s"), metric.WithDescription("How long calls of models take, from their start to their result."),
		metric.WithExplicitBucketBoundaries(0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024))
	if err != nil {
		otel.Handle(err)
	}
}

// begun is the time at which the span of a context began.
type begun struct{}

// Start begins a span.
func (t *Tracer) Start(ctx context.Context, s fal.Span) context.Context {
	t.init.Do(t.setUp)
	now := time.Now()
	name, kind, attrs := t.describe(s)
	ctx, _ = t.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(attrs...), trace.WithTimestamp(now))
	return context.WithValue(ctx, begun{}, now)
}

// describe returns what is known of a span when it begins.
func (t *Tracer) describe(s fal.Span) (name string, kind trace.SpanKind, attrs []attribute.KeyValue) {
	switch s.Name {
	case "attempt":
		attrs = append(attrs, attribute.String("http.request.method", s.Method), attribute.String("url.full", s.URL))
		if u, err := url.Parse(s.URL); err == nil {
			attrs = append(attrs, attribute.String("server.address", u.Hostname()))
			if port, err := strconv.Atoi(u.Port()); err == nil {
				attrs = append(attrs, attribute.Int("server.port", port))
			}
		}
		if s.Attempt > 1 {
			attrs = append(attrs, attribute.Int("http.request.resend_count", s.Attempt-1))
		}
		name, kind = s.Method, trace.SpanKindClient
	case "upload":
		name, kind = "upload", trace.SpanKindInternal
	default:
		operation := operation(s)
		attrs = append(attrs, attribute.String("gen_ai.operation.name", operation), attribute.String("gen_ai.provider.name", "fal"),
			attribute.String("gen_ai.request.model", s.Endpoint), attribute.String("fal.call.kind", s.Name))
		if seed, ok := fieldOf(s.Request, "Seed").(*uint64); ok && seed != nil && *seed < 1<<63 {
			attrs = append(attrs, attribute.Int64("gen_ai.request.seed", int64(*seed)))
		}
		if t.Prompts {
			attrs = append(attrs, prompts(s.Request)...)
		}
		name, kind = operation+" "+s.Endpoint, trace.SpanKindClient
	}
	if s.CallID != "" {
		attrs = append(attrs, attribute.String("fal.call.id", s.CallID))
	}
	return name, kind, attrs
}

// operation returns what a logical call does: a submit alone generates nothing.
func operation(s fal.Span) string {
	if s.Name == "submit" {
		return "submit"
	}
	return "generate_content"
}

// End ends the span that Start has begun.
func (t *Tracer) End(ctx context.Context, s fal.Span) {
	t.init.Do(t.setUp)
	now := time.Now()
	span := trace.SpanFromContext(ctx)
	logical := s.Name != "attempt" && s.Name != "upload"
	failure := failureOf(s)
	if failure != "" {
		span.SetAttributes(attribute.String("error.type", failure))
		description := failure
		if t.Prompts && s.Err != nil {
			description = s.Err.Error()
		}
		span.SetStatus(codes.Error, description)
	}
	if s.Status != 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", s.Status))
	}
	if s.Meta.RequestID != "" {
		span.SetAttributes(attribute.String("gen_ai.response.id", s.Meta.RequestID))
	}
	if logical {
		span.SetAttributes(asked(s.Usage)...)
		if s.Meta.BillableUnits != "" {
			span.SetAttributes(attribute.String("fal.billable_units", s.Meta.BillableUnits))
		}
		span.SetAttributes(cost(s)...)
		began, ok := ctx.Value(begun{}).(time.Time)
		if ok && t.duration != nil && s.Name != "submit" {
			attrs := []attribute.KeyValue{
				attribute.String("gen_ai.operation.name", operation(s)), attribute.String("gen_ai.provider.name", "fal"), attribute.String("gen_ai.request.model", s.Endpoint),
			}
			if failure != "" {
				attrs = append(attrs, attribute.String("error.type", failure))
			}
			t.duration.Record(ctx, now.Sub(began).Seconds(), metric.WithAttributes(attrs...))
		}
	}
	span.End(trace.WithTimestamp(now))
}

// asked returns what a request asked for.
func asked(u fal.Usage) (attrs []attribute.KeyValue) {
	if u.Outputs > 0 {
		attrs = append(attrs, attribute.String("gen_ai.output.type", "image"), attribute.Int("gen_ai.request.choice.count", u.Outputs))
	}
	if width, height, ok := u.Size.Dimensions(); ok {
		attrs = append(attrs, attribute.Int("gen_ai.request.image.width", width), attribute.Int("gen_ai.request.image.height", height))
	}
	if u.Steps > 0 {
		attrs = append(attrs, attribute.Int("fal.request.steps", u.Steps))
	}
	return attrs
}

// failureOf names what went wrong, in few words that many failures share; "" if
// nothing did.
func failureOf(s fal.Span) string {
	switch {
	case s.Err != nil:
		return errorType(s.Err)
	case s.Name == "attempt" && s.Status >= 400:
		return strconv.Itoa(s.Status)
	}
	return ""
}

// prompts returns the prompt of a request, in the form of the conventions.
func prompts(request any) []attribute.KeyValue {
	prompt, _ := fieldOf(request, "Prompt").(string)
	if strings.TrimSpace(prompt) == "" {
		return nil
	}
	return []attribute.KeyValue{attribute.String("gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":`+quoted(prompt)+`}]}]`)}
}
