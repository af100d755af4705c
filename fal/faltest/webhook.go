package faltest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"time"
)

// webhookUser is the account that the webhooks of this server are signed for.
const webhookUser = "faltest-user"

// What fal's documentation says of webhooks: how long one call may take, and
// how often it is repeated. The time between two calls is that of fal's divided
// by some hundred: it doubles from webhookWait.
const (
	webhookLimit   = 15 * time.Second
	webhookRepeats = 10
	webhookWait    = 100 * time.Millisecond
)

// SignWebhook returns the headers with which this server would call a webhook
// with the given body now. Request id and body may be anything: tests of a
// receiver make their own calls with it.
func (s *Server) SignWebhook(requestID string, body []byte) http.Header {
	sum := sha256.Sum256(body)
	now := strconv.FormatInt(time.Now().Unix(), 10) // not the Clock: receivers have their own
	message := requestID + "\n" + webhookUser + "\n" + now + "\n" + hex.EncodeToString(sum[:])
	return http.Header{
		"Content-Type":             {"application/json"},
		"X-Fal-Webhook-Request-Id": {requestID},
		"X-Fal-Webhook-User-Id":    {webhookUser},
		"X-Fal-Webhook-Timestamp":  {now},
		"X-Fal-Webhook-Signature":  {hex.EncodeToString(ed25519.Sign(s.signer, []byte(message)))},
	}
}

// newSigner returns the key that a server signs its webhooks with.
func newSigner() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(nil)
	must(err == nil, "no random numbers: %v", err)
	return key
}

// serveKeys serves the public keys of webhooks: that of this server, and before
// it one that signs nothing, as an old one of fal's would.
func (s *Server) serveKeys(w http.ResponseWriter) {
	type key struct {
		Kty string `json:"kty"`
		Crv string `json:"crv"`
		X   string `json:"x"`
	}
	public := func(k ed25519.PrivateKey) key {
		return key{"OKP", "Ed25519", base64.RawURLEncoding.EncodeToString(k[ed25519.PrivateKeySize-ed25519.PublicKeySize:])}
	}
	writeJSON(w, http.StatusOK, map[string]any{"keys": []key{public(s.oldSigner), public(s.signer)}})
}

// onLoopback reports whether a webhook is on this machine. No other is called:
// what is tried out here must not reach anybody.
func onLoopback(callback string) bool {
	u, err := url.Parse(callback)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// callLater calls the webhook of a job when that ends, again and again until it
// is acknowledged, as fal does: any status of 2xx acknowledges, a redirect is
// final.
func (s *Server) callLater(j *job, callback string) {
	if !onLoopback(callback) {
		s.doubt("%s: fal_webhook is not on a loopback address: it is not called", j.endpoint)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.stopped:
		return
	default:
	}
	s.callers.Go(func() {
		for s.lasts(j, j.ends) {
			// The clock may be one that a test moves.
			if !s.pause(min(j.ends.Sub(s.now()), webhookWait), j.changed) {
				return
			}
		}
		s.mu.Lock()
		body := webhookBody(j)
		s.mu.Unlock()
		wait := webhookWait
		for attempt := range webhookRepeats + 1 {
			if attempt > 0 && !s.pause(wait<<(attempt-1), nil) {
				return
			}
			status := s.callWebhook(j, callback, body)
			if status/100 == 2 {
				return
			}
			if status/100 == 3 || attempt == webhookRepeats {
				s.doubt("%s: the webhook of request %s was given up after %d calls: status %d", j.endpoint, j.id, attempt+1, status)
				return
			}
		}
	})
}

// pause waits, but no longer than the server lasts, and until the job changes,
// if there is one.
func (s *Server) pause(d time.Duration, changed <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case <-s.stopped:
		return false
	}
	return true
}

// webhookBody tells how a job ended. That one which is cancelled is told of is
// unconfirmed. The lock is held.
func webhookBody(j *job) []byte {
	body := map[string]any{"request_id": j.id, "gateway_request_id": j.id, "status": "OK"}
	if j.result.status >= 400 {
		body["status"], body["error"] = "ERROR", fmt.Sprintf("Invalid status code: %d", j.result.status)
	}
	if body["payload"] = json.RawMessage(j.result.body); !json.Valid(j.result.body) {
		body["payload"], body["payload_error"] = nil, "The payload is not serializable"
	}
	return mustJSON(body)
}

// callWebhook makes one call, as far as no fault prevents it, and returns the
// status that fal gets to see; 0 if it sees none.
func (s *Server) callWebhook(j *job, callback string, body []byte) (status int) {
	ctx, cancel := context.WithTimeout(context.Background(), webhookLimit)
	defer cancel()
	go func() {
		select {
		case <-s.stopped:
			cancel()
		case <-ctx.Done():
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, callback, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header = s.SignWebhook(j.id, body)
	defer func() {
		if recover() != nil { // a fault closed the connection
			status = 0
		}
	}()
	answer := httptest.NewRecorder()
	answer.Code = 0
	s.faulty(answer, req, OpWebhook, j.endpoint, func(w http.ResponseWriter) {
		s.count(func(l *Ledger) { l.Webhooks++ })
		resp, err := webhookClient.Do(req)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
		w.WriteHeader(resp.StatusCode)
	})
	return answer.Code
}

// webhookClient calls webhooks on this machine, whose certificates nobody
// vouches for.
var webhookClient = &http.Client{
	Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}
