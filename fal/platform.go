package fal

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// GetPlatform reads from fal's platform API, which knows prices, models and the
// account: path is such as "/v1/models/pricing", query may be nil, and the JSON
// of the answer is stored in the value that out points to. The error is an
// [*Error] if the platform refuses, with RetryAfter where it asks to wait.
//
// It is a door to what has no function of its own here; package pricing reads
// live prices through it.
func (c *Client) GetPlatform(ctx context.Context, path string, query url.Values, out any) error {
	if err := c.ready(ctx); err != nil {
		return err
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#") || strings.Contains(path, "..") {
		return fmt.Errorf("fal: platform: %q: must be a path such as /v1/models/pricing, without a query", shorten(path))
	}
	target := c.hosts.Platform + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	resp, err := c.get(ctx, "platform", target)
	if err != nil {
		return fmt.Errorf("fal: platform: %w", err)
	}
	body, err := readAll(resp, anyResult)
	if err != nil {
		return fmt.Errorf("fal: platform: %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return c.newError("platform", "", resp, body)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("fal: platform: %s: the answer is not as expected: %w", path, err)
	}
	return nil
}
