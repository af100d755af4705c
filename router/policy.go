package router

import (
	_ "embed" // for the policies
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/falimage/falimage-go/pricing"
)

// Policy says how models are chosen: it is data, to be read and changed. A
// model's score is the sum of its points for quality, speed and price, each
// times its weight, and of the points of every rule that applies to it, less
// the points of what the task would lose on it.
type Policy struct {
	// Ratings are the quality and speed of models, by their Go type, such as
	// "flux.Pro2". A model without one has 5 points for each.
	Ratings map[string]Rating `json:"ratings"`
	// Stages are the weights of each stage, for tasks that prefer nothing.
	Stages map[Stage]Preference `json:"stages"`
	// PricePoints are the points for the expected price of a picture, from the
	// cheapest on. What is dearer than the last has none.
	PricePoints []PricePoints `json:"price_points"`
	// Losses are the points that a model loses for what it cannot do.
	Losses map[Feature]int `json:"losses"`
	Rules  []ScoreRule     `json:"rules"`
	// Outdated says that models which are gone from fal's list, or withdrawn,
	// count like any other. Without it the former come last, and the latter are
	// refused unless the task names them.
	Outdated bool `json:"outdated,omitzero"`
	// Not are models that are refused unless the task names them, in the forms of
	// [Task.Only].
	Not []string `json:"not,omitzero"`

	// Detect decides what a prompt says, in place of the detection of this
	// package; nil is the latter. It is given what that found, and returns what
	// is so, by the names of [Routing.Facts]; it may ask a language model. It is called
	// once for a task with a prompt, and once more where the second of two steps has
	// one. Of what the task itself says it can change nothing. It must be safe for
	// concurrent use.
	Detect func(t *Task, found []Fact) []Fact `json:"-"`
	// Functions are further rules, in Go: the points of a model for a task of
	// which certain facts are true, and why. No points means that the rule does not
	// apply. They are called for each model that can serve the task, must always
	// answer the same to the same, and change neither the task nor the facts.
	Functions []func(t *Task, facts []Fact, m Model) (points int, because string) `json:"-"`
	// Models are models of one's own, which are chosen from like those of this
	// package.
	Models []OwnModel `json:"-"`
	// Prices is the table that quotes come from; nil is [pricing.Default].
	Prices *pricing.Table `json:"-"`
}

// Rating is how good and how fast a model is, in points of 0 to 10.
type Rating struct {
	Quality int `json:"quality"`
	Speed   int `json:"speed"`
	// QualityFrom and SpeedFrom are the evidence, each with its date; "" is a
	// judgement.
	QualityFrom string `json:"quality_from,omitzero"`
	SpeedFrom   string `json:"speed_from,omitzero"`
}

// PricePoints are the points of a picture that costs UpTo at most.
type PricePoints struct {
	UpTo   pricing.USD `json:"up_to"`
	Points int         `json:"points"`
}

// ScoreRule gives points to models for tasks of which certain facts are true. The
// names of facts are those that [Routing.Facts] has.
type ScoreRule struct {
	Name string `json:"name"`
	// When are facts that must all be true, Any those of which one must be,
	// Unless those of which none may be.
	When   []string `json:"when,omitzero"`
	Any    []string `json:"any,omitzero"`
	Unless []string `json:"unless,omitzero"`
	// Models are those that get the points, in the forms of [Task.Only].
	Models []string `json:"models"`
	Points int      `json:"points"`
	// Because is the reason in words, and Source where it is from.
	Because string `json:"because"`
	Source  string `json:"source"`
}

// The article's advice, and what has changed since.
var (
	//go:embed article.json
	articleJSON []byte
	//go:embed policy.json
	changesJSON []byte
)

// changes are what makes the default policy of the article's.
type changes struct {
	Ratings map[string]Rating `json:"ratings"`
	Losses  map[Feature]int   `json:"losses"`
	Without []string          `json:"without"` // names of rules
	Rules   []ScoreRule       `json:"rules"`
}

// ArticlePolicy returns a copy of the policy that reproduces the advice of the
// article "FLUX vs. Qwen Image" of 2026-03-17, and knows the models of that day
// alone: some of them are gone by now. Each of its rules names the passage, or
// the catalogue of models. Ratings are the judgement of this package, made from
// what the article says of speed and quality.
func ArticlePolicy() Policy { return articlePolicy().clone() }

// DefaultPolicy returns a copy of the policy that comes with this package. It is
// the article's, with the models that came since, and with these in the place
// of those that are gone. Each changed rule says from what it is, and each
// rating its evidence, where there is some: lists of arenas, measured times, the
// steps of schemas. The other ratings are the judgement of this package.
func DefaultPolicy() Policy { return defaultPolicy().clone() }

func (p Policy) clone() Policy {
	p.Ratings = maps.Clone(p.Ratings)
	p.Stages = maps.Clone(p.Stages)
	p.PricePoints = slices.Clone(p.PricePoints)
	p.Losses = maps.Clone(p.Losses)
	p.Rules = slices.Clone(p.Rules)
	for i := range p.Rules {
		r := &p.Rules[i]
		r.When, r.Any, r.Unless, r.Models = slices.Clone(r.When), slices.Clone(r.Any), slices.Clone(r.Unless), slices.Clone(r.Models)
	}
	p.Not, p.Models = slices.Clone(p.Not), slices.Clone(p.Models)
	return p
}

// The files are part of the program, and tested.
var (
	articlePolicy = sync.OnceValue(func() Policy {
		var p Policy
		err := readStrictly(articleJSON, &p)
		if err != nil {
			panic(err)
		}
		return p
	})
	defaultPolicy = sync.OnceValue(func() Policy {
		var c changes
		if err := json.Unmarshal(changesJSON, &c); err != nil {
			panic(err)
		}
		p := ArticlePolicy()
		p.Outdated, p.Not = false, nil
		maps.Copy(p.Ratings, c.Ratings)
		maps.Copy(p.Losses, c.Losses)
		p.Rules = slices.DeleteFunc(p.Rules, func(r ScoreRule) bool { return slices.Contains(c.Without, r.Name) })
		p.Rules = append(p.Rules, c.Rules...)
		return p
	})
)

// ReadPolicy reads changes of the default policy, in the form that encoding/json
// writes of one: what it has is added, or takes the place of what has the same
// name. A file with one rule adds one rule; a whole policy that was written takes
// the place of all. Unknown fields, names in other letters, text behind the
// policy and null are errors; what it says is checked by [New].
func ReadPolicy(r io.Reader) (Policy, error) {
	const limit = 4 << 20
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && len(data) > limit {
		err = fmt.Errorf("a policy has at most %d bytes", limit)
	}
	var read Policy
	if err == nil {
		err = readStrictly(data, &read)
	}
	if err != nil {
		return Policy{}, fmt.Errorf("router: reading a policy: %w", err)
	}
	p := DefaultPolicy()
	maps.Copy(p.Ratings, read.Ratings)
	maps.Copy(p.Stages, read.Stages)
	maps.Copy(p.Losses, read.Losses)
	if read.PricePoints != nil {
		p.PricePoints = read.PricePoints
	}
	if read.Not != nil {
		p.Not = read.Not
	}
	p.Outdated = p.Outdated || read.Outdated
	for _, rule := range read.Rules {
		if i := slices.IndexFunc(p.Rules, func(r ScoreRule) bool { return r.Name == rule.Name }); i >= 0 {
			p.Rules[i] = rule
		} else {
			p.Rules = append(p.Rules, rule)
		}
	}
	return p, nil
}

// readStrictly reads a JSON object and nothing else, with no other names than
// those of the type, in their letters.
func readStrictly(data []byte, p *Policy) error {
	var raw any
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	if err := exactNames(raw, reflect.TypeFor[Policy](), "the policy"); err != nil {
		return err
	}
	return json.Unmarshal(data, p)
}

// exactNames compares the names in JSON with those of a type; encoding/json takes them
// in any letters.
func exactNames(v any, t reflect.Type, at string) error {
	switch v := v.(type) {
	case nil:
		return fmt.Errorf("%s is null", at)
	case []any:
		for i, one := range v {
			if t.Kind() == reflect.Slice {
				if err := exactNames(one, t.Elem(), fmt.Sprintf("%s[%d]", at, i)); err != nil {
					return err
				}
			}
		}
	case map[string]any:
		for name, one := range v {
			var inner reflect.Type
			switch t.Kind() {
			case reflect.Map:
				inner = t.Elem()
			case reflect.Struct:
				for f := range t.Fields() {
					if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name && tag != "-" {
						inner = f.Type
					}
				}
			}
			if inner == nil {
				return fmt.Errorf("%s has no field %q", at, name)
			}
			if err := exactNames(one, inner, name); err != nil {
				return err
			}
		}
	}
	return nil
}
