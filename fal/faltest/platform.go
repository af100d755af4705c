package faltest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// platform is what the platform API knows beside what was requested.
type platform struct {
	prices    map[string]price
	discount  string        // percent, a decimal
	lag       time.Duration // of the history
	billLag   time.Duration
	change    func([]map[string]any) []map[string]any
	keys      []*apiKey
	access    map[string]json.RawMessage // of files, by their address
	settings  json.RawMessage
	deletions map[string]answer // by idempotency key
}

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
// says nothing of endpoints that were not set. How many units requests are
// billed does not change; billing events multiply them with this price, and
// tell no amount where there is none. It panics if the price is no such decimal
// or a name is empty.
func (s *Server) SetPrice(endpoint, unitPrice, unit string) {
	must(endpoint != "" && unit != "", "SetPrice(%q, %q, %q): endpoint and unit must not be empty", endpoint, unitPrice, unit)
	must(decimal.MatchString(unitPrice), "SetPrice(%q, %q, %q): the price must be a decimal number of US dollars, such as \"0.03\"", endpoint, unitPrice, unit)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.platform.prices[endpoint] = price{endpoint, json.Number(unitPrice), unit, "USD"}
}

// SetDiscount sets by how many percent less than its price each request is
// charged from now on, such as "10" or "12.5". It panics if that is no decimal
// from 0 to 100.
func (s *Server) SetDiscount(percent string) {
	value, _ := strconv.ParseFloat(percent, 64)
	must(decimal.MatchString(percent) && value <= 100, "SetDiscount(%q): must be a decimal from 0 to 100", percent)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.platform.discount = percent
}

// SetLag sets how long after its end a request is missing in the request
// history, and how long in the billing events. The default is no time. It
// panics if one is negative.
func (s *Server) SetLag(history, bills time.Duration) {
	must(history >= 0 && bills >= 0, "SetLag(%v, %v): must not be negative", history, bills)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.platform.lag, s.platform.billLag = history, bills
}

// ChangeModels has a function change the list of models that the platform tells,
// each in the form of its JSON with its OpenAPI description, before it is sent:
// what it returns is the list. Nil ends it.
func (s *Server) ChangeModels(f func(models []map[string]any) []map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.platform.change = f
}

// Admin returns a client like that of [Server.Client] with a key of admin scope,
// which bills, usage, keys and the balance need.
func (s *Server) Admin() *fal.Client {
	return &fal.Client{Key: fal.NewKey(s.adminKey()), Hosts: s.Hosts()}
}

func (s *Server) adminKey() string { return "admin-" + s.key }

// Scopes of API keys.
const (
	scopeAPI   = "API"
	scopeAdmin = "ADMIN"
)

// scopeOf returns the scope of a key, "" if there is no such key.
func (s *Server) scopeOf(key string) string {
	switch key {
	case s.key:
		return scopeAPI
	case s.adminKey():
		return scopeAdmin
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.platform.keys {
		if k.ID+":"+k.secret == key {
			return k.Scope
		}
	}
	return ""
}

// endpoint of the platform: who may call it, and what does it.
type platformCall struct {
	scope string // "" for everybody
	serve func(*Server, http.ResponseWriter, *http.Request)
}

// platformCalls are the calls of the platform, by method and path.
var platformCalls = map[string]platformCall{
	"GET v1/models":                      {"", (*Server).serveModels},
	"GET v1/meta":                        {"", (*Server).serveMeta},
	"GET v1/models/pricing":              {scopeAPI, (*Server).servePrices},
	"POST v1/models/pricing/estimate":    {scopeAPI, (*Server).serveEstimate},
	"GET v1/models/usage":                {scopeAdmin, (*Server).serveUsage},
	"GET v1/models/billing-events":       {scopeAdmin, (*Server).serveEvents},
	"GET v1/models/requests/by-endpoint": {scopeAPI, (*Server).serveHistory},
	"GET v1/models/requests/search":      {scopeAPI, (*Server).serveSearch},
	"DELETE v1/models/requests/*":        {scopeAdmin, (*Server).serveDeletion},
	"GET v1/account/billing":             {scopeAdmin, (*Server).serveAccount},
	"GET v1/keys":                        {scopeAdmin, (*Server).serveAPIKeys},
	"POST v1/keys":                       {scopeAdmin, (*Server).serveNewKey},
	"DELETE v1/keys/*":                   {scopeAdmin, (*Server).serveOldKey},
	"GET v1/storage/files/acl":           {scopeAPI, (*Server).serveAccess},
	"PUT v1/storage/files/acl":           {scopeAPI, (*Server).serveAccess},
	"POST v1/storage/files/sign":         {scopeAPI, (*Server).serveSign},
	"GET v1/storage/settings":            {scopeAPI, (*Server).serveSettings},
	"PUT v1/storage/settings":            {scopeAPI, (*Server).serveSettings},
}

// servePlatform serves api.fal.ai.
func (s *Server) servePlatform(w http.ResponseWriter, r *http.Request, p string) {
	s.count(func(l *Ledger) { l.Platform++ })
	s.faulty(w, r, OpPlatform, p, func(w http.ResponseWriter) {
		for _, prefix := range []string{"v1/keys/", "v1/models/requests/"} {
			if strings.HasPrefix(p, prefix) && r.Method == http.MethodDelete {
				p = prefix + "*"
			}
		}
		call, ok := platformCalls[r.Method+" "+p]
		if !ok {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
				if _, other := platformCalls[method+" "+p]; other {
					platformError(w, http.StatusMethodNotAllowed, "validation_error", "Method Not Allowed") // unconfirmed
					return
				}
			}
			platformError(w, http.StatusNotFound, "not_found", "Path /"+p+" not found")
			return
		}
		key, given := strings.CutPrefix(r.Header.Get("Authorization"), "Key ")
		scope := s.scopeOf(key)
		switch {
		case call.scope == "" && !given:
		case scope == "":
			platformError(w, http.StatusUnauthorized, "authorization_error", "Authentication is required to access this endpoint")
			return
		case call.scope == scopeAdmin && scope != scopeAdmin:
			platformError(w, http.StatusForbidden, "authorization_error", "This endpoint requires an API key with ADMIN scope")
			return
		}
		call.serve(s, w, r)
	})
}

// platformError answers in the form of the platform API.
func platformError(w http.ResponseWriter, status int, errorType, message string) {
	writeJSON(w, status, map[string]any{"error": map[string]string{"type": errorType, "message": message}})
}

// badQuery answers for a parameter that is not accepted.
func badQuery(w http.ResponseWriter, format string, args ...any) {
	platformError(w, http.StatusBadRequest, "validation_error", fmt.Sprintf(format, args...))
}

// maxIDs is how many ids a parameter takes.
const maxIDs = 50

// idsOf returns the ids of a parameter, which is repeated or a list with commas.
func idsOf(query url.Values, name string) []string {
	var ids []string
	for _, list := range query[name] {
		ids = append(ids, strings.Split(list, ",")...)
	}
	return ids
}

// tooMany answers for parameters that have more ids than they take.
func tooMany(w http.ResponseWriter, query url.Values, names ...string) bool {
	for _, name := range names {
		if ids := idsOf(query, name); len(ids) > maxIDs {
			badQuery(w, "%s: between 1 and %d are accepted", name, maxIDs)
			return true
		}
	}
	return false
}

// matches reports whether a value is among the ids of a parameter, if it has
// any.
func matches(query url.Values, name string, values ...string) bool {
	ids := idsOf(query, name)
	return len(ids) == 0 || slices.ContainsFunc(values, func(v string) bool { return slices.Contains(ids, v) })
}

// maxSpan is how long a time one call looks back over.
const maxSpan = 90 * 24 * time.Hour

// spanOf reads start and end of a query: 24 hours until now by default, or as
// long as given.
func (s *Server) spanOf(w http.ResponseWriter, query url.Values, usual time.Duration) (start, end time.Time, ok bool) {
	end = s.now()
	for name, t := range map[string]*time.Time{"start": &start, "end": &end} {
		text := query.Get(name)
		if text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			at, err = time.Parse(time.DateOnly, text)
		}
		if err != nil {
			badQuery(w, "%s: must be an ISO 8601 time or date", name)
			return start, end, false
		}
		*t = at
	}
	if start.IsZero() {
		start = end.Add(-usual)
	}
	if end.Sub(start) > maxSpan {
		badQuery(w, "start, end: at most 90 days are accepted")
		return start, end, false
	}
	if !start.Before(end) {
		badQuery(w, "start: must be before end")
		return start, end, false
	}
	return start, end, true
}

// writePage answers with the part of a list that a query asks for, under a
// name.
func writePage[T any](w http.ResponseWriter, query url.Values, name string, items []T, usual, most int) {
	limit := usual
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			badQuery(w, "limit: must be between 1 and %d", most)
			return
		}
		limit = n
	}
	begin := 0
	if cursor := query.Get("cursor"); cursor != "" {
		text, err := base64.RawURLEncoding.DecodeString(cursor)
		n, errN := strconv.Atoi(strings.TrimPrefix(string(text), "at:"))
		if err != nil || errN != nil || n < 0 {
			badQuery(w, "cursor: is not one that this call has given")
			return
		}
		begin = n
	}
	begin = min(begin, len(items))
	end := min(begin+limit, len(items))
	page := map[string]any{name: append([]T{}, items[begin:end]...), "next_cursor": nil, "has_more": end < len(items)}
	if end < len(items) {
		page["next_cursor"] = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "at:%d", end))
	}
	writeJSON(w, http.StatusOK, page)
}

// servePrices answers what the endpoints cost that are asked for. That unknown
// ones are left out is unconfirmed.
func (s *Server) servePrices(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	ids := idsOf(query, "endpoint_id")
	if len(ids) == 0 || len(ids) > maxIDs {
		badQuery(w, "endpoint_id: between 1 and 50 are required")
		return
	}
	prices := make([]price, 0, len(ids))
	s.mu.Lock()
	for _, id := range ids {
		if p, ok := s.platform.prices[id]; ok {
			prices = append(prices, p)
		}
	}
	s.mu.Unlock()
	writePage(w, query, "prices", prices, maxIDs, maxIDs)
}

// serveMeta answers where webhooks are called from.
func (s *Server) serveMeta(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"webhook_ip_ranges": []string{"127.0.0.1/32", "::1/128"}})
}

// RateLimited answers with status 429 as the platform does, and says after how
// many seconds to ask again.
func RateLimited(seconds string) Fault {
	return Fault{exchange: func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
		w.Header().Set("X-Ratelimit-Reset", seconds)
		platformError(w, http.StatusTooManyRequests, "rate_limited", "Too many requests")
	}}
}
