package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/falimage/falimage-go/router"
)

// explain prints a routing as text: what was understood, the ranking, and the
// reasons of the first models.
func explain(out io.Writer, r *router.Routing, top int, refused bool) error {
	var text strings.Builder
	fmt.Fprintf(&text, "Understood\n")
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, f := range r.Facts {
		fmt.Fprintf(t, "  %s\t%s\n", f.Name, f.Why)
	}
	if err := t.Flush(); err != nil {
		return err
	}

	fmt.Fprintf(&text, "\n%d models can do it, %d cannot\n", len(r.Candidates), len(r.Refused))
	t = tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "  #\tmodel\tGo type\tprice\tscore\tcalls\n")
	for i := range r.Candidates {
		c := &r.Candidates[i]
		fmt.Fprintf(t, "  %d\t%s\t%s\t%s\t%d\t%d\n", i+1, title(c), c.Model.Name, price(c), c.Score, c.Calls)
	}
	if err := t.Flush(); err != nil {
		return err
	}

	for i := range r.Candidates[:max(0, min(top, len(r.Candidates)))] {
		c := &r.Candidates[i]
		fmt.Fprintf(&text, "\n%d. %s, %s: %d points\n", i+1, c.Model.Title, c.Model.Endpoint, c.Score)
		for _, reason := range c.Reasons() {
			fmt.Fprintf(&text, "  %+4d  %s\n", reason.Points, reason.Text)
			if reason.Source != "" {
				fmt.Fprintf(&text, "        %s\n", reason.Source)
			}
		}
		for _, loss := range c.Losses {
			fmt.Fprintf(&text, "  %+4d  lost: %s: %s\n", -loss.Points, loss.Feature, loss.Text)
		}
	}

	if points, changes := r.Firmness(); changes != nil {
		fmt.Fprintf(&text, "\nThe first is %d points before the second. It would be\n", points)
		for _, c := range changes[:min(3, len(changes))] {
			fmt.Fprintf(&text, "  %s\n", c)
		}
	}

	if advice, why := r.Article(); why != "" {
		fmt.Fprintf(&text, "\nThe article of 2026-03-17 advises %v\n  but %s\n", advice.Title, why)
	}

	if refused {
		fmt.Fprintf(&text, "\nCannot do it\n")
		t = tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
		for i := range r.Refused {
			m := r.Refused[i].Model()
			fmt.Fprintf(t, "  %s\t%s\t%s\n", m.Title, m.Name, strings.Join(r.Refused[i].Why(), "; "))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// title is what a candidate is called: both models, if it takes two steps.
func title(c *router.Candidate) string {
	if c.Then == nil {
		return c.Model.Title
	}
	return c.Model.Title + ", then " + c.Then.Model.Title
}

// price returns what all requests of a candidate cost.
func price(c *router.Candidate) string {
	switch {
	case !known(c):
		return "not known"
	case c.Min == c.Max:
		return c.Expected.String()
	}
	return fmt.Sprintf("%v (max %v)", c.Expected, c.Max)
}

// known reports whether the price of a candidate is known: the quote is zero
// where the task allows unknown prices and this one is.
func known(c *router.Candidate) bool { return c.Quote.Endpoint != "" }
