package riverbatch

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"

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

var (
	errForged = errors.New("riverbatch: the address that was called is not one of this batch")
	errAtWork = errors.New("riverbatch: a worker is at the item: to be called again")
)

// Receiver returns the http.Handler for the addresses of [Journal.Webhook]; its fields
// may be set before its first use. What fal calls completes the item, as [batch.Deliver]
// does: result, files and bill are kept by who receives, and the job in River is woken to
// end. That may be another process than the workers, with a Worker of the same fields
// that is not given to River. Of an item whose answer was lost the journal gets to know
// the request id. While a worker is at the item, fal is asked to call again; a call that
// never comes is made up for by the worker, which looks at the item from time to time.
func (w *Worker[Out]) Receiver() *webhook.Handler {
	h := new(webhook.Handler)
	j, err := w.ready()
	if err == nil {
		h.Client = w.Runner.Client
	}
	h.Handle = func(ctx context.Context, e *webhook.Event) error {
		if err != nil {
			return err
		}
		key := e.Query.Get("key")
		if !hmac.Equal([]byte(e.Query.Get("sign")), []byte(j.sign(key))) {
			return errForged
		}
		if err := w.deliver(ctx, key, e); err != nil {
			return err
		}
		return j.fail(again(ctx, func(bool) error { return j.wake(ctx, key) }))
	}
	return h
}

// deliver completes an item.
func (w *Worker[Out]) deliver(ctx context.Context, key string, e *webhook.Event) error {
	it, err := w.j.claim(ctx, key, w.lease())
	if _, held := errors.AsType[heldError](err); held {
		return errors.Join(errAtWork, batch.Received(ctx, w.j, key, e.RequestID))
	}
	if errors.Is(err, errFinished) {
		return nil
	}
	if err != nil {
		return err
	}
	kept, stop := it.keep(ctx)
	_, err = batch.Deliver[Out](kept, w.Runner, key, e)
	stop()
	return errors.Join(err, it.release(ctx, false)) // the job says that it is finished
}
