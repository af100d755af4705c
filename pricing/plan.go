package pricing

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// Part is a share of a plan: a model, by the quote of a typical request.
type Part struct {
	// Name is what the plan calls it; "" means the endpoint of the quote.
	Name  string
	Quote Quote
	// Share is how many parts of the whole it makes: 70 and 30 are the same
	// shares as 7 and 3. 0 means 1.
	Share int64
}

// Row is a line of a plan.
type Row struct {
	Name string
	// Images is how many images it makes, and Requests how many it takes: a
	// request may make several.
	Images, Requests   int64
	Min, Expected, Max USD
}

// Plan is what a number of images costs, made by one or several models.
type Plan struct {
	Rows []Row
	// Images, Min, Expected and Max are the sums of the rows.
	Images             int64
	Min, Expected, Max USD
}

// NewPlan returns what it costs to make the given number of images, split
// among the parts by their shares:
//
//	plan, err := pricing.NewPlan(10_000,
//		pricing.Part{Name: "drafts", Quote: schnell, Share: 70},
//		pricing.Part{Name: "finals", Quote: pro, Share: 30})
//
// Where the images do not divide evenly the parts that lose most by rounding
// get one more each, so that the rows add up. A part that has no price makes
// the plan fail with [ErrUnknown].
func NewPlan(images int64, parts ...Part) (Plan, error) {
	counts, err := split(images, parts)
	if err != nil {
		return Plan{}, err
	}
	var p Plan
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
func Sum(quotes ...Quote) (Plan, error) {
	rows := make(map[string]*Row)
	var order []*Row
	for i := range quotes {
		q := &quotes[i]
		if q.card == nil || q.Max == 0 {
			return Plan{}, &UnknownError{Endpoint: q.Endpoint, Reason: "it has no quote"}
		}
		row := rows[q.Endpoint]
		if row == nil {
			row = &Row{Name: q.Endpoint}
			rows[q.Endpoint] = row
			order = append(order, row)
		}
		if err := row.add(Row{Images: q.images(), Requests: 1, Min: q.Min, Expected: q.Expected, Max: q.Max}); err != nil {
			return Plan{}, err
		}
	}
	var p Plan
	for _, row := range order {
		if err := p.add(*row); err != nil {
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

// MostFinals returns the plan that makes the given number of images within a
// budget with as many as possible by the second, better and dearer model and
// the others by the first. What is kept within the budget is the maximum. The
// error tells by how much the budget is too small if no mix is within it.
// Where a request makes several images, there may be 10 million at most.
func MostFinals(images int64, budget USD, drafts, finals Part) (Plan, error) {
	for _, p := range []Part{drafts, finals} {
		if _, err := p.row(images); err != nil && !errors.Is(err, ErrOverflow) {
			return Plan{}, err
		}
	}
	n, err := mostFinals(images, budget, &drafts.Quote, &finals.Quote)
	if err != nil {
		return Plan{}, err
	}
	var p Plan
	for _, s := range []struct {
		part  Part
		count int64
	}{{drafts, images - n}, {finals, n}} {
		row, err := s.part.row(s.count)
		if err == nil {
			err = p.add(row)
		}
		if err != nil {
			return Plan{}, err
		}
	}
	return p, nil
}

// mostFinals goes through the numbers of requests for drafts, from none on:
// the first with which the budget is enough for all other images leaves the
// most finals. Where each request makes one image that number is calculated.
func mostFinals(images int64, budget USD, drafts, finals *Quote) (int64, error) {
	const most = 10_000_000
	perDraft, perFinal := drafts.images(), finals.images()
	if perDraft == 1 && perFinal == 1 {
		return mostSingleFinals(images, budget, drafts.Max, finals.Max)
	}
	if images > most {
		return 0, fmt.Errorf("pricing: %d images: there may be %d at most where a request makes several", images, int64(most))
	}
	least := USD(math.MaxInt64)
	for m := int64(0); ; m++ {
		cost, err := drafts.Max.Mul(m)
		if err != nil {
			return 0, err
		}
		needed := max(0, images-m*perDraft)
		requests := (needed + perFinal - 1) / perFinal
		all, err := finals.Max.Mul(requests)
		if err == nil {
			all, err = all.Add(cost)
		}
		if err == nil {
			least = min(least, all)
			if all <= budget {
				return min(images, int64((budget-cost)/finals.Max)*perFinal), nil
			}
		}
		if needed == 0 {
			return 0, tooSmall(images, budget, least)
		}
	}
}

// mostSingleFinals is mostFinals where each request makes one image.
func mostSingleFinals(images int64, budget, draft, final USD) (int64, error) {
	all, err := draft.Mul(images)
	if dear, dearErr := final.Mul(images); dearErr == nil && dear <= budget {
		return images, nil
	} else if final <= draft {
		return 0, errors.Join(dearErr, tooSmall(images, budget, dear))
	}
	switch {
	case err != nil:
		return 0, err
	case all > budget:
		return 0, tooSmall(images, budget, all)
	}
	return int64((budget - all) / (final - draft)), nil
}

func tooSmall(images int64, budget, least USD) error {
	return fmt.Errorf("pricing: %d images cost up to %v in the cheapest way, which is %v more than the budget of %v", images, least, least-budget, budget)
}

// images returns the number of images that a request makes. What is taken apart
// into layers is one, however many there are.
func (q *Quote) images() int64 {
	if _, ok := q.card.Rule.(PerRequest); ok {
		return 1
	}
	return max(q.work.outputs, 1)
}

func (p Part) name() string { return cmp.Or(p.Name, p.Quote.Endpoint) }

// row returns what the given number of images costs by this part alone.
func (p Part) row(images int64) (Row, error) {
	r := Row{Name: p.name(), Images: images}
	if images < 0 {
		return r, fmt.Errorf("pricing: %s: %d images: must not be negative", r.Name, images)
	}
	q := p.Quote
	if q.card == nil || q.Max == 0 {
		return r, &UnknownError{Endpoint: r.Name, Reason: "it has no quote"}
	}
	each := q.images()
	r.Requests = images / each
	if images%each > 0 {
		r.Requests++ // the last request is charged as the others
	}
	var err error
	if r.Min, err = q.Min.Mul(r.Requests); err != nil {
		return r, err
	}
	if r.Expected, err = q.Expected.Mul(r.Requests); err != nil {
		return r, err
	}
	r.Max, err = q.Max.Mul(r.Requests)
	return r, err
}

// add adds the numbers of another row.
func (r *Row) add(s Row) (err error) {
	r.Images += s.Images
	r.Requests += s.Requests
	if r.Min, err = r.Min.Add(s.Min); err != nil {
		return err
	}
	if r.Expected, err = r.Expected.Add(s.Expected); err != nil {
		return err
	}
	r.Max, err = r.Max.Add(s.Max)
	return err
}

// add adds a row.
func (p *Plan) add(r Row) error {
	sum := Row{Images: p.Images, Min: p.Min, Expected: p.Expected, Max: p.Max}
	if err := sum.add(r); err != nil {
		return err
	}
	p.Rows = append(p.Rows, r)
	p.Images, p.Min, p.Expected, p.Max = sum.Images, sum.Min, sum.Expected, sum.Max
	return nil
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
		return nil, fmt.Errorf("pricing: a plan of %d images: must not be negative", images)
	}
	if len(parts) == 0 {
		return nil, errors.New("pricing: a plan needs at least one part")
	}
	const mostShare = 1_000_000_000
	var whole int64
	for _, p := range parts {
		if p.Share < 0 || p.Share > mostShare {
			return nil, fmt.Errorf("pricing: %s: a share of %d: must be 0 to %d", p.name(), p.Share, mostShare)
		}
		whole += cmp.Or(p.Share, 1)
	}
	counts := make([]int64, len(parts))
	lost := make([]int64, len(parts))
	order := make([]int, len(parts))
	left := images
	for i, p := range parts {
		weight, err := mul(images, cmp.Or(p.Share, 1))
		if err != nil {
			return nil, err
		}
		counts[i], lost[i], order[i] = weight/whole, weight%whole, i
		left -= counts[i]
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(lost[b], lost[a]) })
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
	line := func(name string, images int64, low, expected, high USD) {
		_, _ = fmt.Fprintf(w, "%-*s\t%d\t%v\t", names, name, images, expected)
		if low != high {
			_, _ = fmt.Fprintf(w, "%v to %v\t", low, high)
		}
		_, _ = fmt.Fprintln(w)
	}
	for _, r := range p.Rows {
		line(r.Name, r.Images, r.Min, r.Expected, r.Max)
	}
	if len(p.Rows) > 1 {
		line("total", p.Images, p.Min, p.Expected, p.Max)
	}
	_ = w.Flush()
	return b.String()
}
