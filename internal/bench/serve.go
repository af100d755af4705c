package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal/faltest"
)

// order is what the process with the server is asked for: a server on which jobs
// take so long, behind a connection whose round trip takes so long.
type order struct {
	Job, Delay time.Duration
}

// The endpoints that are served beside those of the catalogue.
const (
	inlineEndpoint = "bench/inline"
	streamEndpoint = "bench/ticks/stream"
	tick           = 5 * time.Millisecond
)

// serve is the process with the server. Each POST ends the server before and
// starts a new one, with nothing in its books; the answer is its address.
func serve(ctx context.Context, out io.Writer) error {
	var last func()
	var mu sync.Mutex
	control := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if last != nil {
			last()
		}
		var o order
		if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var address string
		address, last = begin(o)
		_, _ = io.WriteString(w, address)
	}))
	defer control.Close()
	fmt.Fprintln(out, control.URL)
	<-ctx.Done()
	return nil
}

// begin starts a server.
func begin(o order) (address string, end func()) {
	fake := faltest.New(faltest.QueueTime(o.Job/3), faltest.RunTime(o.Job-o.Job/3))
	inline := fmt.Appendf(nil, `{"images":[{"url":"data:image/png;base64,%s","width":2048,"height":2048,"content_type":"image/png"}],"seed":7,"prompt":"a mug"}`, bytes.Repeat([]byte("abcd"), 2<<20))
	fake.Handle(inlineEndpoint, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(inline) })
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fal.run/"+streamEndpoint {
			ticks(w, r)
			return
		}
		fake.ServeHTTP(w, r)
	}))
	closeBoth := func() {
		front.CloseClientConnections()
		front.Close()
		fake.Close()
	}
	if o.Delay == 0 {
		return front.URL, closeBoth
	}
	proxy, err := delayed(strings.TrimPrefix(front.URL, "http://"), o.Delay)
	if err != nil {
		panic(err)
	}
	return "http://" + proxy.Addr().String(), func() {
		_ = proxy.Close()
		closeBoth()
	}
}

// ticks streams as many events as are asked for, each with the time of its
// beginning in milliseconds.
func ticks(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Events int `json:"events"`
	}
	_ = json.NewDecoder(r.Body).Decode(&ask)
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	for range ask.Events {
		time.Sleep(tick)
		_, _ = fmt.Fprintf(w, "data: {\"sent\":%.3f,\"images\":[{\"url\":\"https://v3.fal.media/a.png\",\"width\":1024,\"height\":768}]}\n\n", now())
		_ = flush.Flush()
	}
}

// now is the time that processes have in common, in milliseconds.
func now() float64 { return float64(time.Now().UnixMicro()) / 1000 }

// delayed passes connections on to an address, each byte half a round trip later
// than it came. A new connection waits a round trip more, in which it would have
// been made.
func delayed(address string, roundTrip time.Duration) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return // it was closed
			}
			go func() {
				time.Sleep(roundTrip)
				far, err := new(net.Dialer).DialContext(context.Background(), "tcp", address)
				if err != nil {
					_ = near.Close()
					return
				}
				go later(near, far, roundTrip/2)
				later(far, near, roundTrip/2)
			}()
		}
	}()
	return listener, nil
}

// later copies until one of both ends, and what it copies arrives after d.
func later(to, from net.Conn, d time.Duration) {
	type chunk struct {
		bytes []byte
		at    time.Time
	}
	way := make(chan chunk, 256)
	go func() {
		defer close(way)
		for {
			b := make([]byte, 128<<10)
			n, err := from.Read(b)
			if n > 0 {
				way <- chunk{b[:n], time.Now().Add(d)}
			}
			if err != nil {
				return
			}
		}
	}()
	for c := range way {
		time.Sleep(time.Until(c.at))
		if _, err := to.Write(c.bytes); err != nil {
			_ = from.Close() // and what is on the way is for nobody
		}
	}
	_ = to.Close()
}
