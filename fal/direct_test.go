package fal_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jarcoal/httpmock"

	"github.com/falimage/falimage-go/fal"
)

const runURL = "https://fal.run/fal-ai/flux-2-pro"

func TestRun(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		answer  httpmock.Responder
		want    *fal.Images
		unknown bool
		err     string
	}{
		{
			name:   "result",
			answer: units(http.StatusOK, "2", `{"images":[{"url":"u","width":null,"file_name":null}],"seed":null,"timings":{"inference":1.25},"has_nsfw_concepts":[true],"new_field":{"a":[1]}}`),
			want: &fal.Images{
				Meta:   fal.Meta{Endpoint: "fal-ai/flux-2-pro", BillableUnits: "2"},
				Images: []fal.Image{{URL: "u"}}, Timings: map[string]float64{"inference": 1.25}, HasNSFWConcepts: []bool{true},
				Warnings: []fal.Warning{{Kind: fal.FlaggedByFal, Message: "the safety checker flagged picture 0"}},
			},
		},
		{
			name:   "fields of unexpected types",
			answer: units(http.StatusOK, "1", `{"seed":"12","images":[{"url":"u","width":"wide","height":7}]}`),
			want: &fal.Images{
				Meta:   fal.Meta{Endpoint: "fal-ai/flux-2-pro", BillableUnits: "1"},
				Images: []fal.Image{{URL: "u", Height: 7}}, Seed: 12,
			},
		},
		{
			name:   "no picture",
			answer: units(http.StatusOK, "1", `{"seed":12,"images":[null,{"url":null}]}`),
			want:   &fal.Images{Meta: fal.Meta{Endpoint: "fal-ai/flux-2-pro", BillableUnits: "1"}, Seed: 12},
			err:    "no picture",
		},
		{name: "not JSON", answer: units(http.StatusOK, "1", `<html>`), want: &fal.Images{Meta: fal.Meta{Endpoint: "fal-ai/flux-2-pro", BillableUnits: "1"}}, unknown: true, err: "not JSON"},
		{name: "an error with 200", answer: units(http.StatusOK, "0", `{"detail":"no","error_type":"internal_error"}`), want: &fal.Images{Meta: fal.Meta{Endpoint: "fal-ai/flux-2-pro", BillableUnits: "0"}}, err: "internal_error"},
		{name: "too many at once", answer: httpmock.NewStringResponder(http.StatusTooManyRequests, `{"detail":"x","error_type":"concurrent_requests_limit"}`), err: "concurrent_requests_limit"},
		{name: "lost", answer: httpmock.NewErrorResponder(io.ErrUnexpectedEOF), unknown: true, err: "unknown whether"},
		{name: "cut off", answer: func(*http.Request) (*http.Response, error) {
			resp := httpmock.NewStringResponse(http.StatusOK, "")
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"images":[`), errReader{}))
			return resp, nil
		}, unknown: true, err: "broken"},
	} {
		m := newMock()
		m.client.Retry.MaxAttempts = 1
		m.RegisterResponder(http.MethodPost, runURL, tt.answer)
		got, err := fal.Run(t.Context(), m.client, request)
		if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(fal.Meta{}, "Elapsed")); diff != "" {
			t.Errorf("%s: -want +got\n%s", tt.name, diff)
		}
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: error = %v, want one with %q", tt.name, err, tt.err)
		}
		if _, unknown := errors.AsType[*fal.OutcomeUnknownError](err); unknown != tt.unknown {
			t.Errorf("%s: error = %v", tt.name, err)
		}
		if e, ok := errors.AsType[*fal.DecodeError](err); ok && len(e.Body) == 0 {
			t.Errorf("%s: the result was thrown away", tt.name)
		}
		if m.GetTotalCallCount() != 1 {
			t.Errorf("%s: %d calls", tt.name, m.GetTotalCallCount())
		}
	}
}

func TestRunRaw(t *testing.T) {
	t.Parallel()
	m := newMock()
	m.answer(http.MethodPost, runURL, http.StatusOK, `{"seed": 18446744073709551615}`)
	got, err := fal.Run(t.Context(), m.client, fal.Raw(request))
	if err != nil || string(*got) != `{"seed": 18446744073709551615}` {
		t.Errorf("got %s, %v", *got, err)
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	event := func(seed string) string { return `data: {"images":[{"url":"u"}],"seed":` + seed + "}\n\n" }
	for _, tt := range []struct {
		name, contentType, body string
		seeds                   []uint64
		err                     string
	}{
		{name: "three", body: ": hello\n\n" + event("1") + "event: x\r\nid: 7\r\ndata: {\"images\":[{\"url\":\"u\"}],\r\ndata: \"seed\":2}\r\n\r\n" + event("3"), seeds: []uint64{1, 2, 3}},
		{name: "large event", body: event("1") + `data: {"images":[{"url":"data:image/png;base64,` + strings.Repeat("A", 4<<20) + `"}],"seed":2}` + "\n\n", seeds: []uint64{1, 2}},
		{name: "none", body: ": nothing\n\n", err: "without a result"},
		{name: "error event", body: event("1") + "event: error\ndata: {\"detail\":\"boom\"}\n\n", seeds: []uint64{1}, err: "boom"},
		{name: "x-fal-error", body: `data: {"type":"x-fal-error","error":"CODE","reason":"why"}` + "\n\n", err: "why"},
		{name: "detail", body: `data: {"detail":[{"loc":["body","prompt"],"msg":"bad"}]}` + "\n\n", err: "prompt: bad"},
		{name: "unreadable", body: "data: {\n\n", err: "middle of an event"},
		{name: "no stream", contentType: "application/json", body: `{}`, err: "not a stream"},
	} {
		m := newMock()
		m.RegisterResponder(http.MethodPost, runURL+"/stream", func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Accept") != "text/event-stream" {
				t.Errorf("%s: Accept %q", tt.name, r.Header.Get("Accept"))
			}
			resp := httpmock.NewStringResponse(http.StatusOK, tt.body)
			resp.Header.Set("Content-Type", "text/event-stream; charset=utf-8")
			resp.Header.Set("X-Fal-Request-Id", "r-1")
			if tt.contentType != "" {
				resp.Header.Set("Content-Type", tt.contentType)
			}
			return resp, nil
		})
		var seeds []uint64
		var last error
		for out, err := range fal.Stream(t.Context(), m.client, request) {
			if last != nil {
				t.Errorf("%s: something came after the error", tt.name)
			}
			if last = err; err == nil {
				seeds = append(seeds, out.Seed)
				if out.RequestID != "r-1" {
					t.Errorf("%s: request id %q", tt.name, out.RequestID)
				}
			}
		}
		if diff := cmp.Diff(tt.seeds, seeds); diff != "" {
			t.Errorf("%s: -want +got\n%s", tt.name, diff)
		}
		if (last == nil) != (tt.err == "") || last != nil && !strings.Contains(last.Error(), tt.err) {
			t.Errorf("%s: error = %v, want one with %q", tt.name, last, tt.err)
		}
		if last != nil && fal.RequestID(last) != "r-1" {
			t.Errorf("%s: the error has no request id: %v", tt.name, last)
		}
	}
}
