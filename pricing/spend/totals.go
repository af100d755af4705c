package spend

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/falimage/falimage-go/pricing"
)

// Total is the sum of several requests.
type Total struct {
	// Requests is the number of requests that were charged or may be.
	Requests int64 `json:"requests"`
	// Open is the number of those that are not settled yet, and Reserved what
	// is set aside for them.
	Open     int64       `json:"open"`
	Reserved pricing.USD `json:"reserved"`
	// Quoted is the sum of what was expected, and Billed of what was billed, by
	// the dearest reading where sources disagree on the price or on what a unit
	// is. Least is the sum by the cheapest reading: fal's own bill is between
	// the two.
	Quoted pricing.USD `json:"quoted"`
	Billed pricing.USD `json:"billed"`
	Least  pricing.USD `json:"least"`
}

// MonthTotal is the sum of the requests of a month to one endpoint, by the month
// of the quote in UTC, such as "2026-11".
type MonthTotal struct {
	Month    string `json:"month"`
	Endpoint string `json:"endpoint"`
	// Tag is the tag of the requests; zero for those with and without tags
	// together.
	Tag Tag `json:"tag"`
	Total
}

// Totals are sums of the requests in a ledger. Requests that were released,
// since they were refused or failed uncharged, do not count. In JSON the names
// are those of the fields in small letters.
type Totals struct {
	All       Total            `json:"all"`
	Endpoints map[string]Total `json:"endpoints"`
	Tags      map[Tag]Total    `json:"tags"`
	Days      map[string]Total `json:"days"` // by the day of the quote in UTC, such as "2026-11-23"
	// Months has a line for each tag, month and endpoint, in this order: what
	// each tenant spent in each month by each model. Those of all come first.
	Months []MonthTotal `json:"months"`
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
	if sum.Least, err = t.Least.Add(u.Least); err != nil {
		return t, err
	}
	_, err = sum.Billed.Add(sum.Reserved)
	return sum, err
}

// cell is what a MonthTotal is of.
type cell struct {
	month, endpoint string
	tag             Tag
}

func monthOf(t time.Time) string { return t.UTC().Format("2006-01") }

// listed returns the sums of months in order.
func (b *books) listed() []MonthTotal {
	months := make([]MonthTotal, 0, len(b.months))
	for c, sum := range b.months {
		months = append(months, MonthTotal{c.month, c.endpoint, c.tag, sum})
	}
	slices.SortFunc(months, func(a, b MonthTotal) int {
		return cmp.Or(compareTags(a.Tag, b.Tag), strings.Compare(a.Month, b.Month), strings.Compare(a.Endpoint, b.Endpoint))
	})
	return months
}
