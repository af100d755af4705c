package faltest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"
)

// past is a request of the request history.
type past struct {
	id, endpoint         string
	sent, started, ended time.Time
	status               int
	input, output        []byte // nil where they are not kept
	bill                 *Bill
	price                price // at that time; zero without one
	discount             string
}

// What the history keeps: so many requests, and so many bytes of what was sent
// and came back. Tests lower the second.
const pastKept = 10_000

var payloadBytes = 64 << 20

// pasts are the requests of the history, the oldest first.
type pasts struct {
	all   []*past
	bytes int
	bare  int // so many of the oldest have no payloads any more
}

// add keeps a request, and lets payloads and requests go for which there is no
// room.
func (p *pasts) add(one *past) {
	p.all = append(p.all, one)
	p.bytes += len(one.input) + len(one.output)
	for p.bytes > payloadBytes && p.bare < len(p.all) {
		p.drop(p.all[p.bare])
		p.bare++
	}
	if len(p.all) >= 2*pastKept {
		for _, old := range p.all[:pastKept] {
			p.drop(old)
		}
		p.all, p.bare = slices.Clone(p.all[pastKept:]), max(0, p.bare-pastKept)
	}
}

// drop forgets the payloads of a request.
func (p *pasts) drop(one *past) {
	p.bytes -= len(one.input) + len(one.output)
	one.input, one.output = nil, nil
}

// remember adds a request to the history. The lock is held.
func (s *Server) remember(bill *Bill, body []byte, a answer, stored bool, sent, started, ended time.Time) *past {
	one := &past{
		id: bill.RequestID, endpoint: bill.Endpoint, sent: sent, started: started, ended: ended, status: a.status,
		bill: bill, price: s.platform.prices[bill.Endpoint], discount: s.platform.discount,
	}
	if stored {
		one.input, one.output = body, a.body
	}
	s.pasts.add(one)
	return one
}

// history returns the requests that the platform lists, the latest end first:
// those that have ended and whose lag is over. That requests under way are not
// listed is unconfirmed.
func (s *Server) history(lag time.Duration) []past {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	var list []past
	for _, one := range slices.Backward(s.pasts.all) {
		if !now.Before(one.ended.Add(lag)) {
			row := *one
			row.bill = &Bill{Units: one.bill.Units}
			list = append(list, row)
		}
	}
	slices.SortStableFunc(list, func(a, b past) int { return b.ended.Compare(a.ended) })
	return list
}

func (s *Server) lags() (history, bills time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.platform.lag, s.platform.billLag
}

// row is the JSON of a request in the history.
func (p *past) row(payloads bool) map[string]any {
	row := map[string]any{
		"request_id": p.id, "endpoint_id": p.endpoint, "sent_at": iso(p.sent), "started_at": iso(p.started), "ended_at": iso(p.ended),
		"status_code": p.status, "duration": p.ended.Sub(p.started).Seconds(),
	}
	if payloads {
		row["json_input"], row["json_output"] = rawOrNil(p.input), rawOrNil(p.output)
	}
	return row
}

// rawOrNil is a body that is shown as it is, if it is JSON.
func rawOrNil(body []byte) any {
	if !json.Valid(body) {
		return nil
	}
	return json.RawMessage(body)
}

func iso(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// kindOf returns the status by which the history can be filtered.
func (p *past) kindOf() string {
	switch {
	case p.status < 400:
		return "success"
	case p.status < 500:
		return "user_error"
	}
	return "error"
}

// serveHistory lists past requests to an endpoint, by when they were sent. By
// which of its times the service selects is unconfirmed.
func (s *Server) serveHistory(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	endpoints := idsOf(query, "endpoint_id")
	if len(endpoints) == 0 || len(endpoints) > maxIDs {
		badQuery(w, "endpoint_id: is required")
		return
	}
	if status := query.Get("status"); status != "" && !slices.Contains([]string{"success", "error", "user_error"}, status) {
		badQuery(w, "status: must be success, error or user_error")
		return
	}
	if sort := query.Get("sort_by"); sort != "" && sort != "ended_at" && sort != "duration" {
		badQuery(w, "sort_by: must be ended_at or duration")
		return
	}
	usual := 24 * time.Hour
	if query.Get("request_id") != "" {
		usual = maxSpan
	}
	start, end, ok := s.spanOf(w, query, usual)
	if !ok {
		return
	}
	lag, _ := s.lags()
	rows := slices.DeleteFunc(s.history(lag), func(p past) bool {
		return !slices.Contains(endpoints, p.endpoint) || !matches(query, "request_id", p.id) ||
			query.Get("status") != "" && query.Get("status") != p.kindOf() || p.sent.Before(start) || !p.sent.Before(end)
	})
	if query.Get("sort_by") == "duration" {
		slices.SortStableFunc(rows, func(a, b past) int {
			return cmp.Compare(b.ended.Sub(b.started), a.ended.Sub(a.started))
		})
	}
	writePage(w, query, "items", rowsOf(rows, slices.Contains(idsOf(query, "expand"), "payloads")), 50, 100)
}

func rowsOf(list []past, payloads bool) []map[string]any {
	rows := make([]map[string]any, len(list))
	for i := range list {
		rows[i] = list[i].row(payloads)
	}
	return rows
}

// serveSearch lists past requests in whose input or output a text stands: the
// service looks for what is similar.
func (s *Server) serveSearch(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	var wanted string
	for _, name := range []string{"query", "image_url", "video_url"} {
		if text := query.Get(name); text != "" && wanted == "" {
			wanted = text
		}
	}
	if wanted == "" {
		badQuery(w, "query, image_url or video_url: one is required")
		return
	}
	lag, _ := s.lags()
	rows := slices.DeleteFunc(s.history(lag), func(p past) bool {
		return !bytes.Contains(bytes.ToLower(slices.Concat(p.input, p.output)), []byte(strings.ToLower(wanted)))
	})
	writePage(w, query, "items", rowsOf(rows, true), 50, 100)
}

// serveDeletion deletes payloads and the files that were made. What was
// answered under an idempotency key is answered again.
func (s *Server) serveDeletion(w http.ResponseWriter, r *http.Request) {
	_, rest, _ := strings.Cut(r.URL.Path, "/v1/models/requests/")
	id, ok := strings.CutSuffix(rest, "/payloads")
	if !ok {
		platformError(w, http.StatusNotFound, "not_found", "Path not found")
		return
	}
	key := r.Header.Get("Idempotency-Key")
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, done := s.platform.deletions[key]; done && key != "" {
		a.write(w)
		return
	}
	i := slices.IndexFunc(s.pasts.all, func(p *past) bool { return p.id == id })
	if i < 0 {
		platformError(w, http.StatusNotFound, "not_found", "Request not found")
		return
	}
	results := []map[string]any{}
	for name := range s.files.byName {
		if strings.HasPrefix(name, "files/b/"+id+"/") {
			delete(s.files.byName, name)
			results = append(results, map[string]any{"link": s.origin(r) + "/v3.fal.media/" + name, "exception": nil})
		}
	}
	s.pasts.drop(s.pasts.all[i])
	a := answer{status: http.StatusOK, body: mustJSON(map[string]any{"cdn_delete_results": results})}
	if len(s.platform.deletions) < mostRemarks {
		s.platform.deletions[key] = a
	}
	a.write(w)
}

// cost is what a request is charged, in decimals of a dollar.
type cost struct{ subtotal, discount, total *big.Rat }

// costOf returns what a request is charged, and whether there is a price.
func (p *past) costOf() (c cost, ok bool) {
	units, okUnits := new(big.Rat).SetString(p.bill.Units)
	price, okPrice := new(big.Rat).SetString(p.price.UnitPrice.String())
	percent, okPercent := new(big.Rat).SetString(p.discount)
	if !okUnits || !okPrice || !okPercent {
		return c, false
	}
	c.subtotal = units.Mul(units, price)
	c.discount = percent.Mul(percent, c.subtotal)
	c.discount.Quo(c.discount, big.NewRat(100, 1))
	c.total = new(big.Rat).Sub(c.subtotal, c.discount)
	return c, true
}

// number returns an amount as a JSON number. Decimals are exact up to 18
// places.
func number(r *big.Rat) json.Number {
	text := r.FloatString(18)
	return json.Number(strings.TrimSuffix(strings.TrimRight(text, "0"), "."))
}
