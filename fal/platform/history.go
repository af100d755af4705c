package platform

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// RequestQuery says which past requests to list. Endpoint is required.
type RequestQuery struct {
	Span
	Endpoint string
	// RequestID asks for one request; the span then begins 90 days ago unless
	// it is given.
	RequestID string
	Status    string // "success", "error" or "user_error"; "" is all
	// Payloads asks for Input and Output of each request.
	Payloads bool
	// Longest lists those that took longest first; else it is those that ended
	// last.
	Longest bool
	// PageSize is how many come with one call, at most 100; 0 is 50.
	PageSize int
}

// Request is a past request.
type Request struct {
	ID         string      `json:"request_id"`
	Endpoint   string      `json:"endpoint_id"`
	Sent       Time        `json:"sent_at"`
	Started    Time        `json:"started_at"`
	Ended      Time        `json:"ended_at"` // zero while it is under way, if it is listed then (unconfirmed)
	StatusCode int         `json:"status_code"`
	Duration   json.Number `json:"duration"` // in seconds
	// Input and Output are what was sent and what came back, if asked for. The
	// platform has them for 30 days, and not of requests by
	// [fal.WithoutStorage].
	Input  json.RawMessage `json:"json_input"`
	Output json.RawMessage `json:"json_output"`
}

// Requests lists past requests to an endpoint, direct calls included.
func (a API) Requests(ctx context.Context, q RequestQuery) iter.Seq2[Request, error] {
	if q.Endpoint == "" {
		return failed[Request](errors.New("platform: RequestQuery.Endpoint is not set: it is required"))
	}
	query := url.Values{"endpoint_id": {q.Endpoint}}
	put(query, "request_id", q.RequestID)
	put(query, "status", q.Status)
	if q.Payloads {
		query.Set("expand", "payloads")
	}
	if q.Longest {
		query.Set("sort_by", "duration")
	}
	if err := errors.Join(limited(query, q.PageSize, 100), q.check()); err != nil {
		return failed[Request](err)
	}
	return each(func(yield func(iter.Seq2[Request, error]) bool) {
		for query := range q.parts(query) {
			if !yield(pages[Request](ctx, a.call, "/v1/models/requests/by-endpoint", query, "items")) {
				return
			}
		}
	})
}

// SearchQuery says what to look for among past requests to all endpoints: a
// text, or what looks like a picture or a video.
type SearchQuery struct {
	Text, ImageURL, VideoURL string // one of them
	// MinSimilarity is from 0 to 1; 0 is as the platform likes.
	MinSimilarity float64
	// APIOnly leaves out what was made on fal's pages.
	APIOnly bool
}

// Search lists past requests that are like what is looked for.
func (a API) Search(ctx context.Context, q SearchQuery) iter.Seq2[Request, error] {
	query := make(url.Values)
	put(query, "query", q.Text)
	put(query, "image_url", q.ImageURL)
	put(query, "video_url", q.VideoURL)
	if len(query) != 1 {
		return failed[Request](errors.New("platform: SearchQuery: one of Text, ImageURL and VideoURL must be set"))
	}
	if q.MinSimilarity != 0 {
		if !(q.MinSimilarity > 0 && q.MinSimilarity <= 1) {
			return failed[Request](errors.New("platform: SearchQuery.MinSimilarity: must be 0 to 1"))
		}
		query.Set("min_similarity", strconv.FormatFloat(q.MinSimilarity, 'f', -1, 64))
	}
	if q.APIOnly {
		query.Set("only_api_requests", "true")
	}
	return pages[Request](ctx, a.call, "/v1/models/requests/search", query, "items")
}

// Deletion is what became of one file of a request.
type Deletion struct {
	URL   string `json:"link"`
	Error string `json:"exception"` // "" if it is gone
}

// DeletePayloads deletes what the platform keeps of a request: what was sent,
// what came back, and the files that were made, but not those that were sent
// along. It cannot be undone, and needs a key with admin scope.
func (a API) DeletePayloads(ctx context.Context, requestID string) ([]Deletion, error) {
	path, err := pathOf("/v1/models/requests/", requestID, "/payloads")
	if err != nil {
		return nil, err
	}
	var answer struct {
		Results []Deletion `json:"cdn_delete_results"`
	}
	err = a.admin(ctx, http.MethodDelete, path, nil, nil, &answer)
	return answer.Results, err
}

// pathOf puts an id into a path.
func pathOf(before, id, after string) (string, error) {
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return "", errors.New("platform: " + strconv.Quote(id) + " is not an id: it must be letters, digits, hyphens and underscores")
		}
	}
	if id == "" {
		return "", errors.New("platform: the id is empty")
	}
	return before + id + after, nil
}

// UnmarshalJSON reads a request as the platform sends it. A payload that is null
// is nil.
func (r *Request) UnmarshalJSON(data []byte) error {
	type plain Request
	if err := json.Unmarshal(data, (*plain)(r)); err != nil {
		return err
	}
	for _, payload := range []*json.RawMessage{&r.Input, &r.Output} {
		if string(*payload) == "null" {
			*payload = nil
		}
	}
	return nil
}
