package riverbatch

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/webhook"
)

// Webhook returns a function for the Webhook of a batch.Runner: the address that fal
// calls when the item with a key is done, which is base with a query. The query is signed
// with a secret of the batch, so that nobody else can name an item.
func (j *Journal) Webhook(base string) (func(key string) string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("riverbatch: the address of webhooks, %.80q: must be one of http or https", base)
	}
	return func(key string) string {
		at := *u
		q := at.Query()
		q.Set("key", key)
		q.Set("sign", j.sign(key))
		at.RawQuery = q.Encode()
		return at.String()
	}, nil
}

// sign signs a key.
func (j *Journal) sign(key string) string {
	h := hmac.New(sha256.New, j.secret)
	_, _ = h.Write([]byte(key)) // never fails
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

var errForged = errors.New("riverbatch: the address that was called is not one of this batch")

// Receiver returns the http.Handler for the addresses of [Journal.Webhook]; its fields
// may be set before its first use. It tells the journal the request id, which is that
// of an item whose answer was lost, and wakes the job in River, so that some worker
// takes the result. Any machine may receive, whoever submitted. A call that never comes
// is made up for by the worker, which looks at the item from time to time.
func (j *Journal) Receiver(c *fal.Client) *webhook.Handler {
	return &webhook.Handler{Client: c, Handle: func(ctx context.Context, e *webhook.Event) error {
		key := e.Query.Get("key")
		if !hmac.Equal([]byte(e.Query.Get("sign")), []byte(j.sign(key))) {
			return errForged
		}
		if err := batch.Received(ctx, j, key, e.RequestID); err != nil {
			return err
		}
		return j.fail(again(ctx, func(bool) error { return j.wake(ctx, key) }))
	}}
}
