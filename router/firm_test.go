package router_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/router"
)

// How firm the choice is for each task, and what changes it, is printed with -v.
// Each change that is told does change it.
func TestFirmness(t *testing.T) {
	t.Parallel()
	loose, full := 0, 0
	for _, tt := range tasks {
		r, err := router.Route(tt.task)
		if err != nil {
			t.Fatal(err)
		}
		margin, changes := r.Firmness()
		if len(r.Candidates) > 1 && margin != r.Best().Score-r.Candidates[1].Score || margin < 0 && r.Best().Losses == nil {
			t.Errorf("%s: %d points", tt.name, margin)
		}
		for _, c := range changes {
			if strings.Contains(c, "were 11 ") || strings.Contains(c, "were -") {
				t.Errorf("%s: no rating can be so: %s", tt.name, c)
			}
			if strings.Contains(c, "were 10 ") {
				full++
			}
		}
		if len(changes) > 0 && margin < 5 {
			loose++
		}
		t.Logf("%-40s %-22s %3d points; %s", tt.name, r.Best().Model.Name, margin, strings.Join(changes[:min(1, len(changes))], ""))
	}
	if full == 0 {
		t.Error("no rating would have to be the highest there is")
	}
	if loose > len(tasks)/3 {
		t.Errorf("%d of %d choices hang on fewer than 5 points", loose, len(tasks))
	}
}

// Without a rule that is said to decide, or with the rating that is named, the choice
// is the one that is told, for every task.
func TestFirmnessHolds(t *testing.T) {
	t.Parallel()
	change := regexp.MustCompile(`^.* \((\S+)\), (?:without the rule (\S+) of -?\d+ points|if the (quality|speed) of .* \((\S+)\) were (\d+) and not \d+)$`)
	tried := make(map[string]int)
	for _, tt := range tasks {
		r, err := router.Route(tt.task)
		if err != nil {
			t.Fatal(err)
		}
		_, changes := r.Firmness()
		for _, c := range changes {
			m := change.FindStringSubmatch(c)
			if m == nil {
				continue // a fact, or the second step
			}
			p := router.DefaultPolicy()
			if m[2] != "" {
				p.Rules = slices.DeleteFunc(p.Rules, func(r router.ScoreRule) bool { return r.Name == m[2] })
			} else {
				rating, points := p.Ratings[m[4]], 0
				if _, err := fmt.Sscan(m[5], &points); err != nil {
					t.Fatal(err)
				}
				if m[3] == "quality" {
					rating.Quality = points
				} else {
					rating.Speed = points
				}
				p.Ratings[m[4]] = rating
			}
			tried[m[3]]++
			if again, err := mustRouter(t, p).Route(tt.task); err != nil || again.Best().Model.Name != m[1] {
				t.Errorf("%s: %q, but then it is %v, %v", tt.name, c, again.Best().Model, err)
			}
		}
	}
	if tried[""] < 20 || tried["quality"] < 20 || tried["speed"] < 20 {
		t.Errorf("%v were tried", tried)
	}
}

// The changes of one choice, tried: a rule, a rating, a fact.
func TestFirmnessChanges(t *testing.T) {
	t.Parallel()
	task := router.Task{Prompt: "as a watercolour", Pictures: pictures(1), Edit: router.EditStyle}
	r, err := router.Route(task)
	if err != nil {
		t.Fatal(err)
	}
	margin, changes := r.Firmness()
	best, next := r.Best().Model, r.Candidates[1].Model
	if len(changes) == 0 || changes[0] != next.String()+", without the rule qwen-3-edit of 24 points" {
		t.Errorf("%d points, %v", margin, changes)
	}
	without := func(change func(*router.Policy)) router.Model {
		p := router.DefaultPolicy()
		change(&p)
		again, err := mustRouter(t, p).Route(task)
		if err != nil {
			t.Fatal(err)
		}
		return again.Best().Model
	}
	if got := without(func(p *router.Policy) {
		p.Rules = slices.DeleteFunc(p.Rules, func(r router.ScoreRule) bool { return r.Name == "qwen-3-edit" })
	}); got != next {
		t.Errorf("without the rule it is %v, want %v", got, next)
	}
	rating := router.DefaultPolicy().Ratings[best.Name]
	steps := margin/7 + 1
	if want := fmt.Sprintf("%v, if the quality of %v were %d and not %d", next, best, rating.Quality-steps, rating.Quality); !slices.Contains(changes, want) {
		t.Errorf("%q is not among %q", want, changes)
	}
	for by, changed := range map[int]bool{steps: true, steps - 1: false} {
		got := without(func(p *router.Policy) {
			lower := rating
			lower.Quality -= by
			p.Ratings[best.Name] = lower
		})
		if (got != best) != changed {
			t.Errorf("with %d points of quality less it is %v", by, got)
		}
	}
	alone, err := router.Route(router.Task{Prompt: "x", Only: []string{"flux.Pro2"}})
	if err != nil {
		t.Fatal(err)
	}
	if margin, changes := alone.Firmness(); margin != 0 || changes != nil {
		t.Errorf("of one alone: %d, %v", margin, changes)
	}
	sign, err := router.Route(router.Task{Prompt: "a sign reading 'OPEN' on a glass door"})
	if err != nil {
		t.Fatal(err)
	}
	if _, changes := sign.Firmness(); len(changes) == 0 || changes[0] != `FLUX.2 [pro] (flux.Pro2), if "text" were not so` {
		t.Errorf("a sign: %q", changes)
	}
}

// Each rating that a source tells names it with a date.
func TestRatingsFromEvidence(t *testing.T) {
	t.Parallel()
	told := 0
	for name, r := range router.DefaultPolicy().Ratings {
		for _, from := range []string{r.QualityFrom, r.SpeedFrom} {
			if from == "" {
				continue
			}
			told++
			if !strings.Contains(from, "202") && !strings.Contains(from, "without a day") {
				t.Errorf("%s: %q has no date", name, from)
			}
		}
	}
	if told < 25 {
		t.Errorf("%d ratings are told by a source", told)
	}
	c := candidate(t, router.Task{Prompt: "x"}, "flux.Pro2")
	quality, price := c.Reasons()[1], c.Reasons()[len(c.Reasons())-1]
	if !strings.Contains(quality.Source, "1199") || price.Source == "" {
		t.Errorf("%+v", c.Reasons())
	}
	judged := candidate(t, router.Task{Prompt: "x"}, "flux.Image3")
	if got := judged.Reasons()[0].Source; !strings.Contains(got, "judgement") {
		t.Errorf("a judgement is said to be from %q", got)
	}
}
