package faltest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
)

// price is what the platform says of an endpoint's price.
type price struct {
	Endpoint  string      `json:"endpoint_id"`
	UnitPrice json.Number `json:"unit_price"`
	Unit      string      `json:"unit"`
	Currency  string      `json:"currency"`
}

var decimal = regexp.MustCompile(`^(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// SetPrice sets what the platform's pricing API says of an endpoint: a decimal
// of US dollars, such as "0.03", and what it buys, such as "megapixels". It
// says nothing of endpoints that were not set. What requests are billed does
// not change. It panics if the price is no such decimal or a name is empty.
func (s *Server) SetPrice(endpoint, unitPrice, unit string) {
	must(endpoint != "" && unit != "", "SetPrice(%q, %q, %q): endpoint and unit must not be empty", endpoint, unitPrice, unit)
	must(decimal.MatchString(unitPrice), "SetPrice(%q, %q, %q): the price must be a decimal number of US dollars, such as \"0.03\"", endpoint, unitPrice, unit)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prices[endpoint] = price{endpoint, json.Number(unitPrice), unit, "USD"}
}

// servePlatform serves api.fal.ai: what models cost.
func (s *Server) servePlatform(w http.ResponseWriter, r *http.Request, p string) {
	s.count(func(l *Ledger) { l.Platform++ })
	s.faulty(w, r, OpPlatform, p, func(w http.ResponseWriter) {
		switch {
		case p == "v1/meta":
			writeJSON(w, http.StatusOK, map[string]any{"webhook_ip_ranges": []string{"127.0.0.1/32", "::1/128"}})
		case p != "v1/models/pricing":
			platformError(w, http.StatusNotFound, "not_found", "Path /"+p+" not found")
		case r.Method != http.MethodGet:
			platformError(w, http.StatusMethodNotAllowed, "validation_error", "Method Not Allowed") // unconfirmed
		default:
			s.servePrices(w, r)
		}
	})
}

// servePrices answers what the endpoints cost that are asked for, by repeated
// parameters or a list with commas. That unknown ones are left out is
// unconfirmed.
func (s *Server) servePrices(w http.ResponseWriter, r *http.Request) {
	const most = 50
	var ids []string
	for _, list := range r.URL.Query()["endpoint_id"] {
		ids = append(ids, strings.Split(list, ",")...)
	}
	if len(ids) == 0 || len(ids) > most {
		platformError(w, http.StatusBadRequest, "validation_error", "endpoint_id: between 1 and 50 are required")
		return
	}
	prices := make([]price, 0, len(ids))
	s.mu.Lock()
	for _, id := range ids {
		if p, ok := s.prices[id]; ok {
			prices = append(prices, p)
		}
	}
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"prices": prices, "next_cursor": nil, "has_more": false})
}

// platformError answers in the form of the platform API.
func platformError(w http.ResponseWriter, status int, errorType, message string) {
	writeJSON(w, status, map[string]any{"error": map[string]string{"type": errorType, "message": message}})
}

// RateLimited answers with status 429 as the platform does, and says after how
// many seconds to ask again.
func RateLimited(seconds string) Fault {
	return Fault{exchange: func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
		w.Header().Set("X-Ratelimit-Reset", seconds)
		platformError(w, http.StatusTooManyRequests, "rate_limited", "Too many requests")
	}}
}
