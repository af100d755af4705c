package transport

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
)

// passing reports whether the failure an answer tells of may pass.
func passing(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	case http.StatusGatewayTimeout:
		// The caller's own start time-out is the model's final answer.
		return resp.Header.Get("X-Fal-Request-Timeout-Type") != "user"
	}
	return resp.StatusCode >= 500
}

// OfJob reports whether a failure is that of a job, which is replayed each time
// its result is asked for, rather than one of the exchange.
func OfJob(resp *http.Response) bool {
	return resp.StatusCode >= 500 && cmp.Or(resp.Header.Get("X-Fal-Request-Id"),
		resp.Header.Get("X-Fal-Error-Type"), resp.Header.Get("X-Fal-Billable-Units")) != ""
}

// notAccepted reports whether an answer to a Submit says for certain that the
// request was not accepted and may be repeated.
func notAccepted(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		// The model may have been refused by another, when it had begun to work.
		billed := strings.Trim(resp.Header.Get("X-Fal-Billable-Units"), "0.") != ""
		needsRetry := strings.ToLower(resp.Header.Get("X-Fal-Needs-Retry"))
		return !billed && needsRetry != "0" && needsRetry != "false"
	case http.StatusServiceUnavailable:
		for name := range resp.Header {
			if strings.HasPrefix(name, "X-Fal-") {
				return false
			}
		}
		head, err := peek(resp) // what cannot be read says nothing for certain
		return err == nil && !looksLikeFal(head)
	}
	return false
}

// peek reads the beginning of a body, and leaves the body as it was.
func peek(resp *http.Response) ([]byte, error) {
	const most = 4 << 10
	head, err := io.ReadAll(io.LimitReader(resp.Body, most))
	rest := io.Reader(resp.Body)
	if err != nil {
		rest = &failedReader{err}
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), rest), resp.Body}
	return head, err
}

type failedReader struct{ err error }

func (r *failedReader) Read([]byte) (int, error) { return 0, r.err }

// looksLikeFal reports whether a body is a JSON object with one of the fields
// that fal's answers have. Of an object that is cut off it is assumed.
func looksLikeFal(head []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(head, []byte("\ufeff"))))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return false
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return cutOff(err)
		}
		switch key {
		case "detail", "error_type", "error", "status", "request_id":
			return true
		}
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			return cutOff(err)
		}
	}
	_, err := dec.Token() // the closing brace, if there is one
	return cutOff(err)
}

func cutOff(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// provesUnsent reports whether an error proves that no request was written:
// looking up the name, connecting or the TLS handshake failed.
func provesUnsent(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	_, lookUp := errors.AsType[*net.DNSError](err)
	_, notTLS := errors.AsType[tls.RecordHeaderError](err)
	return lookUp || notTLS || strings.HasSuffix(err.Error(), "TLS handshake timeout") || untrusted(err)
}

// untrusted reports whether the server's certificate is not trusted, which
// will be the same the next time.
func untrusted(err error) bool {
	_, invalid := errors.AsType[*tls.CertificateVerificationError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, usage := errors.AsType[x509.CertificateInvalidError](err)
	return invalid || authority || host || usage
}
