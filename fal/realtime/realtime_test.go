package realtime_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/tinylib/msgp/msgp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/realtime"
	"github.com/falimage/falimage-go/flux"
)

// frame is a picture to be sent.
func frame(tb testing.TB, side int, shade uint8) fal.File {
	tb.Helper()
	m := image.NewGray(image.Rect(0, 0, side, side))
	for i := range m.Pix {
		m.Pix[i] = shade
	}
	m.SetGray(0, 0, color.Gray{255 - shade})
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		tb.Fatal(err)
	}
	return fal.Bytes(b.Bytes())
}

func request(tb testing.TB, seed uint64) flux.KleinRealtime {
	return flux.KleinRealtime{Prompt: "oil painting", ImageURL: frame(tb, 64, uint8(seed)), Seed: fal.Seed(seed)}
}

var klein = flux.KleinRealtime{}.Endpoint()

func open(t *testing.T, c *fal.Client, o realtime.Options) *realtime.Session[flux.Frames] {
	t.Helper()
	s, err := realtime.Open(t.Context(), c, klein, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// one returns the next result.
func one(t *testing.T, s *realtime.Session[flux.Frames]) (*flux.Frames, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for out, err := range s.Results(ctx) {
		return out, err
	}
	return nil, errors.New("no result")
}

func TestSession(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	s := open(t, srv.Client(), realtime.Options{})
	for seed := range uint64(5) {
		if err := s.Send(t.Context(), request(t, 1<<63+seed)); err != nil {
			t.Fatal(err)
		}
		out, err := one(t, s)
		if err != nil {
			t.Fatal(err)
		}
		config, _, err := image.DecodeConfig(bytes.NewReader(out.Images[0].Content))
		if err != nil || config.Width != 768 || out.Images[0].Width != 768 || out.Seed != 1<<63+seed || out.Endpoint != string(klein) {
			t.Errorf("frame %d: %+v %v, seed %d, of %q", seed, config, err, out.Seed, out.Endpoint)
		}
	}
	if l := srv.Ledger(); l.Frames != 5 || len(l.Bills) != 5 {
		t.Errorf("%d frames, %d bills", l.Frames, len(l.Bills))
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if err := s.Send(t.Context(), request(t, 1)); !errors.Is(err, realtime.ErrClosed) || !fal.NotSent(err) {
		t.Errorf("Send after Close: %v", err)
	}
	for out, err := range s.Results(t.Context()) {
		t.Errorf("a result after Close: %v, %v", out, err)
	}
}

// Send waits for results, so that fal drops nothing, or drops here when told to.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(20*time.Millisecond))
	const frames = 12
	for _, drop := range []bool{false, true} {
		s := open(t, srv.Client(), realtime.Options{MaxBuffering: 2, DropOldest: drop})
		before := srv.Ledger().Frames
		var wait sync.WaitGroup
		wait.Go(func() {
			for seed := range uint64(frames) {
				if err := s.Send(t.Context(), request(t, seed)); err != nil {
					t.Error(err)
				}
			}
		})
		var seeds []uint64
		for out, err := range s.Results(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if seeds = append(seeds, out.Seed); out.Seed == frames-1 { // the newest always comes
				break
			}
		}
		wait.Wait()
		for i := range seeds {
			if i > 0 && seeds[i] <= seeds[i-1] {
				t.Errorf("out of order: %v", seeds)
			}
		}
		if !drop && (len(seeds) != frames || s.Dropped() != 0) || drop && (len(seeds) == frames || len(seeds)+s.Dropped() != frames) {
			t.Errorf("drop %t: %d results, %d dropped: %v", drop, len(seeds), s.Dropped(), seeds)
		}
		if got := srv.Ledger().Frames - before; got != len(seeds) {
			t.Errorf("drop %t: the server got %d frames and answered %d", drop, got, len(seeds))
		}
		_ = s.Close()
	}
}

// A connection that fal closes since nothing is sent is opened anew by the next
// frame, while the loop waits.
func TestIdle(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RealtimeIdle(50*time.Millisecond))
	s := open(t, srv.Client(), realtime.Options{})
	results := make(chan *flux.Frames)
	go func() {
		for out, err := range s.Results(t.Context()) {
			if err != nil {
				t.Error(err)
				close(results)
				return
			}
			results <- out
		}
	}()
	for seed := range uint64(3) {
		time.Sleep(150 * time.Millisecond)
		if err := s.Send(t.Context(), request(t, seed)); err != nil {
			t.Fatal(err)
		}
		if out := <-results; out == nil || out.Seed != seed {
			t.Fatalf("result %v", out)
		}
	}
}

// A frame that crosses with the word that the session was idle is sent again.
func TestCrossing(t *testing.T) {
	t.Parallel()
	var frames atomic.Int64
	c := script(t, func(ctx context.Context, n int, c *websocket.Conn) {
		if n == 1 {
			_ = c.Write(ctx, websocket.MessageText, []byte(`{"type":"x-fal-error","error":"TIMEOUT","reason":"idle"}`))
			_ = c.Close(websocket.StatusNormalClosure, "")
			return
		}
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
			_ = c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"seed":%d}`, frames.Add(1)))
		}
	})
	s := open(t, c, realtime.Options{})
	time.Sleep(20 * time.Millisecond) // nobody reads that the connection is closed
	for range 2 {
		if err := s.Send(t.Context(), request(t, 1)); err != nil {
			t.Fatal(err)
		}
	}
	for want := range uint64(2) {
		if out, err := one(t, s); err != nil || out.Seed != want+1 {
			t.Fatalf("%v, %v, want seed %d", out, err, want+1)
		}
	}
}

// An error of the model ends the loop, and not the session.
func TestModelError(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	s := open(t, srv.Client(), realtime.Options{})
	srv.Inject(faltest.OpRealtime, faltest.LateFailure(422, "content_policy_violation", "Flagged"), 1)
	if err := s.Send(t.Context(), request(t, 1)); err != nil {
		t.Fatal(err)
	}
	_, err := one(t, s)
	if e, ok := errors.AsType[*fal.Error](err); !ok || e.Type != "content_policy_violation" || !strings.Contains(e.Message, "Flagged") || !errors.Is(err, fal.ErrContentPolicy) {
		t.Errorf("error %v", err)
	}
	if err := s.Send(t.Context(), request(t, 2)); err != nil {
		t.Fatal(err)
	}
	if out, err := one(t, s); err != nil || out.Seed != 2 {
		t.Errorf("%v, %v", out, err)
	}
}

// What is wrong with a frame is told before it is sent.
func TestRefusedHere(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	s := open(t, srv.Client(), realtime.Options{})
	for want, r := range map[string]fal.Request[flux.Frames]{
		"num_inference_steps": flux.KleinRealtime{ImageURL: frame(t, 8, 1), NumInferenceSteps: 99},
		"image_url":           flux.KleinRealtime{ImageURL: fal.URL("https://example.com/a.jpg")},
		"no such file":        flux.KleinRealtime{ImageURL: fal.Path("no such file")},
		"is empty":            flux.KleinRealtime{ImageURL: fal.Bytes(nil)},
		"larger than":         flux.KleinRealtime{ImageURL: fal.Bytes(make([]byte, 11<<20))},
		"is for":              fal.Call[flux.Frames]{ID: "x/y"},
		"nil":                 nil,
	} {
		if err := s.Send(t.Context(), r); err == nil || !strings.Contains(err.Error(), want) || !fal.NotSent(err) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	for want, open := range map[string]func() (*realtime.Session[flux.Frames], error){
		"must be 1 to 60": func() (*realtime.Session[flux.Frames], error) {
			return realtime.Open(t.Context(), srv.Client(), klein, realtime.Options{MaxBuffering: 61})
		},
		"is not an id": func() (*realtime.Session[flux.Frames], error) {
			return realtime.Open(t.Context(), srv.Client(), fal.Endpoint[flux.Frames]("x/y?z"), realtime.Options{})
		},
		"client is nil": func() (*realtime.Session[flux.Frames], error) {
			return realtime.Open(t.Context(), nil, klein, realtime.Options{})
		},
		"API key is malformed": func() (*realtime.Session[flux.Frames], error) {
			return realtime.Open(t.Context(), &fal.Client{Key: fal.NewKey("x"), Hosts: srv.Hosts()}, klein, realtime.Options{})
		},
		"budget": func() (*realtime.Session[flux.Frames], error) {
			c := srv.Client()
			c.Guard = refusing{}
			return realtime.Open(t.Context(), c, klein, realtime.Options{})
		},
		"not found": func() (*realtime.Session[flux.Frames], error) {
			return realtime.Open(t.Context(), srv.Client(), fal.Endpoint[flux.Frames]("fal-ai/no-such-model"), realtime.Options{})
		},
	} {
		if _, err := open(); err == nil || !strings.Contains(err.Error(), want) || !fal.NotSent(err) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if n := srv.Ledger().Frames; n != 0 {
		t.Errorf("%d frames arrived", n)
	}
}

type refusing struct{}

func (refusing) Reserve(context.Context, fal.Usage, map[string]string) (fal.Reservation, error) {
	return nil, errors.New("no budget")
}

// A token opens sessions in place of the key; it is renewed before it ends, and
// when fal refuses it.
func TestToken(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RealtimeIdle(40*time.Millisecond))
	withKey := srv.Client()
	var given atomic.Int64
	lifetime := time.Hour
	token := func(ctx context.Context) (realtime.Token, error) {
		given.Add(1)
		return realtime.NewToken(ctx, withKey, klein, lifetime)
	}
	keyless := &fal.Client{Key: func() string { return "" }, Hosts: srv.Hosts()}
	s := open(t, keyless, realtime.Options{Token: token})
	turn := func(seed uint64) {
		t.Helper()
		if err := s.Send(t.Context(), request(t, seed)); err != nil {
			t.Fatal(err)
		}
		if _, err := one(t, s); err != nil {
			t.Fatal(err)
		}
	}
	idle := func() { // until the connection is closed
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		for _, err := range s.Results(ctx) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		}
	}
	turn(1)
	idle()
	turn(2) // over a new connection, with the same token
	if n := given.Load(); n != 1 {
		t.Errorf("%d tokens, want 1", n)
	}
	made, err := token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(made), fmt.Sprintf("%+v %#v", made, made.Value)} {
		if strings.Contains(text, made.Value()) {
			t.Errorf("the token is in %s", text)
		}
	}

	// A token of which nine tenths are over.
	given.Store(0)
	s = open(t, keyless, realtime.Options{Token: func(ctx context.Context) (realtime.Token, error) {
		made, err := token(ctx)
		made.Expires = time.Now().Add(100 * time.Millisecond)
		return made, err
	}})
	turn(3)
	idle()
	turn(4)
	if n := given.Load(); n != 2 {
		t.Errorf("%d tokens, want 2", n)
	}

	// One that fal refuses.
	bad := realtime.Token{Value: fal.NewKey("no-token")}
	s = open(t, keyless, realtime.Options{Token: func(ctx context.Context) (realtime.Token, error) {
		if bad.Value != nil {
			defer func() { bad.Value = nil }()
			return bad, nil
		}
		return token(ctx)
	}})
	if _, err := one(t, s); !errors.Is(err, fal.ErrUnauthorized) {
		t.Errorf("error %v, want ErrUnauthorized", err)
	}
	turn(5)

	if _, err := realtime.NewToken(t.Context(), withKey, klein, 0); err == nil {
		t.Error("a token for no time")
	}
	if _, err := realtime.NewToken(t.Context(), keyless, klein, time.Hour); !errors.Is(err, fal.ErrNoKey) {
		t.Errorf("a token without a key: %v", err)
	}
}

// Endpoints of the older kind take tokens for the application.
func TestOlderToken(t *testing.T) {
	t.Parallel()
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		if r.URL.Path != "/tokens/" {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		_, _ = w.Write([]byte(`{"detail":"older"}`))
	}))
	defer srv.Close()
	c := &fal.Client{Key: fal.NewKey("id:secret"), Hosts: fal.Hosts{REST: srv.URL}}
	token, err := realtime.NewToken(t.Context(), c, klein, time.Minute)
	if err != nil || token.Value() != "older" || len(asked) != 2 {
		t.Errorf("%v, %v, asked %v", token, err, asked)
	}
}

// script serves sessions with a function, and returns a client of it.
func script(t *testing.T, serve func(ctx context.Context, n int, c *websocket.Conn)) *fal.Client {
	t.Helper()
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = c.CloseNow() }()
		c.SetReadLimit(-1)
		serve(r.Context(), int(n.Add(1)), c)
	}))
	t.Cleanup(srv.Close)
	return &fal.Client{Key: fal.NewKey("id:secret"), Hosts: fal.Hosts{Run: srv.URL}}
}

// What fal says, and what it should not say.
func TestMessages(t *testing.T) {
	t.Parallel()
	const result = `{"images":[{"content":"AQI="}],"seed":7}`
	for name, tt := range map[string]struct {
		text   []string
		binary []byte
		want   string // of the error; "" for the result
	}{
		"a result as text":      {text: []string{result}},
		"timings before it":     {text: []string{`{"type":"x-fal-message","action":"timings","timing":0.5}`, result}},
		"an error":              {text: []string{`{"type":"x-fal-error","error":"X","reason":"broken"}`}, want: "broken"},
		"a status":              {text: []string{`{"status":"error","error":"Other"}`}, want: "Other"},
		"unauthorized":          {text: []string{`{"status":"error","error":"Unauthorized"}`}, want: "Unauthorized"},
		"no JSON":               {text: []string{`<html>`}, want: "invalid"},
		"another form":          {text: []string{`{"images":3}`}, want: "images"},
		"a binary error":        {binary: []byte("\x82\xa4type\xabx-fal-error\xa5error\xa1X"), want: "X"},
		"no MessagePack":        {binary: []byte{0xc1}, want: "malformed"},
		"a 5 MB nest":           {binary: bytes.Repeat([]byte{0x91}, 5<<20), want: "nested more than"},
		"an escape in a text":   {text: []string{`{"type":"x-fal-error","error":"X","reason":"a\u001b[2Jb"}`}, want: "a [2Jb"},
		"a close with a reason": {want: "because"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := script(t, func(ctx context.Context, _ int, c *websocket.Conn) {
				_, _, _ = c.Read(ctx)
				for _, text := range tt.text {
					_ = c.Write(ctx, websocket.MessageText, []byte(text))
				}
				if tt.binary != nil {
					_ = c.Write(ctx, websocket.MessageBinary, tt.binary)
				}
				if tt.text == nil && tt.binary == nil {
					_ = c.Close(websocket.StatusInternalError, "because")
				}
				_, _, _ = c.Read(ctx)
			})
			s := open(t, c, realtime.Options{})
			if err := s.Send(t.Context(), request(t, 1)); err != nil {
				t.Fatal(err)
			}
			out, err := one(t, s)
			switch {
			case tt.want == "" && (err != nil || out.Seed != 7 || !bytes.Equal(out.Images[0].Content, []byte{1, 2})):
				t.Errorf("%+v, %v", out, err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// A connection that is lost with frames under way is an error that counts them;
// they are not sent again, and the next frame opens a new one.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	var frames atomic.Int64
	c := script(t, func(ctx context.Context, n int, c *websocket.Conn) {
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
			if frames.Add(1); n == 1 {
				return // the connection is cut
			}
			_ = c.Write(ctx, websocket.MessageText, []byte(`{"seed":9}`))
		}
	})
	s := open(t, c, realtime.Options{})
	if err := s.Send(t.Context(), request(t, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := one(t, s); err == nil || !strings.Contains(err.Error(), "with 1 frames without a result") || fal.NotSent(err) || fal.Charged(err) != fal.BillingUnknown {
		t.Errorf("error %v", err)
	}
	if err := s.Send(t.Context(), request(t, 2)); err != nil {
		t.Fatal(err)
	}
	if out, err := one(t, s); err != nil || out.Seed != 9 {
		t.Errorf("%v, %v", out, err)
	}
	if n := frames.Load(); n != 2 {
		t.Errorf("%d frames were sent, want 2", n)
	}
}

// Frames of many megabytes come through; those beyond the limit are an error.
func TestLargeFrames(t *testing.T) {
	t.Parallel()
	c := script(t, func(ctx context.Context, n int, c *websocket.Conn) {
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
			size := 5 << 20
			if n > 1 {
				size = 70 << 20
			}
			_ = c.Write(ctx, websocket.MessageText, []byte(`{"seed":9,"pad":"`+strings.Repeat("x", size)+`"}`))
		}
	})
	s := open(t, c, realtime.Options{})
	if err := s.Send(t.Context(), request(t, 1)); err != nil {
		t.Fatal(err)
	}
	if out, err := one(t, s); err != nil || out.Seed != 9 {
		t.Errorf("%v, %v", out, err)
	}
	s = open(t, c, realtime.Options{})
	if err := s.Send(t.Context(), request(t, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := one(t, s); err == nil || !strings.Contains(err.Error(), "larger than 67108864 bytes") {
		t.Errorf("error %v", err)
	}
}

// Waiting ends with the context, and with Close.
func TestEnds(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(time.Hour))
	s := open(t, srv.Client(), realtime.Options{Unanswered: 1})
	if err := s.Send(t.Context(), request(t, 1)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Send(ctx, request(t, 2)); !errors.Is(err, context.DeadlineExceeded) || !fal.NotSent(err) {
		t.Errorf("Send: %v", err)
	}
	ended := make(chan error)
	go func() { ended <- s.Send(t.Context(), request(t, 3)) }()
	go func() {
		for _, err := range s.Results(t.Context()) {
			ended <- err
		}
		ended <- nil
	}()
	time.Sleep(50 * time.Millisecond)
	_ = s.Close()
	for range 2 {
		if err := <-ended; err != nil && !errors.Is(err, realtime.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}

// The key goes to no host but fal's, and follows no redirect.
func TestKeyStaysHome(t *testing.T) {
	t.Parallel()
	leaked := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was asked for, with %v", r.Method, r.URL, r.Header)
	}))
	defer leaked.Close()
	redirecting := httptest.NewServer(http.RedirectHandler(leaked.URL, http.StatusTemporaryRedirect))
	defer redirecting.Close()
	c := &fal.Client{Key: fal.NewKey("id:verysecret"), Hosts: fal.Hosts{Run: redirecting.URL, REST: redirecting.URL}}
	_, err := realtime.Open(t.Context(), c, klein, realtime.Options{})
	_, tokenErr := realtime.NewToken(t.Context(), c, klein, time.Minute)
	_, plainErr := realtime.Open(t.Context(), &fal.Client{Key: fal.NewKey("id:verysecret"), Hosts: fal.Hosts{Run: "http://example.com"}}, klein, realtime.Options{})
	_, plainToken := realtime.Open(t.Context(), &fal.Client{Hosts: fal.Hosts{Run: "http://example.com"}}, klein, realtime.Options{Token: func(context.Context) (realtime.Token, error) {
		return realtime.Token{Value: fal.NewKey("verysecret")}, nil
	}})
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	_, goneErr := realtime.Open(t.Context(), &fal.Client{Hosts: fal.Hosts{Run: gone.URL}}, klein, realtime.Options{Token: func(context.Context) (realtime.Token, error) {
		return realtime.Token{Value: fal.NewKey("verysecret")}, nil
	}})
	for _, err := range []error{err, tokenErr, plainErr, plainToken, goneErr} {
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v", err, err), "verysecret") {
			t.Errorf("error %v", err)
		}
	}
}

// The key is in the handshake alone: no byte of it is in a frame or a log, also
// where the server says it again, and a session by a token does not have it.
func TestKeyInNoFrame(t *testing.T) {
	t.Parallel()
	const key = "the-key-id:verysecret-verysecret"
	for _, byToken := range []bool{false, true} {
		var seen, log, printed bytes.Buffer
		var handshake http.Header
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handshake = r.Header
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = c.CloseNow() }()
			c.SetReadLimit(-1)
			for {
				_, frame, err := c.Read(r.Context())
				if err != nil {
					return
				}
				seen.Write(frame)
				_ = c.Write(r.Context(), websocket.MessageText, fmt.Appendf(nil, `{"seed":7,"prompt":%q}`, r.Header.Get("Authorization")))
				_ = c.Write(r.Context(), websocket.MessageText, fmt.Appendf(nil, `{"type":"x-fal-error","error":"X","reason":"no user for %s, %s"}`, key, r.URL.Query().Get("fal_jwt_token")))
			}
		}))
		c := &fal.Client{
			Key: fal.NewKey(key), Hosts: fal.Hosts{Run: srv.URL},
			Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		}
		var o realtime.Options
		if byToken {
			o.Token = func(context.Context) (realtime.Token, error) {
				return realtime.Token{Value: fal.NewKey("a-token")}, nil
			}
		}
		s, err := realtime.Open(t.Context(), c, klein, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(t.Context(), flux.KleinRealtime{Prompt: "oil", ImageURL: frame(t, 300, 1)}); err != nil {
			t.Fatal(err)
		}
		for out, err := range s.Results(t.Context()) {
			fmt.Fprintf(&printed, "%+v %+v\n", out, err)
			if err != nil {
				break
			}
		}
		fmt.Fprintf(&printed, "%v %+v %#v", s, s, s)
		_ = s.Close()
		srv.Close()
		if got := handshake.Get("Authorization"); (got == "") != byToken {
			t.Errorf("by a token %v: %q in the handshake", byToken, got)
		}
		if seen.Len() < 1000 {
			t.Errorf("%d bytes came in frames", seen.Len())
		}
		for what, text := range map[string]string{"a frame": seen.String(), "the log": log.String(), "what is printed": printed.String()} {
			if strings.Contains(text, "verysecret") || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(key))[:30]) {
				t.Errorf("by a token %v: %s has the key:\n%s", byToken, what, text)
			}
		}
	}
}

// Bytes come as what the type of the result has for them.
func TestBytes(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte{1, 2, 3, 4}, 1000)
	text := base64.StdEncoding.EncodeToString(content)
	type item struct {
		Bytes   []byte
		Pointer *struct{ Bytes []byte }
	}
	type inner struct {
		fal.Meta `json:"meta"`

		Items []item
		Text  string
		Short []byte
		N     map[string]int
	}
	answer := msgp.AppendMapHeader(nil, 4)
	answer = msgp.AppendArrayHeader(msgp.AppendString(answer, "items"), 1)
	answer = msgp.AppendBytes(msgp.AppendString(msgp.AppendMapHeader(answer, 2), "bytes"), content)
	answer = msgp.AppendBytes(msgp.AppendString(msgp.AppendMapHeader(msgp.AppendString(answer, "pointer"), 1), "bytes"), content)
	answer = msgp.AppendBytes(msgp.AppendString(answer, "text"), content)
	answer = msgp.AppendBytes(msgp.AppendString(answer, "short"), []byte{1, 2, 3})
	answer = msgp.AppendInt(msgp.AppendString(msgp.AppendMapHeader(msgp.AppendString(answer, "n"), 1), "a"), 7)
	c := script(t, func(ctx context.Context, _ int, c *websocket.Conn) {
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
			_ = c.Write(ctx, websocket.MessageBinary, answer)
		}
	})
	typed := result[inner](t, c)
	want := inner{
		Meta: fal.Meta{Endpoint: "x/y"}, Text: text, Short: []byte{1, 2, 3}, N: map[string]int{"a": 7},
		Items: []item{{content, &struct{ Bytes []byte }{content}}},
	}
	if diff := cmp.Diff(want, *typed); diff != "" {
		t.Errorf("typed (-want +got):\n%s", diff)
	}
	if loose := *result[map[string]any](t, c); loose["text"] != text {
		t.Errorf("loose: %v", loose)
	}
}

// result returns the result of any request, as a type.
func result[Out any](t *testing.T, c *fal.Client) *Out {
	t.Helper()
	s, err := realtime.Open(t.Context(), c, fal.Endpoint[Out]("x/y"), realtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Send(t.Context(), fal.Call[Out]{ID: "x/y", Input: map[string]any{"n": 1}}); err != nil {
		t.Fatal(err)
	}
	for out, err := range s.Results(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	return nil
}

// BenchmarkRoundTrip sends a frame of 100 kB and gets one of 100 kB. What it
// takes beyond the exchange of the same bytes is this package's.
func BenchmarkRoundTrip(b *testing.B) {
	content := bytes.Repeat([]byte{7}, 100<<10)
	answer := append([]byte("\x82\xa6images\x91\x82\xa7content\xc6\x00\x01\x90\x00"), content...)
	answer = append(answer, "\xaccontent_type\xaaimage/jpeg\xa4seed\x07"...)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		c.SetReadLimit(-1)
		for {
			if _, _, err := c.Read(r.Context()); err != nil {
				return
			}
			_ = c.Write(r.Context(), websocket.MessageBinary, answer)
		}
	}))
	defer srv.Close()
	b.Run("bare", func(b *testing.B) {
		c, _, err := websocket.Dial(b.Context(), srv.URL, nil)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = c.CloseNow() }()
		c.SetReadLimit(-1)
		for b.Loop() {
			if err := c.Write(b.Context(), websocket.MessageBinary, content); err != nil {
				b.Fatal(err)
			}
			if _, _, err := c.Read(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("session", func(b *testing.B) {
		client := &fal.Client{Key: fal.NewKey("id:secret"), Hosts: fal.Hosts{Run: srv.URL}}
		s, err := realtime.Open(b.Context(), client, klein, realtime.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		req := flux.KleinRealtime{Prompt: "oil painting", ImageURL: fal.Bytes(content)}
		for b.Loop() {
			if err := s.Send(b.Context(), req); err != nil {
				b.Fatal(err)
			}
			for out, err := range s.Results(b.Context()) {
				if err != nil || len(out.Images[0].Content) != len(content) {
					b.Fatal(err)
				}
				break
			}
		}
	})
}
