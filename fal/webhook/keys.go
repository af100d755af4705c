package webhook

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/internal/transport"
)

const (
	// keysKept is how long fal allows its keys to be kept, and keysFresh after
	// what time they are fetched anew if that can be.
	keysKept, keysFresh = 24 * time.Hour, 12 * time.Hour
	// keysPause is how long is waited between two fetches, however many calls
	// ask for it: anybody can send one whose signature matches nothing.
	keysPause = time.Minute
	// keysHurry is the same while there are none.
	keysHurry = 5 * time.Second
	// keysLimit is how long fetching them may take. Fal waits 15 seconds for the
	// answer to the call.
	keysLimit = 5 * time.Second
	// maxKeys is how many keys are looked at, and maxKeySet how long a set is.
	maxKeys, maxKeySet = 16, 64 << 10
)

// keys are fal's public keys, as they were fetched last.
type keys struct {
	mu      sync.Mutex
	list    []ed25519.PublicKey
	fetched time.Time     // when those were
	tried   time.Time     // when that was tried last
	err     error         // of the last try
	busy    chan struct{} // closed when the try under way has ended
}

// verify returns nil if a key of fal's has signed the message. If none of those
// that are kept has, they are fetched once more.
func (k *keys) verify(ctx context.Context, c *fal.Client, message, signature []byte) error {
	list, fetched, err := k.get(ctx, c, time.Time{})
	if err != nil {
		return err
	}
	if signed(list, message, signature) {
		return nil
	}
	list, again, _ := k.get(ctx, c, fetched)
	if !again.Equal(fetched) && signed(list, message, signature) {
		return nil
	}
	return ErrSignature
}

func signed(list []ed25519.PublicKey, message, signature []byte) bool {
	for _, key := range list {
		if ed25519.Verify(key, message, signature) {
			return true
		}
	}
	return false
}

// get returns the keys, and fetches them where that is due: they are old, or
// those of the time seen were not enough.
func (k *keys) get(ctx context.Context, c *fal.Client, seen time.Time) ([]ed25519.PublicKey, time.Time, error) {
	for waited := false; ; waited = true { // once is enough
		k.mu.Lock()
		age := time.Since(k.fetched)
		wanted := !waited && (age >= keysFresh || k.fetched.Equal(seen))
		usable := age < keysKept
		busy, pause := k.busy, keysPause
		if !usable {
			pause = keysHurry
		}
		switch {
		case wanted && busy == nil && time.Since(k.tried) >= pause:
			busy = make(chan struct{})
			k.busy, k.tried = busy, time.Now()
			// Not under the context of the call that happens to ask.
			go k.fetch(context.WithoutCancel(ctx), c, busy)
		case wanted && busy != nil: // wait for it
		case usable:
			list, fetched := k.list, k.fetched
			k.mu.Unlock()
			return list, fetched, nil
		default:
			err := k.err
			k.mu.Unlock()
			return nil, time.Time{}, err
		}
		k.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, time.Time{}, ctx.Err()
		}
	}
}

func (k *keys) fetch(ctx context.Context, c *fal.Client, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, keysLimit)
	defer cancel()
	list, err := fetchKeys(ctx, c)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err = err; err == nil {
		k.list, k.fetched = list, time.Now()
	}
	k.busy = nil
	close(done)
}

// fetchKeys reads the keys where fal publishes them.
func fetchKeys(ctx context.Context, c *fal.Client) ([]ed25519.PublicKey, error) {
	if c == nil {
		c = &fal.Client{}
	}
	base := strings.TrimRight(cmp.Or(c.Hosts.REST, "https://rest.fal.ai"), "/")
	address, err := url.Parse(base + "/.well-known/jwks.json")
	if err != nil {
		return nil, errors.New("webhook: Client.Hosts.REST is not a URL")
	}
	config := transport.Config{HTTPClient: c.HTTPClient, Logger: c.Logger, Retry: transport.Policy(c.Retry), UserAgent: "falimage-go"}
	if c.Hosts.REST != "" {
		config.Trusted = []string{address.Scheme + "://" + address.Host}
	}
	t := transport.New(config)
	if !t.Trusts(address) {
		return nil, errors.New("webhook: keys are taken from https addresses alone, or from this machine: " + address.Scheme + "://" + address.Host + " is neither")
	}
	resp, err := t.Send(ctx, &transport.Request{Class: transport.Read, Method: http.MethodGet, URL: address.String(), Endpoint: "webhook", Timeout: keysLimit})
	if err != nil {
		return nil, fmt.Errorf("webhook: fal's keys could not be fetched: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet))
	if err != nil {
		return nil, fmt.Errorf("webhook: fal's keys could not be fetched: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("webhook: fal's keys could not be fetched: status %d", resp.StatusCode)
	}
	return parseKeys(body)
}

// parseKeys reads a set of keys. Those of other kinds are passed over.
func parseKeys(body []byte) ([]ed25519.PublicKey, error) {
	var set struct {
		Keys []struct {
			Kty string `json:"kty"`
			Crv string `json:"crv"`
			X   string `json:"x"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, errors.New("webhook: fal's keys could not be fetched: the answer is not JSON")
	}
	var list []ed25519.PublicKey
	for _, k := range set.Keys {
		if k.Kty != "" && k.Kty != "OKP" || k.Crv != "" && k.Crv != "Ed25519" || len(list) == maxKeys {
			continue
		}
		key, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(k.X, "="))
		if err == nil && len(key) == ed25519.PublicKeySize {
			list = append(list, key)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("webhook: fal publishes no Ed25519 key")
	}
	return list, nil
}
