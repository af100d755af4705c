package transport_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/falimage/falimage-go/internal/transport"
)

// Frame types and flags of HTTP/2 (RFC 9113).
const (
	frameData, frameReset, frameSettings = 0, 3, 4
	flagEndStream, flagAck               = 1, 1
	protocolError                        = 1
)

// http2Server reads requests to their end and resets their streams with the
// code that the number of the request has; the others get no answer.
func http2Server(t *testing.T, codes ...uint32) (address string, client *http.Client, requests *atomic.Int64) {
	t.Helper()
	requests = new(atomic.Int64)
	srv := httptest.NewUnstartedServer(nil)
	srv.TLS = &tls.Config{NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}
	srv.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
		"h2": func(_ *http.Server, c *tls.Conn, _ http.Handler) {
			write := func(kind, flags byte, stream uint32, payload ...byte) {
				head := []byte{0, 0, byte(len(payload)), kind, flags}
				_, _ = c.Write(append(binary.BigEndian.AppendUint32(head, stream), payload...))
			}
			_, _ = io.CopyN(io.Discard, c, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
			write(frameSettings, 0, 0)
			for {
				var head [9]byte
				if _, err := io.ReadFull(c, head[:]); err != nil {
					return
				}
				length := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
				if _, err := io.CopyN(io.Discard, c, length); err != nil {
					return
				}
				switch kind, flags := head[3], head[4]; {
				case kind == frameSettings && flags&flagAck == 0:
					write(frameSettings, flagAck, 0)
				case kind == frameData && flags&flagEndStream != 0:
					if n := int(requests.Add(1)); n <= len(codes) {
						write(frameReset, 0, binary.BigEndian.Uint32(head[5:]), binary.BigEndian.AppendUint32(nil, codes[n-1])...)
					}
				}
			}
		},
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	client = &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	return srv.URL, client, requests
}

// net/http repeats requests over HTTP/2 by itself when a stream is reset with
// PROTOCOL_ERROR. A submit that the server has read to its end must not be.
func TestSubmitOverHTTP2IsSentOnce(t *testing.T) {
	t.Parallel()
	address, client, requests := http2Server(t, protocolError, protocolError, protocolError, protocolError)
	tr := local(address, client)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := tr.Send(ctx, &transport.Request{Class: transport.Submit, Method: http.MethodPost, URL: address + "/fal-ai/x", Auth: true, Body: []byte(`{"prompt":"a mug"}`)})
	if n := requests.Load(); n != 1 {
		t.Errorf("the request was received %d times", n)
	}
	if e, ok := errors.AsType[*transport.Error](err); !ok || !e.MaybeSent {
		t.Errorf("got %v, want an error that says that it may have been sent", err)
	}
}
