package plan

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/falimage/falimage-go/pricing"
)

// Part is a share of a plan: a model, by the quote of a typical request.
type Part struct {
	// Name is what the plan calls it; "" means the endpoint of the quote.
	Name  string
	Quote pricing.Quote
	// Share is how many parts of the whole it makes: 70 and 30 are the same
	// shares as 7 and 3. 0 means 1.
	Share int64
}

// Row is a line of a plan.
type Row struct {
	Name string
	// Images is how many images it makes, and Requests how many it takes: a
	// request may make several.
	Images, Requests int64
	pricing.Amounts
}

// Plan is what a number of images costs, made by one or several models.
type Plan struct {
	Rows []Row
	// Images and Amounts are the sums of the rows.
	Images int64
	pricing.Amounts
}

// New returns what it costs to make the given number of images, split among
// the parts by their shares:
//
//	month, err := plan.New(10_000,
//		plan.Part{Name: "drafts", Quote: schnell, Share: 70},
//		plan.Part{Name: "finals", Quote: pro, Share: 30})
//
// Where the images do not divide evenly the parts that lose most by rounding
// get one more each, so that the rows add up. A part that has no price makes
// the plan fail with [pricing.ErrUnknown].
func New(images int64, parts ...Part) (Plan, error) {
	counts, err := split(images, parts)
	if err != nil {
		return Plan{}, err
	}
	return plan(parts, counts)
}

// plan returns the plan of so many images by each of the parts.
func plan(parts []Part, counts []int64) (p Plan, err error) {
	for i, part := range parts {
		row, err := part.row(counts[i])
		if err != nil {
			return Plan{}, err
		}
		if err := p.add(row); err != nil {
			return Plan{}, err
		}
	}
	return p, nil
}

// Sum returns the plan of making each of the quoted requests once, a row for
// each endpoint in the order of their first quotes.
func Sum(quotes ...pricing.Quote) (p Plan, err error) {
	rows := make(map[string]int)
	for i := range quotes {
		q := &quotes[i]
		if q.Max == 0 {
			return Plan{}, noQuote(q.Endpoint)
		}
		at, ok := rows[q.Endpoint]
		if !ok {
			at = len(p.Rows)
			rows[q.Endpoint] = at
			p.Rows = append(p.Rows, Row{Name: q.Endpoint})
		}
		row, images := &p.Rows[at], q.Images()
		row.Requests++
		// The row is part of the plan, so it cannot overflow before.
		if p.Images, err = count(p.Images, images); err != nil {
			return Plan{}, err
		}
		row.Images += images
		if p.Amounts, err = p.Amounts.Add(q.Amounts); err != nil {
			return Plan{}, err
		}
		if row.Amounts, err = row.Add(q.Amounts); err != nil {
			return Plan{}, err
		}
	}
	return p, nil
}

// Rank returns what it costs to make all the images with each of the parts
// alone, the cheapest way first. Shares do not count.
func Rank(images int64, parts ...Part) ([]Row, error) {
	rows := make([]Row, len(parts))
	for i, part := range parts {
		var err error
		if rows[i], err = part.row(images); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Expected, b.Expected), cmp.Compare(a.Max, b.Max))
	})
	return rows, nil
}

func (p Part) name() string { return cmp.Or(p.Name, p.Quote.Endpoint) }

// row returns what the given number of images costs by this part alone.
func (p Part) row(images int64) (r Row, err error) {
	r = Row{Name: p.name(), Images: images}
	if images < 0 {
		return r, fmt.Errorf("plan: %s: %d images: must not be negative", r.Name, images)
	}
	each := p.Quote.Images()
	if each == 0 || p.Quote.Max == 0 {
		return r, noQuote(r.Name)
	}
	r.Requests = images / each
	if images%each > 0 {
		r.Requests++ // the last request is charged as the others
	}
	r.Amounts, err = p.Quote.Mul(r.Requests)
	return r, err
}

func noQuote(name string) error {
	return &pricing.UnknownError{Endpoint: name, Reason: "it has no quote"}
}

// add adds a row.
func (p *Plan) add(r Row) (err error) {
	p.Rows = append(p.Rows, r)
	if p.Images, err = count(p.Images, r.Images); err != nil {
		return err
	}
	p.Amounts, err = p.Amounts.Add(r.Amounts)
	return err
}

// count adds numbers of images, neither of which is negative.
func count(a, b int64) (int64, error) {
	if a > math.MaxInt64-b {
		return 0, fmt.Errorf("plan: %d and %d images are more than can be counted", a, b)
	}
	return a + b, nil
}

// Add returns the plan of doing both.
func (p Plan) Add(q Plan) (Plan, error) {
	p.Rows = slices.Clone(p.Rows)
	for _, r := range q.Rows {
		if err := p.add(r); err != nil {
			return Plan{}, err
		}
	}
	return p, nil
}

// split divides images by shares so that the counts add up.
func split(images int64, parts []Part) ([]int64, error) {
	if images < 0 {
		return nil, fmt.Errorf("plan: a plan of %d images: must not be negative", images)
	}
	if len(parts) == 0 {
		return nil, errors.New("plan: a plan needs at least one part")
	}
	const mostShare = 1_000_000_000
	var whole uint64
	for _, p := range parts {
		if p.Share < 0 || p.Share > mostShare {
			return nil, fmt.Errorf("plan: %s: a share of %d: must be 0 to %d", p.name(), p.Share, mostShare)
		}
		whole += uint64(cmp.Or(p.Share, 1))
	}
	counts := make([]int64, len(parts))
	remainders := make([]uint64, len(parts))
	order := make([]int, len(parts))
	left := images
	for i, p := range parts {
		// No part is more than the whole, so the quotient fits.
		high, low := bits.Mul64(uint64(images), uint64(cmp.Or(p.Share, 1)))
		count, remainder := bits.Div64(high, low, whole)
		counts[i], remainders[i], order[i] = int64(count), remainder, i
		left -= counts[i]
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(remainders[b], remainders[a]) })
	for _, i := range order[:left] {
		counts[i]++
	}
	return counts, nil
}

// String returns the plan as a table.
func (p Plan) String() string {
	var b strings.Builder
	names := len("total")
	for _, r := range p.Rows {
		names = max(names, utf8.RuneCountInString(r.Name))
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, images int64, a pricing.Amounts) {
		_, _ = fmt.Fprintf(w, "%-*s\t%d\t%v\t", names, name, images, a.Expected)
		if a.Min != a.Max {
			_, _ = fmt.Fprintf(w, "%v to %v\t", a.Min, a.Max)
		}
		_, _ = fmt.Fprintln(w)
	}
	for _, r := range p.Rows {
		line(r.Name, r.Images, r.Amounts)
	}
	if len(p.Rows) > 1 {
		line("total", p.Images, p.Amounts)
	}
	_ = w.Flush()
	return b.String()
}
