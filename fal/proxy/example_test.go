package proxy_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/proxy"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// A site lets its users call one model, each within a budget. What a page sends
// has no key, and what comes back has none.
func ExampleHandler() {
	srv := faltest.New()
	defer srv.Close()
	client := srv.Client()
	client.Guard = &spend.Budget{Limits: []spend.Limit{{Amount: pricing.Cent, Tag: spend.Tag{Name: "user"}}}}
	site := httptest.NewServer(&proxy.Handler{
		Client:    client,
		Endpoints: []string{"fal-ai/flux/schnell"},
		Decode:    flux.Decode,
		User: func(r *http.Request) (string, error) {
			if user := r.Header.Get("X-Session"); user != "" {
				return user, nil
			}
			return "", errors.New("no session")
		},
	})
	defer site.Close()

	ask := func(endpoint, body, session string) {
		r, err := http.NewRequest(http.MethodPost, site.URL, strings.NewReader(body)) //nolint:noctx // an example
		if err != nil {
			fmt.Println(err)
			return
		}
		r.Header.Set("X-Fal-Target-Url", "https://fal.run/"+endpoint)
		r.Header.Set("X-Session", session)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		fmt.Println(resp.StatusCode, strings.Contains(string(answer), `"images"`), err)
	}
	ask("fal-ai/flux/schnell", `{"prompt": "a fox in the snow"}`, "ann")
	ask("fal-ai/flux/schnell", `{"prompt": "a fox in the snow", "num_images": 4}`, "ann") // beyond the budget
	ask("fal-ai/flux/dev", `{"prompt": "a fox in the snow"}`, "ann")
	ask("fal-ai/flux/schnell", `{"prompt": "a fox in the snow"}`, "")

	// Output:
	// 200 true <nil>
	// 402 false <nil>
	// 403 false <nil>
	// 401 false <nil>
}
