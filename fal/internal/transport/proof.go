package transport

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
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
// request was not accepted and may be repeated. A 503 does not: a gateway that
// had passed the request on answers the same.
func notAccepted(resp *http.Response) bool {
	if resp.StatusCode != http.StatusTooManyRequests {
		return false
	}
	// The model may have been refused by another, when it had begun to work.
	billed := strings.Trim(resp.Header.Get("X-Fal-Billable-Units"), "0.") != ""
	needsRetry := strings.ToLower(resp.Header.Get("X-Fal-Needs-Retry"))
	return !billed && needsRetry != "0" && needsRetry != "false"
}

// provesUnsent reports whether an error proves that no request was written:
// looking up the name, connecting or the TLS handshake failed.
func provesUnsent(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	_, lookUp := errors.AsType[*net.DNSError](err)
	_, notTLS := errors.AsType[tls.RecordHeaderError](err)
	return lookUp || notTLS || strings.HasSuffix(err.Error(), "TLS handshake timeout") || Untrusted(err)
}

// Untrusted reports whether the server's certificate is not trusted, which
// will be the same the next time.
func Untrusted(err error) bool {
	_, invalid := errors.AsType[*tls.CertificateVerificationError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, usage := errors.AsType[x509.CertificateInvalidError](err)
	return invalid || authority || host || usage
}
