package webhook

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// Errors of [Verifier.Verify]. Any other says that the keys could not be
// fetched: nothing is known of the call then, and fal will repeat it.
var (
	// ErrSignature says that the call is not signed by fal.
	ErrSignature = errors.New("webhook: the signature is not fal's")
	// ErrTime says that the call was signed more than five minutes ago, or from
	// now: it is a replay, or a clock is wrong.
	ErrTime = errors.New("webhook: the time of the signature is more than five minutes off")
	// ErrBody says that the body is signed by fal and not of the form of a
	// webhook.
	ErrBody = errors.New("webhook: the body is not that of a webhook")
)

// Verifier checks that a call comes from fal. The zero value is ready to use.
// It may be used by many goroutines at once; keep one, since it keeps fal's
// keys.
type Verifier struct {
	// Client says which fal: its Hosts.REST publishes the keys, and its
	// HTTPClient fetches them. Nil means fal's own. No API key is needed, and
	// none is sent.
	Client *fal.Client

	keys keys
}

const maxSkew = 300 * time.Second

// Verify returns the event that a call brought: header and body are those of
// the request, the body as it came. The event's Query is left for the caller to
// set. The error is [ErrSignature], [ErrTime] or [ErrBody], or says why fal's
// keys could not be fetched.
func (v *Verifier) Verify(ctx context.Context, header http.Header, body []byte) (*Event, error) {
	c, err := read(header)
	if err != nil {
		return nil, err
	}
	if off := time.Since(c.sent); off > maxSkew || off < -maxSkew {
		return nil, ErrTime
	}
	if err := v.keys.verify(ctx, v.Client, c.message(body), c.signature); err != nil {
		return nil, err
	}
	e, err := parse(body)
	if err != nil {
		return nil, errors.Join(ErrBody, err)
	}
	e.UserID, e.Sent = c.userID, c.sent
	return e, nil
}

// claim is what the headers of a call say.
type claim struct {
	requestID, userID, timestamp string
	sent                         time.Time
	signature                    []byte
}

// read takes what is signed out of the headers. Whether the request id among
// them is that of the job or of fal's last attempt is unconfirmed, so it is not
// compared.
func read(h http.Header) (c claim, err error) {
	c.requestID, c.userID = h.Get("X-Fal-Webhook-Request-Id"), h.Get("X-Fal-Webhook-User-Id")
	c.timestamp = h.Get("X-Fal-Webhook-Timestamp")
	if !plain(c.requestID) || !plain(c.userID) || len(c.timestamp) > 12 {
		return c, ErrSignature
	}
	seconds, err := strconv.ParseInt(c.timestamp, 10, 64)
	if err != nil {
		return c, ErrSignature
	}
	c.sent = time.Unix(seconds, 0)
	if signature := h.Get("X-Fal-Webhook-Signature"); len(signature) == 2*ed25519.SignatureSize {
		c.signature, err = hex.DecodeString(signature)
		if err == nil {
			return c, nil
		}
	}
	return c, ErrSignature
}

// plain reports whether a text has no line ends or other control characters,
// which would blur where one part of what is signed ends.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// message is what fal signs.
func (c *claim) message(body []byte) []byte {
	sum := sha256.Sum256(body)
	return []byte(c.requestID + "\n" + c.userID + "\n" + c.timestamp + "\n" + hex.EncodeToString(sum[:]))
}
