package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/plan"
	"github.com/falimage/falimage-go/router"
)

// todo is what is left to do and what it costs.
type todo struct {
	products int // that are wanted
	lacking  int // that lack a picture
	cost     plan.Plan
}

// add adds a picture of a product.
func (p *todo) add(stage router.Stage, c *router.Candidate) error {
	name := string(stage) + "s by " + c.Model.Title
	at, found := slices.BinarySearchFunc(p.cost.Rows, name, func(r plan.Row, name string) int { return cmp.Compare(r.Name, name) })
	if !found {
		p.cost.Rows = slices.Insert(p.cost.Rows, at, plan.Row{Name: name})
	}
	row := &p.cost.Rows[at]
	row.Images++
	row.Requests += int64(c.Calls)
	p.cost.Images++
	for _, sum := range []struct {
		to *pricing.USD
		by pricing.USD
	}{
		{&row.Min, c.Min}, {&row.Expected, c.Expected}, {&row.Max, c.Max},
		{&p.cost.Min, c.Min}, {&p.cost.Expected, c.Expected}, {&p.cost.Max, c.Max},
	} {
		total, err := sum.to.Add(sum.by)
		if err != nil {
			return err
		}
		*sum.to = total
	}
	return nil
}

func (p *todo) String() string {
	s := fmt.Sprintf("%d products, %d of them ready\n", p.products, p.products-p.lacking)
	if p.lacking > 0 {
		s += fmt.Sprintf("What is left will cost:\n%v", p.cost)
	}
	return s
}
