package router

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

// Candidate is a model that can serve a task.
type Candidate struct {
	Model Model
	// Request is the task as a request to the model: the first, if it takes
	// several.
	Request fal.Request[fal.Images]
	// Calls is the number of requests it takes; see Requests.
	Calls int
	// Then is what is done with each picture of the model, by another: the second of
	// two steps, where the task needs what the model does not do alone, such as a
	// transparent background; nil where it does all. For that background, the second
	// takes the picture apart into two: what was behind, and what stands before it,
	// which alone has transparent pixels; in which order they come is unconfirmed. The picture in its Request is
	// not there yet; [Candidate.Steps] has its task, and package studio does both. The
	// quotes are those of the first step, and Amounts what both cost together.
	Then *Candidate
	// Quote is that of Request.
	Quote pricing.Quote
	// Unpriced says that no source tells the price, and the task allows that:
	// the amounts are 0 then, and mean nothing.
	Unpriced bool
	// Amounts are what all requests cost together.
	pricing.Amounts
	// Score is the sum of the points of its reasons and losses.
	Score int
	// Losses are what of the task the model cannot do.
	Losses []Loss

	way      *way // of two steps
	points   points
	requests *requests
	last     bool // comes after all others: its model is gone from fal's list
}

// points are what the score is the sum of, but for the losses.
type points struct {
	entry     *entry
	facts     facts
	weights   Preference
	price     int      // for the price
	functions []Reason // of the policy's functions
}

// requests makes the requests of a candidate.
type requests struct {
	model *model
	input input // of the first
	// rest is the number of pictures in the last request where that is another
	// than in the others, and else 0; lastQuote is its quote then.
	rest      int
	lastQuote *pricing.Quote
	// size is that of the pictures, or that of picture number match of the task; ""
	// and 0 where nothing tells it.
	size  fal.ImageSize
	match int
}

// request returns request i of n.
func (r *requests) request(i, n int) fal.Request[fal.Images] {
	in := r.input
	if r.rest > 0 && i == n-1 {
		in.count = r.rest
	}
	if in.seed != nil && i > 0 {
		in.seed = new(*in.seed + uint64(i))
	}
	return r.model.request(&in)
}

// Requests returns all requests that the task takes, each with its quote.
// Where the task has a seed, each request after the first has the next one, so
// that they do not all make the same picture.
func (c *Candidate) Requests() iter.Seq2[fal.Request[fal.Images], pricing.Quote] {
	return func(yield func(fal.Request[fal.Images], pricing.Quote) bool) {
		for i := range c.Calls {
			quote := c.Quote
			if c.requests.rest > 0 && i == c.Calls-1 {
				quote = *c.requests.lastQuote
			}
			if !yield(c.requests.request(i, c.Calls), quote) {
				return
			}
		}
	}
}

// WithSeed returns the first request with a seed, which a model that takes none
// leaves out.
func (c *Candidate) WithSeed(seed uint64) fal.Request[fal.Images] {
	in := c.requests.input
	in.seed = &seed
	return c.requests.model.request(&in)
}

// Reason is why a model has points.
type Reason struct {
	// Rule is the name of the rule, or "quality", "speed", "price" or
	// "function".
	Rule   string `json:"rule"`
	Points int    `json:"points"`
	// Text says it in words; Source is where the rule is from.
	Text   string `json:"text"`
	Source string `json:"source,omitzero"`
}

// Loss is something of a task that a model cannot do.
type Loss struct {
	Feature Feature `json:"feature"`
	Points  int     `json:"points"` // what it costs the model, not negative
	Text    string  `json:"text"`
}

// Reasons returns why the model has its score, the weightiest first. Their
// points less those of the losses are the score.
func (c *Candidate) Reasons() []Reason {
	const source, judged = "policy: ratings and weights", "policy: ratings and weights; the rating is a judgement"
	rating, weights := c.points.entry.rating, c.points.weights
	out := []Reason{
		{"quality", rating.Quality * weights.Quality, fmt.Sprintf("quality %d of 10, weight %d", rating.Quality, weights.Quality), cmp.Or(rating.QualityFrom, judged)},
		{"speed", rating.Speed * weights.Speed, fmt.Sprintf("speed %d of 10, weight %d", rating.Speed, weights.Speed), cmp.Or(rating.SpeedFrom, judged)},
		{"price", c.points.price * weights.Price, fmt.Sprintf("price %v, %d of 10, weight %d", c.Expected, c.points.price, weights.Price), source},
	}
	if c.Unpriced {
		out[2].Text = "no points for a price that is not known"
	}
	var rules []Reason
	for i := range c.points.entry.rules {
		if rule := &c.points.entry.rules[i]; rule.applies(c.points.facts) {
			rules = append(rules, Reason{rule.Name, rule.Points, rule.Because, rule.Source})
		}
	}
	rules = append(rules, c.points.functions...)
	slices.SortStableFunc(rules, func(a, b Reason) int { return cmp.Compare(b.Points, a.Points) })
	return append(rules, out...)
}
