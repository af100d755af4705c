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
	cost := pricing.Amounts{Min: c.Min, Expected: c.Expected, Max: c.Max}
	var err error
	if row.Amounts, err = row.Add(cost); err == nil {
		p.cost.Amounts, err = p.cost.Amounts.Add(cost)
	}
	return err
}

func (p *todo) String() string {
	s := fmt.Sprintf("%d products, %d of them ready\n", p.products, p.products-p.lacking)
	if p.lacking > 0 {
		s += fmt.Sprintf("What is left will cost:\n%v", p.cost)
	}
	return s
}
