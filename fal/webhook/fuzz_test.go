package webhook_test

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/webhook"
	"github.com/falimage/falimage-go/flux"
)

// Whatever is signed, and by whatever headers, nothing panics, and nothing is
// handled that is not signed.
func FuzzWebhook(f *testing.F) {
	key := newKey()
	f.Add(okBody, "g-1", "user", int64(0), true)
	f.Add(`{"request_id":"r","status":"ERROR","error":"Invalid status code: 422","payload":{"detail":[{"loc":["body"],"type":"x"}]}}`, "g", "", int64(-300), true)
	f.Add(`{"request_id":"r","payload":{"images":[{"url":1}],"seed":-1}}`, "g", "u", int64(301), true)
	f.Add(`{"request_id":["r"]}`, "g\n", "u", int64(0), false)
	f.Fuzz(func(t *testing.T, body, id, user string, off int64, signed bool) {
		p := &publisher{status: http.StatusOK, keys: []ed25519.PrivateKey{key}}
		handled := false
		h := &webhook.Handler{Client: p.client(), Logger: slog.New(slog.DiscardHandler), Handle: func(ctx context.Context, e *webhook.Event) error {
			handled = true
			if e.RequestID == "" {
				t.Error("an event without an id")
			}
			if e.Payload != nil {
				_, _ = webhook.Into(ctx, e, fal.Resume(p.client(), flux.Pro2{}.Endpoint(), e.RequestID))
			}
			return nil
		}}
		header := sign(key, time.Now().Add(time.Duration(off%1000)*time.Second), id, body)
		if !signed {
			header.Set("X-Fal-Webhook-User-Id", user+"!")
		}
		status := call(t, h, header, body)
		if handled && (!signed || status != http.StatusOK) {
			t.Errorf("handled with status %d", status)
		}
	})
}
