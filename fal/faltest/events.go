package faltest

import (
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"slices"
	"time"
)

// charged are the requests that were charged, whose lag is over, in a time.
func (s *Server) charged(start, end time.Time) []past {
	_, lag := s.lags()
	return slices.DeleteFunc(s.history(lag), func(p past) bool {
		units, ok := new(big.Rat).SetString(p.bill.Units)
		return !ok || units.Sign() == 0 || p.ended.Before(start) || !p.ended.Before(end)
	})
}

// serveEvents lists what requests were charged. What is not charged has no
// event. Endpoints are named by owner and name of the app alone, as the service
// may do.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	start, end, ok := s.spanOf(w, query, 24*time.Hour)
	if !ok || tooMany(w, query, "endpoint_id", "request_id", "api_key_id", "login_username") {
		return
	}
	events := []map[string]any{}
	for _, p := range s.charged(start, end) {
		if !matches(query, "endpoint_id", p.endpoint, appOf(p.endpoint)) || !matches(query, "request_id", p.id) || !matches(query, "login_username", username) {
			continue
		}
		event := map[string]any{
			"request_id": p.id, "endpoint_id": appOf(p.endpoint), "timestamp": iso(p.ended), "output_units": json.Number(p.bill.Units),
			"unit_price": nil, "percent_discount": json.Number(p.discount),
		}
		if c, ok := p.costOf(); ok {
			event["unit_price"] = p.price.UnitPrice
			event["cost_subtotal"], event["cost_discount"], event["cost_total"] = number(c.subtotal), number(c.discount), number(c.total)
			nano := new(big.Rat).Mul(c.total, big.NewRat(1_000_000_000, 1))
			event["cost_estimate_nano_usd"] = json.Number(nano.FloatString(0))
		}
		events = append(events, event)
	}
	writePage(w, query, "billing_events", events, 1000, 10_000)
}

// username is whose account this is.
const username = "faltest"

// serveUsage sums up what was charged, by time and in all.
func (s *Server) serveUsage(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	start, end, ok := s.spanOf(w, query, 24*time.Hour)
	if !ok || tooMany(w, query, "endpoint_id", "api_key_id", "login_username") {
		return
	}
	width := map[string]time.Duration{"": 24 * time.Hour, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour, "month": 30 * 24 * time.Hour}[query.Get("timeframe")]
	if width == 0 {
		badQuery(w, "timeframe: must be minute, hour, day, week or month")
		return
	}
	if _, err := time.LoadLocation(query.Get("timezone")); err != nil {
		badQuery(w, "timezone: is not known")
		return
	}
	rows := slices.DeleteFunc(s.charged(start, end), func(p past) bool { return !matches(query, "endpoint_id", p.endpoint) })
	slices.Reverse(rows) // the oldest first
	answer := make(map[string]any)
	expand := idsOf(query, "expand")
	if len(expand) == 0 || slices.Contains(expand, "time_series") {
		series := []map[string]any{}
		for len(rows) > 0 {
			begin := rows[0].ended.UTC().Truncate(width)
			n := slices.IndexFunc(rows, func(p past) bool { return !p.ended.Before(begin.Add(width)) })
			if n < 0 {
				n = len(rows)
			}
			series = append(series, map[string]any{"bucket": iso(begin), "results": usageOf(rows[:n])})
			rows = rows[n:]
		}
		answer["time_series"] = series
	}
	if slices.Contains(expand, "summary") {
		answer["summary"] = usageOf(slices.DeleteFunc(s.charged(start, end), func(p past) bool { return !matches(query, "endpoint_id", p.endpoint) }))
	}
	writeJSON(w, http.StatusOK, answer)
}

// usageOf sums up requests by endpoint and price.
func usageOf(rows []past) []map[string]any {
	type key struct{ endpoint, unit, price, discount string }
	type sum struct{ units, subtotal, discount, total big.Rat }
	sums := make(map[key]*sum)
	var order []key
	for i := range rows {
		p := &rows[i]
		k := key{p.endpoint, p.price.Unit, p.price.UnitPrice.String(), p.discount}
		if sums[k] == nil {
			sums[k] = new(sum)
			order = append(order, k)
		}
		if units, ok := new(big.Rat).SetString(p.bill.Units); ok {
			sums[k].units.Add(&sums[k].units, units)
		}
		if c, ok := p.costOf(); ok {
			sums[k].subtotal.Add(&sums[k].subtotal, c.subtotal)
			sums[k].discount.Add(&sums[k].discount, c.discount)
			sums[k].total.Add(&sums[k].total, c.total)
		}
	}
	lines := make([]map[string]any, len(order))
	for i, k := range order {
		line := map[string]any{"endpoint_id": k.endpoint, "unit": k.unit, "quantity": number(&sums[k].units), "percent_discount": json.Number(k.discount), "currency": "USD"}
		if k.price != "" {
			line["unit_price"] = json.Number(k.price)
			line["cost_subtotal"], line["cost_discount"], line["cost_total"] = number(&sums[k].subtotal), number(&sums[k].discount), number(&sums[k].total)
		}
		lines[i] = line
	}
	return lines
}

// serveEstimate answers what units or calls cost together: calls by what those
// of the history have cost on average.
func (s *Server) serveEstimate(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Type      string `json:"estimate_type"`
		Endpoints map[string]struct {
			Calls json.Number `json:"call_quantity"`
			Units json.Number `json:"unit_quantity"`
		} `json:"endpoints"`
	}
	body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err := json.Unmarshal(body, &in); err != nil || len(in.Endpoints) == 0 || len(in.Endpoints) > maxIDs {
		badQuery(w, "endpoints: between 1 and 50 are required")
		return
	}
	total := new(big.Rat)
	for id, quantity := range in.Endpoints {
		var amount *big.Rat
		var problem string
		switch in.Type {
		case "unit_price":
			amount, problem = s.estimateUnits(id, quantity.Units.String())
		case "historical_api_price":
			amount, problem = s.estimateCalls(id, quantity.Calls.String())
		default:
			badQuery(w, "estimate_type: must be unit_price or historical_api_price")
			return
		}
		switch {
		case problem != "":
			badQuery(w, "%s: %s", id, problem)
			return
		case amount == nil:
			platformError(w, http.StatusNotFound, "not_found", "No price for "+id) // unconfirmed
			return
		}
		total.Add(total, amount)
	}
	writeJSON(w, http.StatusOK, map[string]any{"estimate_type": in.Type, "total_cost": number(total), "currency": "USD"})
}

func (s *Server) estimateUnits(id, quantity string) (amount *big.Rat, problem string) {
	n, ok := new(big.Rat).SetString(quantity)
	if !ok || n.Cmp(big.NewRat(1, 1_000_000)) < 0 {
		return nil, "unit_quantity: must be a number of at least 0.000001"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	price, ok := new(big.Rat).SetString(s.platform.prices[id].UnitPrice.String())
	if !ok {
		return nil, ""
	}
	return n.Mul(n, price), ""
}

func (s *Server) estimateCalls(id, quantity string) (amount *big.Rat, problem string) {
	n, ok := new(big.Rat).SetString(quantity)
	if !ok || !n.IsInt() || n.Sign() <= 0 {
		return nil, "call_quantity: must be a whole number of at least 1"
	}
	sum, count := new(big.Rat), int64(0)
	for _, p := range s.charged(time.Time{}, s.now().Add(time.Hour)) {
		if c, ok := p.costOf(); ok && p.endpoint == id {
			sum.Add(sum, c.total)
			count++
		}
	}
	if count == 0 {
		return nil, ""
	}
	return n.Mul(n, sum.Quo(sum, big.NewRat(count, 1))), ""
}

// serveAccount answers whose account it is and what is left.
func (s *Server) serveAccount(w http.ResponseWriter, r *http.Request) {
	answer := map[string]any{"username": username}
	if slices.Contains(idsOf(r.URL.Query(), "expand"), "credits") {
		answer["credits"] = map[string]any{"current_balance": json.Number("100"), "currency": "USD"}
	}
	writeJSON(w, http.StatusOK, answer)
}
