package webhook_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// publisher stands in for fal: it has keys and publishes them, without a socket,
// so that it works in virtual time.
type publisher struct {
	mu      sync.Mutex
	keys    []ed25519.PrivateKey
	fetches int
	status  int
	auth    string // what credentials came along
	pad     string // after each key
	raw     string // what is answered instead, if it is not empty
}

func newKey() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	return key
}

func (p *publisher) set(status int, keys ...ed25519.PrivateKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.keys = status, keys
}

func (p *publisher) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches
}

// RoundTrip answers with the keys.
func (p *publisher) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetches++
	p.auth += r.Header.Get("Authorization")
	w := httptest.NewRecorder()
	if r.URL.String() != "https://rest.fal.ai/.well-known/jwks.json" {
		w.WriteHeader(http.StatusNotFound)
		return w.Result(), nil
	}
	w.WriteHeader(p.status)
	list := []map[string]string{{"kty": "RSA", "x": "AAAA"}, {"kty": "OKP", "crv": "Ed25519", "x": "short"}}
	for _, k := range p.keys {
		public, _ := k.Public().(ed25519.PublicKey)
		list = append(list, map[string]string{"kty": "OKP", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(public) + p.pad})
	}
	body, err := json.Marshal(map[string]any{"keys": list})
	if p.raw != "" {
		body = []byte(p.raw)
	}
	_, _ = w.Write(body)
	return w.Result(), err
}

func (p *publisher) client() *fal.Client {
	return &fal.Client{Key: fal.NewKey("id:secret"), HTTPClient: &http.Client{Transport: p}, Retry: fal.Retry{MaxAttempts: 1}}
}

// sign returns the headers of a call.
func sign(key ed25519.PrivateKey, at time.Time, requestID, body string) http.Header {
	return signAs(key, strconv.FormatInt(at.Unix(), 10), requestID, body)
}

// signAs is sign with the time in these digits.
func signAs(key ed25519.PrivateKey, seconds, requestID, body string) http.Header {
	sum := sha256.Sum256([]byte(body))
	h := http.Header{}
	h.Set("X-Fal-Webhook-Request-Id", requestID)
	h.Set("X-Fal-Webhook-User-Id", "user")
	h.Set("X-Fal-Webhook-Timestamp", seconds)
	message := requestID + "\nuser\n" + seconds + "\n" + hex.EncodeToString(sum[:])
	h.Set("X-Fal-Webhook-Signature", hex.EncodeToString(ed25519.Sign(key, []byte(message))))
	return h
}

// call calls a handler as fal does, and returns the status it sees.
func call(t *testing.T, h http.Handler, header http.Header, body string) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hook?order=7", strings.NewReader(body))
	r.Header = header.Clone()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	answer, _ := io.ReadAll(w.Body)
	if strings.Contains(string(answer), "webhook") {
		t.Errorf("the answer says too much: %s", answer)
	}
	return w.Code
}

const okBody = `{"request_id":"r-1","gateway_request_id":"g-1","status":"OK","payload":{"images":[]}}`
