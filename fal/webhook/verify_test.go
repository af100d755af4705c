package webhook_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/webhook"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		key, other := newKey(), newKey()
		p := &publisher{status: http.StatusOK, keys: []ed25519.PrivateKey{other, key}, pad: "="}
		v := &webhook.Verifier{Client: p.client()}
		now := time.Now()
		good := sign(key, now, "g-1", okBody)
		with := func(name, value string) http.Header {
			h := good.Clone()
			h.Set("X-Fal-Webhook-"+name, value)
			return h
		}
		for name, tt := range map[string]struct {
			header http.Header
			body   string
			want   error
		}{
			"good":                     {good, okBody, nil},
			"by the other key":         {sign(other, now, "g-1", okBody), okBody, nil},
			"five minutes old":         {sign(key, now.Add(-300*time.Second), "g-1", okBody), okBody, nil},
			"five minutes ahead":       {sign(key, now.Add(300*time.Second), "g-1", okBody), okBody, nil},
			"older":                    {sign(key, now.Add(-301*time.Second), "g-1", okBody), okBody, webhook.ErrTime},
			"further ahead":            {sign(key, now.Add(301*time.Second), "g-1", okBody), okBody, webhook.ErrTime},
			"another body":             {good, okBody + " ", webhook.ErrSignature},
			"another id":               {with("Request-Id", "g-2"), okBody, webhook.ErrSignature},
			"another user":             {with("User-Id", "someone"), okBody, webhook.ErrSignature},
			"another time":             {with("Timestamp", "946684801"), okBody, webhook.ErrSignature},
			"time in words":            {with("Timestamp", "now"), okBody, webhook.ErrSignature},
			"time of many digits":      {with("Timestamp", strings.Repeat("0", 10)+"946684800"), okBody, webhook.ErrSignature},
			"short signature":          {with("Signature", "00"), okBody, webhook.ErrSignature},
			"no hexadecimal signature": {with("Signature", strings.Repeat("x", 128)), okBody, webhook.ErrSignature},
			"id with a space":          {sign(key, now, "g 1", okBody), okBody, nil},
			"signed with a line end":   {sign(key, now, "g\n1", okBody), okBody, webhook.ErrSignature},
			"signed with a delete":     {sign(key, now, "g\x7f1", okBody), okBody, webhook.ErrSignature},
			"time of twelve digits":    {signAs(key, "000946684800", "g-1", okBody), okBody, nil},
			"time of thirteen digits":  {signAs(key, "0000946684800", "g-1", okBody), okBody, webhook.ErrSignature},
			"id with a line end":       {with("Request-Id", "g\n1"), okBody, webhook.ErrSignature},
			"nothing":                  {http.Header{}, okBody, webhook.ErrSignature},
			"by a key of nobody":       {sign(newKey(), now, "g-1", okBody), okBody, webhook.ErrSignature},
			"not JSON":                 {sign(key, now, "g-1", "x"), "x", webhook.ErrBody},
			"no id":                    {sign(key, now, "g-1", "{}"), "{}", webhook.ErrBody},
			"an id of 200 letters":     {sign(key, now, "g-1", `{"request_id":"`+strings.Repeat("r", 200)+`"}`), `{"request_id":"` + strings.Repeat("r", 200) + `"}`, nil},
			"a long id":                {sign(key, now, "g-1", `{"request_id":"`+strings.Repeat("r", 201)+`"}`), `{"request_id":"` + strings.Repeat("r", 201) + `"}`, webhook.ErrBody},
		} {
			e, err := v.Verify(t.Context(), tt.header, []byte(tt.body))
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) || (e == nil) != (err != nil) {
				t.Errorf("%s: %v, %v, want %v", name, e, err, tt.want)
			}
		}
		if p.auth != "" {
			t.Errorf("the keys were fetched with credentials")
		}
	})
}

func TestEvent(t *testing.T) {
	t.Parallel()
	key := newKey()
	p := &publisher{status: http.StatusOK, keys: []ed25519.PrivateKey{key}}
	v := &webhook.Verifier{Client: p.client()}
	for body, want := range map[string]webhook.Event{
		okBody: {RequestID: "r-1", GatewayRequestID: "g-1", Payload: []byte(`{"images":[]}`)},
		`{"request_id":"r","status":"ERROR","error":"Invalid status code: 422","payload":{"detail":[]}}`: {
			RequestID: "r", Failed: true, Error: "Invalid status code: 422", Payload: []byte(`{"detail":[]}`),
		},
		`{"request_id":"r","status":"OK","payload":null,"payload_error":"too large"}`:    {RequestID: "r", PayloadError: "too large"},
		`{"request_id":"r","status":"FAILED"}`:                                           {RequestID: "r", Failed: true},
		`{"request_id":"r","status":"OK","error":{"a":1},"gateway_request_id":7}`:        {RequestID: "r", Failed: true, Error: `{"a":1}`},
		`{"request_id":"r","status":"OK","payload":{},"payload_error":null,"new":[1,2]}`: {RequestID: "r", Payload: []byte(`{}`)},
	} {
		now := time.Now().Truncate(time.Second)
		got, err := v.Verify(t.Context(), sign(key, now, "g-1", body), []byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		want.UserID, want.Sent = "user", now
		if diff := cmp.Diff(want, *got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: -want +got\n%s", body, diff)
		}
	}
}

// Keys are fetched seldom: once for any number of calls, again after half a day,
// and once a minute for calls that no key has signed.
func TestKeysAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		key, next := newKey(), newKey()
		p := &publisher{status: http.StatusOK, keys: []ed25519.PrivateKey{key}}
		v := &webhook.Verifier{Client: p.client()}
		verify := func(k ed25519.PrivateKey) error {
			_, err := v.Verify(t.Context(), sign(k, time.Now(), "g", okBody), []byte(okBody))
			return err
		}
		check := func(step string, err, want error, fetches int) {
			t.Helper()
			if !errors.Is(err, want) || (err == nil) != (want == nil) || p.count() != fetches {
				t.Errorf("%s: %v after %d fetches, want %v after %d", step, err, p.count(), want, fetches)
			}
		}
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { check("at once", verify(key), nil, 1) })
		}
		all.Wait()
		check("forged within the minute", verify(next), webhook.ErrSignature, 1)
		time.Sleep(time.Minute)
		check("forged", verify(next), webhook.ErrSignature, 2)
		check("forged again", verify(next), webhook.ErrSignature, 2)
		p.set(http.StatusOK, key, next)
		time.Sleep(time.Minute)
		check("a new key", verify(next), nil, 3)
		time.Sleep(12*time.Hour - time.Second)
		check("kept", verify(key), nil, 3)
		p.set(http.StatusInternalServerError)
		time.Sleep(time.Second)
		check("old, not to be had anew", verify(key), nil, 4)
		time.Sleep(12*time.Hour - time.Second)
		check("older", verify(key), nil, 5)
		time.Sleep(time.Second) // a day, to the second
		if err := verify(key); err == nil || errors.Is(err, webhook.ErrSignature) {
			t.Errorf("too old: %v", err)
		}
		p.set(http.StatusOK, key)
		time.Sleep(4*time.Second - time.Nanosecond) // five seconds after the last try
		if err := verify(key); err == nil || p.count() != 5 {
			t.Errorf("too soon: %v after %d fetches", err, p.count())
		}
		time.Sleep(time.Nanosecond)
		check("to be had again", verify(key), nil, 6)
		time.Sleep(time.Minute - time.Nanosecond)
		check("forged within the minute", verify(next), webhook.ErrSignature, 6)
	})
}

// Without keys nothing is known of a signature, and it is not said to be wrong.
func TestNoKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		key := newKey()
		p := &publisher{status: http.StatusOK}
		v := &webhook.Verifier{Client: p.client()}
		_, err := v.Verify(t.Context(), sign(key, time.Now(), "g", okBody), []byte(okBody))
		if err == nil || !strings.Contains(err.Error(), "no Ed25519 key") {
			t.Errorf("%v", err)
		}
		c := p.client()
		c.Hosts.REST = "http://keys.example"
		_, err = (&webhook.Verifier{Client: c}).Verify(t.Context(), sign(key, time.Now(), "g", okBody), []byte(okBody))
		if err == nil || !strings.Contains(err.Error(), "https addresses alone") || p.count() != 1 {
			t.Errorf("%v after %d fetches", err, p.count())
		}
	})
}

// Of a set of keys those of other kinds are passed over, and no more than 16 are
// looked at.
func TestKeySets(t *testing.T) {
	t.Parallel()
	key := newKey()
	x, other := base64.RawURLEncoding.EncodeToString(key[32:]), base64.RawURLEncoding.EncodeToString(newKey()[32:]) // their public halves
	for set, good := range map[string]bool{
		`{"kty":"OKP","crv":"Ed25519","x":"` + x + `"}`:                true,
		`{"x":"` + x + `="}`:                                           true,
		`{"kty":"EC","crv":"Ed25519","x":"` + x + `"}`:                 false,
		`{"kty":"OKP","crv":"X25519","x":"` + x + `"}`:                 false,
		`{"x":"` + x[:40] + `"}`:                                       false,
		`{"x":"!"},{"x":"` + x + `"}`:                                  true,
		strings.Repeat(`{"x":"`+other+`"},`, 15) + `{"x":"` + x + `"}`: true,
		strings.Repeat(`{"x":"`+other+`"},`, 16) + `{"x":"` + x + `"}`: false,
	} {
		p := &publisher{status: http.StatusOK, raw: `{"keys":[` + set + `]}`}
		_, err := (&webhook.Verifier{Client: p.client()}).Verify(t.Context(), sign(key, time.Now(), "g", okBody), []byte(okBody))
		if (err == nil) != good {
			t.Errorf("%s: %v", set, err)
		}
	}
}

// A set of keys is as long as 64 KiB.
func TestLongestKeySet(t *testing.T) {
	t.Parallel()
	key := newKey()
	set := `{"keys":[{"x":"` + base64.RawURLEncoding.EncodeToString(key[32:]) + `"}]}`
	for length, good := range map[int]bool{64 << 10: true, 64<<10 + 1: false} {
		p := &publisher{status: http.StatusOK, raw: strings.Repeat(" ", length-len(set)) + set}
		_, err := (&webhook.Verifier{Client: p.client()}).Verify(t.Context(), sign(key, time.Now(), "g", okBody), []byte(okBody))
		if (err == nil) != good {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
}

// Where fal does not say its keys, that is known five seconds later, and the next
// call asks once more. Who leaves before does not keep others from them.
func TestKeysThatDoNotCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fetches := 0
		c := &fal.Client{HTTPClient: &http.Client{Transport: told(func(string) string {
			fetches++
			return ""
		})}}
		v := &webhook.Verifier{Client: c}
		for i := range 3 {
			start := time.Now()
			_, err := v.Verify(t.Context(), sign(newKey(), start, "g", okBody), []byte(okBody))
			if took := time.Since(start); err == nil || errors.Is(err, webhook.ErrSignature) || took != 5*time.Second || fetches != i+1 {
				t.Errorf("%v after %v and %d fetches", err, took, fetches)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := v.Verify(ctx, sign(newKey(), start, "g", okBody), []byte(okBody))
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			t.Errorf("whoever left: %v after %v", err, took)
		}
		_, err = v.Verify(t.Context(), sign(newKey(), time.Now(), "g", okBody), []byte(okBody))
		if took := time.Since(start); err == nil || took != 5*time.Second || fetches != 4 {
			t.Errorf("whoever stayed: %v after %v and %d fetches", err, took, fetches)
		}
	})
}

// closing is a body that notes that it was closed.
type closing struct {
	io.Reader
	closed *int
}

func (c closing) Close() error {
	*c.closed++
	return nil
}

type keysAt struct {
	key     ed25519.PrivateKey
	asked   []string
	closed  int
	problem error
}

func (k *keysAt) RoundTrip(r *http.Request) (*http.Response, error) {
	k.asked = append(k.asked, r.URL.String())
	body := io.Reader(strings.NewReader(`{"keys":[{"x":"` + base64.RawURLEncoding.EncodeToString(k.key[32:]) + `"}]}`))
	if k.problem != nil {
		body = io.MultiReader(body, errorReader{})
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: closing{body, &k.closed}, Request: r}, nil
}

// Keys come from where the client says, the connection is given back, and a set that
// breaks off is none.
func TestWhereKeysComeFrom(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rest, asked string
		problem     error
		good        bool
	}{
		"fal":            {"", "https://rest.fal.ai/.well-known/jwks.json", nil, true},
		"another":        {"https://keys.example/", "https://keys.example/.well-known/jwks.json", nil, true},
		"this machine":   {"http://127.0.0.1:7", "http://127.0.0.1:7/.well-known/jwks.json", nil, true},
		"a cut-off set":  {"", "https://rest.fal.ai/.well-known/jwks.json", io.ErrUnexpectedEOF, false},
		"no address":     {"https://[", "", nil, false},
		"without secret": {"http://keys.example", "", nil, false},
	} {
		k := &keysAt{key: newKey(), problem: tt.problem}
		c := &fal.Client{HTTPClient: &http.Client{Transport: k}, Retry: fal.Retry{MaxAttempts: 1}}
		c.Hosts.REST = tt.rest
		_, err := (&webhook.Verifier{Client: c}).Verify(t.Context(), sign(k.key, time.Now(), "g", okBody), []byte(okBody))
		asked := strings.Join(k.asked, " ")
		if (err == nil) != tt.good || errors.Is(err, webhook.ErrSignature) || asked != tt.asked || k.closed != len(k.asked) {
			t.Errorf("%s: %v, asked %q, closed %d", name, err, asked, k.closed)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	key := newKey()
	p := &publisher{status: http.StatusOK, keys: []ed25519.PrivateKey{key}}
	v := &webhook.Verifier{Client: p.client()}
	body := `{"request_id":"r-1","status":"OK","payload":{"images":[{"url":"https://v3b.fal.media/files/b/` + strings.Repeat("x", 2000) + `"}]}}`
	header := sign(key, time.Now(), "g-1", body)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), header, []byte(body)); err != nil {
			b.Fatal(err)
		}
	}
}
