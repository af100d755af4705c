package router

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
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
	if t.Seed != nil {
		t.Seed = new(*t.Seed) // that of the caller may change, the requests do not
	}
	route, err := r.newRoute(&t)
	if err != nil {
		return nil, err
	}
	routing, err := route.rank()
	if err != nil {
		return nil, err
	}
	routing.Task = t
	return routing, nil
}

// rank tries all models.
func (r *route) rank() (*Routing, error) {
	unmet, most := r.needs()
	routing := &Routing{router: r.router, Facts: r.known.list(), Refused: make([]Refusal, 0, len(unmet))}
	list, n := make([]Candidate, most), 0
	for i, lacks := range unmet {
		refused := Refusal{model: r.router.models[i], needs: lacks}
		if lacks == 0 {
			refused = r.candidate(&list[n], i, 0)
		}
		alone := refused.needs == 0
		if alone {
			n++
		}
		if r.way.helps(refused.needs) {
			if refused = r.tryTwo(&list[n], i); refused.needs == 0 {
				n++
				continue
			}
		}
		if !alone {
			routing.Refused = append(routing.Refused, refused)
		}
	}
	if n == 0 {
		tooDear := func(f Refusal) bool { return f.needs&^(needMaxPrice.set()|needMaxPricePerImage.set()) == 0 }
		if r.known.cut && r.needsAlpha() && !slices.ContainsFunc(routing.Refused, tooDear) {
			r.opaque = true
			r.way = r.findWay()
			return r.rank()
		}
		return nil, r.noModel(routing.Refused)
	}
	routing.Candidates = list[:n:n]
	sortCandidates(routing.Candidates)
	return routing, nil
}

// needs returns what each model cannot meet, and how many candidates there are at most.
func (r *route) needs() (unmet []needs, most int) {
	unmet = make([]needs, len(r.router.models))
	for i, m := range r.router.models {
		n := r.unmet(m)
		if unmet[i] = n; n == 0 {
			most++
		}
		if r.way.helps(n) {
			most++
		}
	}
	return unmet, most
}

// best returns the best of some models, or nil if none of them can serve the task.
func (r *route) best(among []int) (best *Candidate) {
	var c Candidate
	for _, i := range among {
		if refused := r.try(&c, i, 0); refused.needs == 0 && (best == nil || before(&c, best) < 0) {
			best = new(c)
		}
	}
	return best
}

// before compares candidates by whether they are still listed, by score, then by price.
func before(a, b *Candidate) int {
	if a.last != b.last {
		if a.last {
			return 1
		}
		return -1
	}
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Expected, b.Expected))
}

// sortCandidates sorts them; equal ones stay in their order. They are large, so each
// is moved once.
func sortCandidates(list []Candidate) {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Or(before(&list[i], &list[j]), cmp.Compare(i, j)) })
	for i := range list {
		held, to := list[i], i
		for order[to] != i {
			from := order[to]
			list[to], order[to], to = list[from], to, from
		}
		list[to], order[to] = held, to
	}
}

// route is a task on its way to the models.
type route struct {
	router  *Router
	task    *Task
	known   *understanding
	listed  []Fact // those of known, once a function asked
	prompts prompts
	size    fal.ImageSize
	count   int
	weights Preference
	asked   *asked
	// closed is the same with stand-ins for the pictures that have a size alone, so
	// that no file is opened; it is the same pointer where there are none.
	closed *asked
	way    *way // to do it in two steps, or nil
	opaque bool // no model can make what is cut out transparent
}

func (r *Router) newRoute(t *Task) (*route, error) {
	p := newPrompts(t)
	known := understand(t, p.prose)
	if err := known.replace(t, r.policy.Detect); err != nil {
		return nil, err
	}
	out := r.routeKnowing(known.extended(t), p, &known)
	out.way = out.findWay()
	return out, nil
}

// routeKnowing returns the route of a task of which it is known what it says.
func (r *Router) routeKnowing(t *Task, p prompts, known *understanding) *route {
	out := &route{router: r, task: t, prompts: p, known: known, size: sizeFor(t), count: max(t.Count, 1), weights: t.Prefer}
	if out.weights == (Preference{}) {
		out.weights = r.policy.Stages[cmp.Or(t.Stage, StageFinal)]
	}
	out.asked = newAsked(t, &known.extent)
	out.closed = out.asked
	if len(t.Pictures) == 0 && t.Mask.IsZero() {
		return out
	}
	out.closed = new(*out.asked)
	for _, p := range t.Pictures {
		out.asked.pictures = append(out.asked.pictures, p.File)
		out.closed.pictures = append(out.closed.pictures, standIn(p.Width, p.Height))
	}
	if !t.Mask.IsZero() {
		out.asked.mask, out.closed.mask = t.Mask, unknownSize
	}
	return out
}

// unknownSize stands for a picture of which nothing is known.
var unknownSize = fal.URL("https://picture.invalid/")

// standIn returns a file that has a size, as far as it is known, and nothing else.
func standIn(width, height int) fal.File { return unknownSize.Sized(width, height) }

// try makes c the candidate of a model, or says why that cannot be: then what c is
// does not matter. Needs in ignore are not looked at.
func (r *route) try(c *Candidate, i int, ignore needs) Refusal {
	m := r.router.models[i]
	if lacks := r.unmet(m) &^ ignore; lacks != 0 {
		return Refusal{model: m, needs: lacks}
	}
	return r.candidate(c, i, ignore)
}

// candidate is try for a model that lacks nothing, as far as that shows before
// there is a request.
func (r *route) candidate(c *Candidate, i int, ignore needs) Refusal {
	m := r.router.models[i]
	refusal := Refusal{model: m}
	perRequest := min(max(m.maxCount, 1), r.count)
	calls := (r.count + perRequest - 1) / perRequest
	requests := &requests{model: m, input: r.input(m), rest: r.count % perRequest}
	in := &requests.input
	if perRequest > 1 {
		in.count = perRequest
	}
	// The first round is with pictures that have a size alone.
	in.asked = r.closed
	plain := m.request(in)
	if m.own != nil && (plain == nil || string(plain.Endpoint()) != m.Endpoint) {
		refusal.needs, refusal.err = needLimits.set(), fmt.Errorf("its function in the policy made no request to %s", m.Endpoint)
		return refusal
	}
	if err := validate(plain, m, in, calls); err != nil && !ignore.has(needLimits) {
		refusal.needs, refusal.err = needLimits.set(), err
		return refusal
	}
	in.asked = r.asked
	*c = Candidate{
		last:  m.state != "" && !r.router.policy.Outdated,
		Model: m.Model, Calls: calls,
		points:   points{entry: &r.router.entries[i], facts: r.known.facts, weights: r.weights},
		requests: requests,
	}
	var unmet need
	if unmet, refusal.err = r.quote(c, plain); unmet != needNothing && !ignore.has(unmet) {
		refusal.needs, refusal.price = unmet.set(), c.Max
		return refusal
	}
	c.Request = plain
	if r.asked != r.closed {
		c.Request = m.request(in)
	}
	c.Losses = r.losses(m)
	r.score(c)
	return Refusal{}
}

// validate checks the first of several requests, and the last, whose seed may
// be past the model's range: that must show before the first is paid.
func validate(first fal.Request[fal.Images], m *model, in *input, calls int) error {
	v, ok := first.(interface{ Validate() error })
	if !ok {
		return nil
	}
	if err := v.Validate(); err != nil || in.seed == nil || calls == 1 {
		return err
	}
	last := *in
	last.seed = new(*in.seed + uint64(calls-1))
	if v, ok = m.request(&last).(interface{ Validate() error }); !ok {
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
	c.requests.size, c.requests.match = u.Size, u.MatchInput
	q, err := r.router.Prices().Estimate(u)
	c.Quote = q
	full := int64(c.Calls)
	if c.requests.rest > 0 {
		full--
		u.Outputs = c.requests.rest
		last, lastErr := r.router.Prices().Estimate(u)
		c.requests.lastQuote, err = &last, cmp.Or(err, lastErr)
	}
	if errors.Is(err, pricing.ErrUnknown) && r.task.UnknownPrice {
		c.Unpriced = true
		return needNothing, nil
	}
	var total pricing.Amounts
	if err == nil {
		total, err = q.Mul(full)
	}
	if err == nil && c.requests.lastQuote != nil {
		total, err = total.Add(c.requests.lastQuote.Amounts)
	}
	if err != nil {
		return needPrice, err
	}
	c.Amounts = total
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

// input fills in what the endpoint takes of the task.
func (r *route) input(m *model) input {
	in := input{asked: r.asked, prompt: r.prompts.of(m), size: m.fit(r.size), seed: r.task.Seed}
	if len(m.aspects) > 0 {
		in.aspect = nearestAspect(m.aspects, r.task)
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
