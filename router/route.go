package router

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	"iter"
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
}

// Best returns the first candidate.
func (r *Routing) Best() *Candidate { return &r.Candidates[0] }

// Candidate is a model that can serve a task.
type Candidate struct {
	Model Model
	// Request is the task as a request to the model: the first, if it takes
	// several.
	Request fal.Request[fal.Images]
	// Calls is the number of requests it takes; see Requests.
	Calls int
	// Quote is that of Request.
	Quote pricing.Quote
	// Unpriced says that no source tells the price, and the task allows that:
	// the amounts are 0 then, and mean nothing.
	Unpriced bool
	// Min, Expected and Max are what all requests cost together.
	Min, Expected, Max pricing.USD
	// Score is the sum of the points of its reasons and losses.
	Score int
	// Losses are what of the task the model cannot do.
	Losses []Loss

	entry   *entry
	facts   facts
	weights Weights
	points  int           // for the price
	last    pricing.Quote // of the last request, where that makes fewer pictures
	judged  []Reason      // by the policy's functions
	seeds   []seeded      // what differs between the requests
	compile compileFunc   // makes the request of one of them
}

// seeded is what differs between the requests for several pictures.
type seeded struct {
	count int
	seed  *uint64
}

type compileFunc func(seeded) fal.Request[fal.Images]

// Requests returns all requests that the task takes, each with its quote.
// Where the task has a seed, each request after the first has the next one, so
// that they do not all make the same picture.
func (c *Candidate) Requests() iter.Seq2[fal.Request[fal.Images], pricing.Quote] {
	return func(yield func(fal.Request[fal.Images], pricing.Quote) bool) {
		for i := range c.Calls {
			if !yield(c.request(i), c.quote(i)) {
				return
			}
		}
	}
}

// WithSeed returns the first request with a seed, which a model that takes none
// leaves out.
func (c *Candidate) WithSeed(seed uint64) fal.Request[fal.Images] {
	return c.compile(seeded{c.seeds[0].count, &seed})
}

// request returns one of the requests.
func (c *Candidate) request(i int) fal.Request[fal.Images] {
	return c.compile(c.part(i))
}

// quote returns the quote of request i.
func (c *Candidate) quote(i int) pricing.Quote {
	if i == c.Calls-1 && len(c.seeds) > 1 {
		return c.last
	}
	return c.Quote
}

// part returns what differs in request i: the last makes what is left.
func (c *Candidate) part(i int) seeded {
	s := c.seeds[0]
	if i == c.Calls-1 {
		s.count = c.seeds[len(c.seeds)-1].count
	}
	if s.seed != nil && i > 0 {
		s.seed = new(*s.seed + uint64(i))
	}
	return s
}

// Reason is why a model has points.
type Reason struct {
	// Rule is the name of the rule, or "quality", "speed", "price" or "judge".
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
	const source = "policy: ratings and weights"
	out := []Reason{
		{"quality", c.entry.rating.Quality * c.weights.Quality, fmt.Sprintf("quality %d of 10, weight %d", c.entry.rating.Quality, c.weights.Quality), source},
		{"speed", c.entry.rating.Speed * c.weights.Speed, fmt.Sprintf("speed %d of 10, weight %d", c.entry.rating.Speed, c.weights.Speed), source},
		{"price", c.points * c.weights.Price, fmt.Sprintf("price %v, %d of 10, weight %d", c.Expected, c.points, c.weights.Price), source},
	}
	if c.Unpriced {
		out[2].Text = "no points for a price that is not known"
	}
	var rules []Reason
	for i := range c.entry.rules {
		if rule := &c.entry.rules[i]; rule.applies(c.facts) {
			rules = append(rules, Reason{rule.Name, rule.Points, rule.Because, rule.Source})
		}
	}
	rules = append(rules, c.judged...)
	slices.SortStableFunc(rules, func(a, b Reason) int { return cmp.Compare(b.Points, a.Points) })
	return append(rules, out...)
}

// Route ranks the models for a task by the default policy. See [Router.Route].
func Route(t Task) (*Routing, error) { return Default().Route(t) }

// Route ranks the models that can serve a task. It sends nothing, reads
// nothing, and answers the same each time. The error is a [*TaskError] if the
// task itself is wrong, and a [*NoModelError] if no model can serve it.
func (r *Router) Route(t Task) (*Routing, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	x := r.newRoute(&t)
	routing := &Routing{Task: t, Facts: x.list(), Candidates: make([]Candidate, 0, 32), Refused: make([]Refusal, 0, len(endpoints))}
	for i := range endpoints {
		c, refused := x.try(i, 0)
		if refused.needs != 0 {
			routing.Refused = append(routing.Refused, refused)
			continue
		}
		routing.Candidates = append(routing.Candidates, c)
	}
	if len(routing.Candidates) == 0 {
		return nil, x.noModel(routing.Refused)
	}
	routing.Candidates = ranked(routing.Candidates)
	return routing, nil
}

// ranked returns the candidates by score, then by price, then in their order.
// They are large, so each is moved once.
func ranked(list []Candidate) []Candidate {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := &list[i], &list[j]
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
	*Router
	understanding
	task    *Task
	prompts prompts
	size    fal.ImageSize
	count   int
	weights Weights
	files   []fal.File // the pictures
	// sizes stand for the pictures where sizes alone matter, so that no file
	// is opened.
	sizes []fal.File
	mask  fal.File // stands for the mask
}

func (r *Router) newRoute(t *Task) *route {
	x := &route{Router: r, task: t, prompts: newPrompts(t), size: sizeFor(t), count: max(t.Count, 1)}
	x.understanding = understand(t, x.prompts.prose)
	x.weights = t.Prefer
	if x.weights == (Weights{}) {
		x.weights = r.policy.Stages[cmp.Or(t.Stage, StageFinal)]
	}
	for _, p := range t.Pictures {
		x.files = append(x.files, p.File)
		x.sizes = append(x.sizes, standIn(p.Width, p.Height))
	}
	if !t.Mask.IsZero() {
		x.mask = unknownSize
	}
	return x
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

// try makes a candidate of an endpoint, or says why that cannot be. Needs in
// ignore are not looked at.
func (x *route) try(i int, ignore needs) (Candidate, Refusal) {
	e := &endpoints[i]
	refusal := Refusal{endpoint: e, needs: x.refuses(e) &^ ignore}
	if refusal.needs != 0 {
		return Candidate{}, refusal
	}
	in := x.input(e)
	perRequest := min(max(e.maxCount, 1), x.count)
	in.count = 0
	if perRequest > 1 {
		in.count = perRequest
	}
	c := Candidate{
		Model: e.model(), Calls: (x.count + perRequest - 1) / perRequest,
		entry: &x.entries[i], facts: x.facts, weights: x.weights,
	}
	c.seeds = []seeded{{in.count, in.seed}}
	if rest := x.count % perRequest; rest != 0 {
		c.seeds = append(c.seeds, seeded{rest, nil})
	}

	// The first round is with pictures that have a size alone.
	in.pictures, in.mask = x.sizes, x.mask
	plain := e.compile(&in)
	if v, ok := plain.(interface{ Validate() error }); ok && ignore&needLimits == 0 {
		if err := v.Validate(); err != nil {
			refusal.needs, refusal.err = needLimits, err
			return Candidate{}, refusal
		}
	}
	if refusal.needs, refusal.err = x.quote(&c, plain); refusal.needs&^ignore != 0 {
		refusal.needs &^= ignore
		refusal.price = c.Max
		return Candidate{}, refusal
	}
	c.compile = func(s seeded) fal.Request[fal.Images] {
		in := in
		in.pictures, in.mask, in.count, in.seed = x.files, x.task.Mask, s.count, s.seed
		return e.compile(&in)
	}
	c.Request = c.request(0)
	c.Losses = x.losses(e)
	x.score(&c)
	return c, Refusal{}
}

// quote fills in the prices, and tells which needs they do not meet.
func (x *route) quote(c *Candidate, plain fal.Request[fal.Images]) (needs, error) {
	var u fal.Usage
	if user, ok := plain.(interface{ Usage() fal.Usage }); ok {
		u = user.Usage()
	}
	q, err := x.table().Estimate(u)
	if err != nil {
		if errors.Is(err, pricing.ErrUnknown) && x.task.UnknownPrice {
			c.Quote, c.Unpriced = q, true
			return 0, nil
		}
		return needPrice, err
	}
	c.Quote = q
	full := int64(c.Calls)
	if len(c.seeds) > 1 {
		full--
		u.Outputs = c.seeds[1].count
		if c.last, err = x.table().Estimate(u); err != nil {
			return needPrice, err
		}
	}
	for _, sum := range []struct {
		to         *pricing.USD
		each, last pricing.USD
	}{{&c.Min, q.Min, c.last.Min}, {&c.Expected, q.Expected, c.last.Expected}, {&c.Max, q.Max, c.last.Max}} {
		total, err := sum.each.Mul(full)
		if err == nil {
			total, err = total.Add(sum.last)
		}
		if err != nil {
			return needPrice, err
		}
		*sum.to = total
	}
	if x.task.MaxPrice > 0 && c.Max > x.task.MaxPrice {
		return needMaxPrice, nil
	}
	if limit := x.task.MaxPricePerImage; limit > 0 {
		// Compared by multiplying, so that nothing is rounded.
		if all, err := limit.Mul(int64(x.count)); err == nil && c.Max > all {
			return needMaxPricePerImage, nil
		}
	}
	return 0, nil
}

// score adds up the points.
func (x *route) score(c *Candidate) {
	c.points = x.pricePoints(c.Expected / pricing.USD(x.count))
	c.Score = c.entry.rating.Quality*c.weights.Quality + c.entry.rating.Speed*c.weights.Speed + c.points*c.weights.Price
	for i := range c.entry.rules {
		if rule := &c.entry.rules[i]; rule.applies(x.facts) {
			c.Score += rule.Points
		}
	}
	for _, judge := range x.policy.Judges {
		if points, because := judge(x.task, c.Model); points != 0 {
			c.judged = append(c.judged, Reason{"judge", points, because, "the caller's policy"})
			c.Score += points
		}
	}
	for _, l := range c.Losses {
		c.Score -= l.Points
	}
}

// input fills in what the endpoint takes of the task. Pictures come later.
func (x *route) input(e *endpoint) input {
	t := x.task
	in := input{
		prompt: x.prompts.of(e), negative: t.NegativePrompt, size: e.sizes.fit(x.size), layers: t.Layers, seed: t.Seed,
		steps: t.Steps, guidance: t.Guidance, loras: t.LoRAs, format: t.Format, angle: t.Angle, upscale: t.Scale,
	}
	if len(e.aspects) > 0 {
		in.aspect = nearestAspect(e.aspects, t)
	}
	if t.VerbatimPrompt {
		in.expansion = new(false)
	}
	in.acceleration, in.turbo = x.hurry(e)
	return in
}

// hurry returns the acceleration and turbo mode that the stage and the
// preferences ask for. High acceleration is advised only for pictures without
// text.
func (x *route) hurry(e *endpoint) (acceleration string, turbo bool) {
	fast := x.facts.has(preview) || x.facts.has(draft)
	if !fast && x.task.Prefer.Speed <= x.task.Prefer.Quality {
		return "", false
	}
	turbo = e.has&hasTurbo != 0 && x.task.Steps == 0 && x.task.Guidance == nil
	switch {
	case len(e.accelerations) == 0:
	case slices.Contains(e.accelerations, "high") && !x.facts.has(text) && !x.facts.has(draft):
		acceleration = "high"
	case slices.Contains(e.accelerations, "regular"):
		acceleration = "regular"
	}
	return acceleration, turbo
}

// losses returns what of the task the endpoint cannot do.
func (x *route) losses(e *endpoint) []Loss {
	var out []Loss
	for f, text := range x.lost(e) {
		out = append(out, Loss{f, x.policy.Losses[f], text})
	}
	return out
}

// lost yields the features of the task that an endpoint lacks.
func (x *route) lost(e *endpoint) iter.Seq2[Feature, string] {
	t := x.task
	return func(yield func(Feature, string) bool) {
		for _, l := range [...]struct {
			is      bool
			feature Feature
			text    string
		}{
			{t.Structured != nil && !e.readsJSON(), FeatureStructured, "reads no JSON: the structured prompt is written as prose"},
			{x.facts.has(colors) && !e.knowsHex(), FeatureColors, "exact colours are not documented for it: they stand in the prompt in words"},
			{x.facts.has(mentions) && e.has&hasMentions == 0, FeatureMentions, "does not know @image1: the prompt says \"image 1\" instead"},
			{t.NegativePrompt != "" && e.has&hasNegative == 0, FeatureNegative, "has no negative prompt: it is left out"},
			{t.Seed != nil && e.has&hasSeed == 0, FeatureSeed, "takes no seed: it is left out"},
			{t.Steps != 0 && e.has&hasSteps == 0, FeatureSteps, "sets its steps by itself: they are left out"},
			{t.Guidance != nil && e.has&hasGuidance == 0, FeatureGuidance, "sets its guidance by itself: it is left out"},
			{x.sized() && e.has&hasSize == 0, FeatureSize, x.sizeLoss(e)},
			{e.has&hasSize != 0 && e.sizes.fit(x.size) != x.size, FeatureSize, "does not take the size: it is scaled to what it takes"},
			{t.MinPixels > 0 && x.size == "" && x.unmeasured() && e.has&hasSize != 0, FeatureSize, "the size follows the picture, which may have fewer pixels than min_pixels"},
			{x.prompts.prose != "" && !e.takesPrompt(), FeaturePrompt, "takes no prompt: it is left out"},
			{x.facts.has(multilingual) && e.chinese() && !x.chinese(), FeatureLanguage, "is documented for Chinese and English alone"},
			{!t.Mask.IsZero() && e.task != "inpaint" && e.task != "erase", FeatureMask, "takes no mask: it is left out"},
			{t.Edit == EditAngle && e.task == "edit", FeatureAngle, "turns the camera by words alone: the prompt says where it goes"},
			{slices.ContainsFunc(t.LoRAs, func(l LoRA) bool { return l.Base == "" }), FeatureLoRABase, "the task does not say which model the LoRA was trained for: it may not fit"},
			{e.retired, FeatureCurrent, "may be retired: newer lists of models leave it out"},
		} {
			if l.is && !yield(l.feature, l.text) {
				return
			}
		}
	}
}

// sized reports whether the task asks for a size.
func (x *route) sized() bool { return x.size != "" || x.task.Aspect != "" }

// unmeasured reports whether the size of the first picture is not known.
func (x *route) unmeasured() bool {
	return len(x.task.Pictures) > 0 && x.task.Pictures[0].Width == 0
}

func (x *route) sizeLoss(e *endpoint) string {
	if len(e.aspects) > 0 {
		return "takes aspect ratios alone: the size is its own, at the nearest ratio"
	}
	return "decides the size by itself"
}

// chinese reports whether the languages of the task are Chinese and English.
func (x *route) chinese() bool {
	return !slices.ContainsFunc(x.languages, func(tag string) bool { return primary(tag) != "zh" && primary(tag) != "en" })
}
