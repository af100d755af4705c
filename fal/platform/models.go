package platform

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"strings"
)

// ModelQuery says which models to list. Without any field set, it is all.
type ModelQuery struct {
	Endpoints []string // ids; without any, all that the other fields let pass
	Search    string   // words in name, description and the like
	Category  string   // such as "text-to-image"
	Status    string   // "active" or "deprecated"
	// OpenAPI and Enterprise ask for these fields of a [Model].
	OpenAPI, Enterprise bool
	// PageSize is how many come with one call; 0 is as the platform likes.
	PageSize int
}

// Model is what the platform tells of an endpoint.
type Model struct {
	Endpoint string   `json:"endpoint_id"`
	Metadata Metadata `json:"metadata"`
	// OpenAPI is the endpoint's own description, if it was asked for; package
	// schema reads the fields out of it. A description that the platform could
	// not make is an object with an error.
	OpenAPI json.RawMessage `json:"openapi"`
	// EnterpriseStatus is "" unless it was asked for.
	EnterpriseStatus string `json:"enterprise_status"`
}

// Metadata is what the platform's pages tell of an endpoint.
type Metadata struct {
	DisplayName  string   `json:"display_name"`
	Category     string   `json:"category"`
	Description  string   `json:"description"`
	Status       string   `json:"status"` // "active" or "deprecated"
	Tags         []string `json:"tags"`
	Updated      Time     `json:"updated_at"`
	Published    Time     `json:"date"`
	ModelURL     string   `json:"model_url"`
	ThumbnailURL string   `json:"thumbnail_url"`
	StreamURL    string   `json:"stream_url"`
	LicenseType  string   `json:"license_type"`
	Kind         string   `json:"kind"` // "inference" or "training"
	// DurationEstimate is how many minutes it takes (the unit is unconfirmed).
	DurationEstimate json.Number `json:"duration_estimate"`
	Highlighted      bool        `json:"highlighted"`
	Pinned           bool        `json:"pinned"`
}

// Models lists models. It needs no key, though one raises the rate limit. An
// endpoint that was asked for by its id and that the platform does not have is
// left out (unconfirmed).
func (a API) Models(ctx context.Context, q ModelQuery) iter.Seq2[Model, error] {
	query := make(url.Values)
	put(query, "q", q.Search)
	put(query, "category", q.Category)
	put(query, "status", q.Status)
	if err := limited(query, q.PageSize, 1000); err != nil {
		return failed[Model](err)
	}
	var expand []string
	if q.OpenAPI {
		expand = append(expand, "openapi-3.0")
	}
	if q.Enterprise {
		expand = append(expand, "enterprise_status")
	}
	put(query, "expand", strings.Join(expand, ","))
	return each(func(yield func(iter.Seq2[Model, error]) bool) {
		for query := range inParts(query, "endpoint_id", q.Endpoints) {
			if !yield(pages[Model](ctx, a.call, "/v1/models", query, "models")) {
				return
			}
		}
	})
}
