package spend_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jarcoal/httpmock"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// A budget that may look sets aside what a remote picture costs, and one that
// may not says why it asks for so much and what would lower it.
func TestBudgetMeasures(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	client := srv.Client()
	var buf bytes.Buffer
	if err := png.Encode(&buf, image.NewGray(image.Rect(0, 0, 1500, 1000))); err != nil { // 2 MP
		t.Fatal(err)
	}
	file, err := client.Upload(t.Context(), fal.Bytes(buf.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	address, _ := file.URL()
	gone := httptest.NewServer(http.NotFoundHandler())
	defer gone.Close()
	edit := func(urls ...string) fal.Usage {
		u := fal.Usage{Endpoint: "fal-ai/flux-2-pro/edit", Outputs: 1, Size: fal.SquareHD}
		for _, url := range urls {
			u.Inputs = append(u.Inputs, fal.URL(url))
		}
		return u
	}
	for name, tt := range map[string]struct {
		measure *fal.Client
		usage   fal.Usage
		asked   string // refused for as much as this
		likely  string
	}{
		"by looking":                 {client, edit(address), "$0.06", "$0.00"},
		"without":                    {nil, edit(address), "$0.09", "$0.09"},
		"one that is not there":      {client, edit(address, gone.URL+"/a.png"), "$0.12", "$0.12"},
		"neither of which is looked": {nil, edit(address, gone.URL+"/a.png"), "$0.15", "$0.15"},
	} {
		b := &spend.Budget{Measure: tt.measure, Limits: []spend.Limit{{Amount: 5 * pricing.Cent}}}
		_, err := b.Reserve(t.Context(), tt.usage, nil)
		e, ok := errors.AsType[*spend.BudgetError](err)
		if !ok || e.Asked.String() != tt.asked || e.Expected.String() != tt.likely || (len(e.Unknowns) > 0) != (e.Expected > 0) {
			t.Errorf("%s: %+v", name, err)
			continue
		}
		if told := strings.Contains(err.Error(), "File.Sized, or have it measured"); told != (e.Expected > 0) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b := &spend.Budget{Measure: client, Limits: []spend.Limit{{Amount: 6 * pricing.Cent}}}
	if _, err := b.Reserve(t.Context(), edit(address), nil); err != nil || b.Reserved() != 6*pricing.Cent {
		t.Errorf("%v is set aside, %v", b.Reserved(), err)
	}
	if _, err := b.Reserve(t.Context(), fal.Usage{Endpoint: "our/model", Outputs: 1}, nil); !errors.Is(err, pricing.ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
}

// Looking ends with the context.
func TestBudgetMeasuresByContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	slow := httpmock.NewMockTransport()
	slow.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
		cancel()
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	b := &spend.Budget{Measure: &fal.Client{Key: fal.NewKey("id:secret"), HTTPClient: &http.Client{Transport: slow}}}
	u := fal.Usage{Endpoint: "fal-ai/flux-2-pro/edit", Outputs: 1, Size: fal.SquareHD, Inputs: []fal.File{fal.URL("https://x.example/a.png")}}
	if _, err := b.Reserve(ctx, u, nil); !errors.Is(err, context.Canceled) || b.Reserved() != 0 {
		t.Errorf("got %v, %v is set aside", err, b.Reserved())
	}
	if _, err := b.Reserve(ctx, proUsage, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context: %v", err)
	}
}
