package platform_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/platform"
)

// Pages that lead round in a circle come to an end.
func TestPagesInACircle(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next := "two"
		if r.URL.Query().Get("cursor") == "two" {
			next = "one"
		}
		_, _ = fmt.Fprintf(w, `{"items":[{"request_id":"x"}],"has_more":true,"next_cursor":%q}`, next)
	}))
	t.Cleanup(srv.Close)
	api := platform.API{Client: &fal.Client{Key: fal.NewKey("a:bcdefgh"), Hosts: fal.Hosts{Platform: srv.URL}}}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	n := 0
	var last error
	for _, err := range api.Requests(ctx, platform.RequestQuery{Endpoint: "me/model"}) {
		n, last = n+1, err
	}
	if last == nil || !strings.Contains(last.Error(), "do not come to an end") || n > 10 {
		t.Errorf("%d rows, then %v", n, last)
	}
}
