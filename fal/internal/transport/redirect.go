package transport

import (
	"errors"
	"fmt"
	"net/http"
)

// errRefused says that a redirect is not followed or a download not begun, and
// will not be next time.
var errRefused = errors.New("refused")

// redirectPolicy follows redirects of reads alone, at most ten, and never from
// https to http. What else the user's own policy refuses is refused.
func redirectPolicy(users func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		first := via[0]
		if first.Method != http.MethodGet && first.Method != http.MethodHead {
			return http.ErrUseLastResponse
		}
		if len(via) >= 10 {
			return fmt.Errorf("%w: more than 10 redirects", errRefused)
		}
		if last := via[len(via)-1]; last.URL.Scheme == "https" && req.URL.Scheme != "https" {
			return fmt.Errorf("%w: redirect from https to %s", errRefused, req.URL.Scheme)
		}
		if users == nil {
			return nil
		}
		err := users(req, via)
		if err != nil && !errors.Is(err, http.ErrUseLastResponse) {
			err = fmt.Errorf("redirect %w: %w", errRefused, err)
		}
		return err
	}
}
