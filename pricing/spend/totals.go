package spend

import (
	"maps"

	"github.com/falimage/falimage-go/pricing"
)

// Total is the sum of several requests.
type Total struct {
	// Requests is the number of requests that were charged or may be.
	Requests int64
	// Open is the number of those that are not settled yet, and Reserved what
	// is set aside for them.
	Open     int64
	Reserved pricing.USD
	// Quoted is the sum of what was expected, and Billed of what was billed.
	Quoted, Billed pricing.USD
}

// Tag is the name and value of a tag.
type Tag struct{ Name, Value string }

// Totals are sums of the requests in a ledger. Requests that were released,
// since they were refused or failed uncharged, do not count.
type Totals struct {
	All       Total
	Endpoints map[string]Total
	Tags      map[Tag]Total
	Days      map[string]Total // by the day of the quote in UTC, such as "2026-11-23"
}

func (t Totals) clone() Totals {
	t.Endpoints, t.Tags, t.Days = maps.Clone(t.Endpoints), maps.Clone(t.Tags), maps.Clone(t.Days)
	return t
}

func (t Total) plus(u Total) (sum Total, err error) {
	sum = Total{Requests: t.Requests + u.Requests, Open: t.Open + u.Open}
	if sum.Reserved, err = t.Reserved.Add(u.Reserved); err != nil {
		return t, err
	}
	if sum.Quoted, err = t.Quoted.Add(u.Quoted); err != nil {
		return t, err
	}
	if sum.Billed, err = t.Billed.Add(u.Billed); err != nil {
		return t, err
	}
	_, err = sum.Billed.Add(sum.Reserved)
	return sum, err
}
