package falotel_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/falotel"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

// recording is a client of a local fal whose tracer keeps what it records.
type recording struct {
	*testing.T
	srv    *faltest.Server
	client *fal.Client
	spans  *tracetest.InMemoryExporter
	reader *metric.ManualReader
}

func record(t *testing.T, prompts bool) *recording {
	t.Helper()
	r := &recording{T: t, srv: faltest.NewServer(t), spans: tracetest.NewInMemoryExporter(), reader: metric.NewManualReader()}
	r.client = r.srv.Client()
	r.client.Retry.MinWait = time.Millisecond
	r.client.Tracer = &falotel.Tracer{
		TracerProvider: trace.NewTracerProvider(trace.WithSyncer(r.spans)),
		MeterProvider:  metric.NewMeterProvider(metric.WithReader(r.reader)),
		Prompts:        prompts,
	}
	return r
}

// span returns the span of that name and its attributes as text.
func (r *recording) span(name string) (tracetest.SpanStub, map[string]string) {
	r.Helper()
	spans := r.spans.GetSpans()
	i := slices.IndexFunc(spans, func(s tracetest.SpanStub) bool { return s.Name == name })
	if i < 0 {
		r.Fatalf("there is no span %q", name)
	}
	attrs := map[string]string{}
	for _, a := range spans[i].Attributes {
		attrs[string(a.Key)] = a.Value.String()
	}
	return spans[i], attrs
}

func TestCall(t *testing.T) {
	t.Parallel()
	r := record(t, false)
	r.srv.Inject(faltest.OpSubmit, faltest.TooManyRequests(0), 1)
	out, err := fal.Subscribe(t.Context(), r.client, flux.Pro2{Prompt: "a secret mug", ImageSize: fal.Size(1920, 1080), Seed: fal.Seed(7)})
	if err != nil {
		t.Fatal(err)
	}
	call, attrs := r.span("generate_content fal-ai/flux-2-pro")
	want := map[string]string{
		"gen_ai.operation.name": "generate_content", "gen_ai.provider.name": "fal", "gen_ai.request.model": "fal-ai/flux-2-pro",
		"gen_ai.request.seed": "7", "gen_ai.output.type": "image", "gen_ai.request.choice.count": "1",
		"gen_ai.request.image.width": "1920", "gen_ai.request.image.height": "1080", "gen_ai.response.id": out.RequestID,
		"gen_ai.usage.cost.amount": "0.045", "gen_ai.usage.cost.currency": "USD", "gen_ai.usage.cost.source": "local",
		"fal.billable_units": "1.5", "fal.call.kind": "subscribe", "fal.call.id": r.srv.Ledger().Bills[0].Call,
	}
	if diff := cmp.Diff(want, attrs); diff != "" {
		t.Errorf("the call -want +got\n%s", diff)
	}
	if call.SpanKind.String() != "client" || call.Status.Code.String() != "Unset" || !call.EndTime.After(call.StartTime) {
		t.Errorf("%+v", call)
	}
	var statuses []string
	for _, s := range r.spans.GetSpans() {
		if s.Name != "POST" {
			continue
		}
		if s.Parent.SpanID() != call.SpanContext.SpanID() {
			t.Error("an attempt is not inside of the call")
		}
		set := attribute.NewSet(s.Attributes...)
		status, _ := set.Value("http.response.status_code")
		again, _ := set.Value("http.request.resend_count")
		failure, _ := set.Value("error.type")
		address, _ := set.Value("server.address")
		statuses = append(statuses, fmt.Sprint(status.String(), " ", again.String(), " ", failure.String(), " ", address.String()))
	}
	if len(statuses) != 2 || !strings.HasPrefix(statuses[0], "429 ") || !strings.Contains(statuses[0], " 429 127.0.0.1") || !strings.HasPrefix(statuses[1], "200 1 ") {
		t.Errorf("attempts %q", statuses)
	}
	if all := fmt.Sprintf("%+v", r.spans.GetSpans()); strings.Contains(all, "secret") {
		t.Errorf("the prompt or the key was recorded:\n%s", all)
	}
	if got := r.durations(); len(got) != 1 || got["generate_content fal-ai/flux-2-pro "] != 1 {
		t.Errorf("durations %v", got)
	}
}

// durations returns how many calls were measured, by operation, model and error.
func (r *recording) durations() map[string]uint64 {
	r.Helper()
	var all metricdata.ResourceMetrics
	if err := r.reader.Collect(context.Background(), &all); err != nil {
		r.Fatal(err)
	}
	counts := map[string]uint64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			h, ok := m.Data.(metricdata.Histogram[float64])
			if !ok || m.Name != "gen_ai.client.operation.duration" || m.Unit != "s" {
				r.Errorf("%+v", m)
			}
			for _, p := range h.DataPoints {
				operation, _ := p.Attributes.Value("gen_ai.operation.name")
				model, _ := p.Attributes.Value("gen_ai.request.model")
				failure, _ := p.Attributes.Value("error.type")
				name := operation.AsString() + " " + model.AsString() + " " + failure.AsString()
				counts[name] += p.Count
			}
		}
	}
	return counts
}

// Prompts are recorded where that is asked for, of whatever kind the request is.
func TestPrompts(t *testing.T) {
	t.Parallel()
	mug := flux.Schnell{Prompt: `a "secret" mug`}
	input := map[string]any{"prompt": mug.Prompt}
	for name, request := range map[string]fal.Request[fal.Images]{
		"plain":         mug,
		"by pointer":    &mug,
		"elsewhere":     fal.At(mug, "fal-ai/flux/schnell"),
		"with more":     fal.With(mug, map[string]any{"seed": 7}),
		"a call":        fal.Call[fal.Images]{ID: "fal-ai/flux/schnell", Input: input},
		"a call of one": fal.Call[fal.Images]{ID: "fal-ai/flux/schnell", Input: mug},
	} {
		r := record(t, true)
		if _, err := fal.Run(t.Context(), r.client, request); err != nil {
			t.Fatal(err)
		}
		_, attrs := r.span("generate_content fal-ai/flux/schnell")
		if got := attrs["gen_ai.input.messages"]; got != `[{"role":"user","parts":[{"type":"text","content":"a \"secret\" mug"}]}]` {
			t.Errorf("%s: %s", name, got)
		}
	}
	r := record(t, true)
	if _, err := fal.Run(t.Context(), r.client, fal.Call[fal.Images]{ID: "fal-ai/flux/schnell", Input: map[int]string{1: "x"}}); err == nil {
		t.Error("no error")
	}
	if _, attrs := r.span("generate_content fal-ai/flux/schnell"); attrs["gen_ai.input.messages"] != "" {
		t.Errorf("%v", attrs)
	}
}

// What goes wrong has a name that many failures share, and its text only beside
// prompts.
func TestFailures(t *testing.T) {
	t.Parallel()
	mug := flux.Pro2{Prompt: "a secret mug"}
	for want, do := range map[string]func(*recording) error{
		"content_policy_violation": func(r *recording) error {
			r.srv.Inject(faltest.OpSubmit, faltest.LateFailure(422, "content_policy_violation", "no"), 1)
			return second(fal.Subscribe(r.Context(), r.client, mug))
		},
		"404": func(r *recording) error {
			return second(fal.Run(r.Context(), r.client, fal.Call[fal.Images]{ID: "me/none", Input: mug}))
		},
		"invalid_request": func(r *recording) error {
			return second(fal.Subscribe(r.Context(), r.client, flux.Schnell{Prompt: "a secret mug", NumImages: 99}))
		},
		"outcome_unknown": func(r *recording) error {
			r.srv.Inject(faltest.OpRun, faltest.ErrorPage(http.StatusBadGateway), 1)
			return second(fal.Run(r.Context(), r.client, mug))
		},
		"timeout": func(r *recording) error {
			ctx, cancel := context.WithTimeout(r.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := fal.Resume(r.client, mug.Endpoint(), "none").Wait(ctx)
			return err
		},
		"no_key": func(r *recording) error {
			r.client.Key = fal.NewKey("")
			return second(fal.Run(r.Context(), r.client, mug))
		},
		"_OTHER": func(r *recording) error {
			r.client.Guard = refusing{}
			return second(fal.Run(r.Context(), r.client, mug))
		},
	} {
		r := record(t, false)
		if err := do(r); err == nil {
			t.Errorf("%s: no error", want)
		}
		spans := r.spans.GetSpans()
		call := spans[len(spans)-1]
		set := attribute.NewSet(call.Attributes...)
		failure, _ := set.Value("error.type")
		if failure.AsString() != want || call.Status.Description != want || call.Status.Code.String() != "Error" || strings.Contains(fmt.Sprintf("%+v", spans), "secret") {
			t.Errorf("%s: %+v", want, call)
		}
		for name := range r.durations() {
			if !strings.HasSuffix(name, " "+want) {
				t.Errorf("%s: measured as %q", want, name)
			}
		}
	}
}

type refusing struct{}

func (refusing) Reserve(context.Context, fal.Usage, map[string]string) (fal.Reservation, error) {
	return nil, errors.New("no secret money")
}

func second[T any](_ T, err error) error { return err }

// A submit generates nothing: it is measured when it is waited for.
func TestSubmitAndWait(t *testing.T) {
	t.Parallel()
	r := record(t, false)
	job, err := fal.Submit(t.Context(), r.client, flux.Pro2{Prompt: "a mug"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, submit := r.span("submit fal-ai/flux-2-pro")
	_, wait := r.span("generate_content fal-ai/flux-2-pro")
	if submit["gen_ai.usage.cost.amount"] != "" || wait["gen_ai.usage.cost.amount"] != "0.03" || submit["fal.call.id"] != wait["fal.call.id"] || submit["gen_ai.response.id"] != job.ID() {
		t.Errorf("submit %v\nwait %v", submit, wait)
	}
	if got := r.durations(); len(got) != 1 {
		t.Errorf("durations %v", got)
	}
}

// The zero value records with the global providers, which by default keep
// nothing.
func TestZeroTracer(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	c := srv.Client()
	c.Tracer = &falotel.Tracer{}
	if _, err := fal.Run(t.Context(), c, flux.Schnell{Prompt: "a mug"}); err != nil {
		t.Error(err)
	}
}
