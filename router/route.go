package router

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	"slices"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/qwen"
)

// Routing is how a task was understood and which models can serve it.
type Routing struct {
	Task Task
	// Facts are what was understood of the task.
	Facts []Fact
	// Candidates are the models that can serve it, the best first. There is at
	// least one.
	Candidates []Candidate
	// Refused are the others.
	Refused []Refusal

	router *Router
}

// Article returns the model that the article "FLUX vs. Qwen Image" of 2026-03-17
// advises for the task, by [ArticlePolicy], and why [Routing.Best] is another; ""
// if it is the same. A Model without a Name means that the article has none for it.
func (r *Routing) Article() (advice Model, why string) {
	routing, err := articleRouter().Route(r.Task)
	if err != nil {
		return Model{Title: "none of its models"}, "none of the models of 2026-03-17 can serve the task"
	}
	advice, best := routing.Best().Model, r.Best()
	if advice == best.Model {
		return advice, ""
	}
	if r.Best().requests.model.own != nil {
		return advice, best.Model.Title + " is none of this package's models: " + best.Reasons()[0].Text
	}
	for i := range models {
		if m := &models[i]; m.Endpoint == advice.Endpoint && m.doubt != "" {
			return advice, advice.Title + " " + m.doubt
		}
	}
	for i := range models {
		if m := &models[i]; m.Endpoint == best.Model.Endpoint && slices.ContainsFunc(articleRouter().policy.Not, m.is) {
			return advice, best.Model.Title + " came after the article: " + best.Reasons()[0].Text
		}
	}
	return advice, "this policy is another: " + best.Reasons()[0].Text
}

// Best returns the first candidate.
func (r *Routing) Best() *Candidate { return &r.Candidates[0] }

// Route ranks the models for a task by the default policy. See [Router.Route].
func Route(t Task) (*Routing, error) { return Default().Route(t) }

// Route ranks the models that can serve a task. It sends nothing, reads
// nothing, and answers the same each time. The error is a [*TaskError] if the
// task itself is wrong, and a [*NoModelError] if no model can serve it.
func (r *Router) Route(t Task) (*Routing, error) {
	if err := r.check(&t); err != nil {
		return nil, err
	}
	route, err := r.newRoute(&t)
	if err != nil {
		return nil, err
	}
	return route.rank()
}

// rank tries all models.
func (r *route) rank() (*Routing, error) {
	routing := &Routing{router: r.router, Task: *r.task, Facts: r.known.list(), Candidates: make([]Candidate, 0, 32), Refused: make([]Refusal, 0, len(r.router.models))}
	for i := range r.router.models {
		c, refused := r.try(i, 0)
		alone := refused.needs == 0
		if alone {
			routing.Candidates = append(routing.Candidates, c)
		}
		if len(r.ways) > 0 {
			if c, refused = r.tryTwo(i, Refusal{model: r.router.models[i], needs: refused.needs, price: refused.price, err: refused.err}); refused.needs == 0 && c.Calls > 0 {
				routing.Candidates = append(routing.Candidates, c)
				continue
			}
		}
		if !alone {
			routing.Refused = append(routing.Refused, refused)
		}
	}
	if len(routing.Candidates) == 0 {
		return nil, r.noModel(routing.Refused)
	}
	routing.Candidates = ranked(routing.Candidates)
	return routing, nil
}

// ranked returns the candidates by whether they are still listed, by score, then by price, then in their order.
// They are large, so each is moved once.
func ranked(list []Candidate) []Candidate {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := &list[i], &list[j]
		if a.last != b.last {
			if a.last {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Expected, b.Expected), cmp.Compare(i, j))
	})
	out := make([]Candidate, len(list))
	for to, from := range order {
		out[to] = list[from]
	}
	return out
}

// route is a task on its way to the models.
type route struct {
	router  *Router
	task    *Task
	known   understanding
	listed  []Fact // those of known, once a function asked
	prompts prompts
	size    fal.ImageSize
	count   int
	weights Preference
	files   []fal.File // the pictures
	// sizes stand for the pictures where sizes alone matter, so that no file
	// is opened.
	sizes []fal.File
	mask  fal.File // stands for the mask
	ways  []*way   // to do it in two steps
}

func (r *Router) newRoute(t *Task) (*route, error) {
	p := newPrompts(t)
	known := understand(t, p.prose)
	if err := known.replace(t, r.policy.Detect); err != nil {
		return nil, err
	}
	out := r.routeKnowing(t, p, known)
	out.ways = out.findWays()
	return out, nil
}

// routeKnowing returns the route of a task of which it is known what it says.
func (r *Router) routeKnowing(t *Task, p prompts, known understanding) *route {
	out := &route{router: r, task: t, prompts: p, known: known, size: sizeFor(t), count: max(t.Count, 1), weights: t.Prefer}
	if out.weights == (Preference{}) {
		out.weights = r.policy.Stages[cmp.Or(t.Stage, StageFinal)]
	}
	for _, p := range t.Pictures {
		out.files = append(out.files, p.File)
		out.sizes = append(out.sizes, standIn(p.Width, p.Height))
	}
	if !t.Mask.IsZero() {
		out.mask = unknownSize
	}
	return out
}

// unknownSize stands for a picture of which nothing is known.
var unknownSize = fal.URL("https://picture.invalid/")

// standIn returns a file that has a size and nothing else.
func standIn(width, height int) fal.File {
	if width <= 0 || height <= 0 {
		return unknownSize
	}
	return fal.Picture(blank{width, height})
}

// blank is a picture of one colour.
type blank struct{ width, height int }

func (b blank) ColorModel() color.Model { return color.GrayModel }
func (b blank) Bounds() image.Rectangle { return image.Rect(0, 0, b.width, b.height) }
func (b blank) At(_, _ int) color.Color { return color.Gray{} }

// try makes a candidate of a model, or says why that cannot be. Needs in ignore
// are not looked at.
func (r *route) try(i int, ignore needs) (Candidate, Refusal) {
	m := r.router.models[i]
	refusal := Refusal{model: m, needs: r.unmet(m) &^ ignore}
	if refusal.needs != 0 {
		return Candidate{}, refusal
	}
	in := r.input(m)
	perRequest := min(max(m.maxCount, 1), r.count)
	if perRequest > 1 {
		in.count = perRequest
	}
	// The first round is with pictures that have a size alone.
	in.pictures, in.mask = r.sizes, r.mask
	plain, calls := m.request(&in), (r.count+perRequest-1)/perRequest
	if m.own != nil && (plain == nil || string(plain.Endpoint()) != m.Endpoint) {
		refusal.needs, refusal.err = needLimits.set(), fmt.Errorf("its function in the policy made no request to %s", m.Endpoint)
		return Candidate{}, refusal
	}
	if err := validate(plain, m, in, calls); err != nil && !ignore.has(needLimits) {
		refusal.needs, refusal.err = needLimits.set(), err
		return Candidate{}, refusal
	}
	in.pictures, in.mask = r.files, r.task.Mask
	c := Candidate{
		last:  m.state != "" && !r.router.policy.Outdated,
		Model: m.Model, Calls: calls,
		points:   points{entry: &r.router.entries[i], facts: r.known.facts, weights: r.weights},
		requests: &requests{model: m, input: in, rest: r.count % perRequest},
	}
	var unmet need
	if unmet, refusal.err = r.quote(&c, plain); unmet != needNothing && !ignore.has(unmet) {
		refusal.needs, refusal.price = unmet.set(), c.Max
		return Candidate{}, refusal
	}
	c.Request = c.requests.request(0, c.Calls)
	c.Losses = r.losses(m)
	r.score(&c)
	return c, Refusal{}
}

// validate checks the first of several requests, and the last, whose seed may
// be past the model's range: that must show before the first is paid.
func validate(first fal.Request[fal.Images], m *model, in input, calls int) error {
	v, ok := first.(interface{ Validate() error })
	if !ok {
		return nil
	}
	if err := v.Validate(); err != nil || in.seed == nil || calls == 1 {
		return err
	}
	in.seed = new(*in.seed + uint64(calls-1))
	if v, ok = m.request(&in).(interface{ Validate() error }); !ok {
		return nil
	}
	if err := v.Validate(); err != nil {
		return fmt.Errorf("the last of %d requests: %w", calls, err)
	}
	return nil
}

// quote fills in the prices, and tells which needs they do not meet.
func (r *route) quote(c *Candidate, plain fal.Request[fal.Images]) (need, error) {
	var u fal.Usage
	if user, ok := plain.(interface{ Usage() fal.Usage }); ok {
		u = user.Usage()
	}
	q, err := r.router.Prices().Estimate(u)
	if err != nil {
		if errors.Is(err, pricing.ErrUnknown) && r.task.UnknownPrice {
			c.Quote, c.Unpriced = q, true
			return needNothing, nil
		}
		return needPrice, err
	}
	c.Quote = q
	full := int64(c.Calls)
	if c.requests.rest > 0 {
		full--
		u.Outputs = c.requests.rest
		if c.requests.lastQuote, err = r.router.Prices().Estimate(u); err != nil {
			return needPrice, err
		}
	}
	total, err := q.Mul(full)
	if err == nil {
		c.Amounts, err = total.Add(c.requests.lastQuote.Amounts)
	}
	if err != nil {
		return needPrice, err
	}
	return r.tooDear(c.Max), nil
}

// score adds up the points.
func (r *route) score(c *Candidate) {
	c.points.price = r.router.pricePoints(c.Expected / pricing.USD(r.count))
	c.Score = c.points.entry.rating.Quality*c.points.weights.Quality + c.points.entry.rating.Speed*c.points.weights.Speed + c.points.price*c.points.weights.Price
	for i := range c.points.entry.rules {
		if rule := &c.points.entry.rules[i]; rule.applies(r.known.facts) {
			c.Score += rule.Points
		}
	}
	for _, score := range r.router.policy.Functions {
		if points, because := score(r.task, r.facts(), c.Model); points != 0 {
			c.points.functions = append(c.points.functions, Reason{"function", points, because, "the caller's policy"})
			c.Score += points
		}
	}
	for _, l := range c.Losses {
		c.Score -= l.Points
	}
}

// facts returns the facts for functions, each time the same list.
func (r *route) facts() []Fact {
	if r.listed == nil {
		r.listed = r.known.list()
	}
	return r.listed
}

// input fills in what the endpoint takes of the task. Pictures come later.
func (r *route) input(m *model) input {
	t := r.task
	in := input{
		prompt: r.prompts.of(m), negative: t.NegativePrompt, size: m.fit(r.size), layers: t.Layers, seed: t.Seed,
		steps: t.Steps, guidance: t.Guidance, loras: t.LoRAs, format: t.Format, angle: t.Angle, upscale: t.Scale,
		strength: t.Strength, task: t,
	}
	if m.task == "outpaint" {
		in.wider, in.higher = r.extension()
	}
	if len(m.aspects) > 0 {
		in.aspect = nearestAspect(m.aspects, t)
	}
	if m.has&hasResolution != 0 {
		in.resolution = resolutionFor(t)
	}
	if t.VerbatimPrompt {
		in.expansion, in.expander = new(false), qwen.ExpanderNone
	}
	in.acceleration, in.turbo = r.acceleration(m)
	return in
}

// acceleration returns the acceleration and turbo mode that the stage and the
// preferences ask for. High acceleration is advised only for pictures without
// text.
func (r *route) acceleration(m *model) (level string, turbo bool) {
	fast := r.known.facts.has(preview) || r.known.facts.has(draft)
	if !fast && r.task.Prefer.Speed <= r.task.Prefer.Quality {
		return "", false
	}
	turbo = m.has&hasTurbo != 0 && r.task.Steps == 0 && r.task.Guidance == nil
	switch {
	case len(m.accelerations) == 0:
	case slices.Contains(m.accelerations, "high") && !r.known.facts.has(text) && !r.known.facts.has(draft):
		level = "high"
	case slices.Contains(m.accelerations, "regular"):
		level = "regular"
	}
	return level, turbo
}
