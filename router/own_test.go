package router_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
)

// portrait is a model of one's own.
func portrait() router.OwnModel {
	return router.OwnModel{
		Model: router.Model{Name: "acme.Portrait", Endpoint: "acme/portrait", Title: "Acme Portrait", Family: "Acme", What: "portraits", Licence: "Apache 2.0"},
		Task:  "text-to-image", Can: []router.Feature{router.FeatureSeed, router.FeatureSize}, Open: true,
		Size: fal.SquareHD, MaxArea: 4 << 20, MaxCount: 2,
		Rating: router.Rating{Quality: 10, Speed: 10}, Price: pricing.PerMegapixel{Price: cent},
		Request: func(t router.Task) fal.Request[fal.Images] {
			return fal.Call[fal.Images]{ID: "acme/portrait", Input: map[string]any{"prompt": t.Prompt, "n": t.Count, "seed": t.Seed, "size": t.Size, "no": t.NegativePrompt, "steps": t.Steps, "guidance": t.Guidance}}
		},
	}
}

// own returns a router with a model of one's own.
func own(t *testing.T, change func(*router.OwnModel)) *router.Router {
	t.Helper()
	m := portrait()
	if change != nil {
		change(&m)
	}
	p := router.DefaultPolicy()
	p.Models = []router.OwnModel{m}
	return mustRouter(t, p)
}

// A model of one's own gets the task in the form that it takes, and is priced,
// refused, ruled and listed like the others.
func TestOwnModel(t *testing.T) {
	t.Parallel()
	chooser := own(t, nil)
	r, err := chooser.Route(router.Task{Prompt: "a queen", Count: 3, Seed: fal.Seed(7), Steps: 9, Guidance: new(3.0), NegativePrompt: "hats", Size: fal.Size(3000, 2000), Colors: []flux.Color{"#2ECC71"}, Only: []string{"acme"}})
	if err != nil {
		t.Fatal(err)
	}
	best := r.Best()
	if best.Model.Name != "acme.Portrait" || best.Calls != 2 || best.Max != 12*cent || len(best.Losses) != 5 {
		t.Errorf("%v, %d calls for %v, losses %v", best.Model, best.Calls, best.Amounts, best.Losses)
	}
	var bodies []string
	for request, quote := range best.Requests() {
		b, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(b)+" "+quote.Max.String())
	}
	want := `{"guidance":null,"n":2,"no":"","prompt":"a queen. Color palette: #2ECC71.","seed":7,"size":{"width":2496,"height":1664},"steps":0} $0.08`
	if len(bodies) != 2 || strings.ReplaceAll(bodies[0], "color #2ECC71", "#2ECC71") != want || !strings.Contains(bodies[1], `"n":1`) || !strings.Contains(bodies[1], `"seed":8`) {
		t.Errorf("got %q, want %q", bodies, want)
	}
	for name, tt := range map[string]struct {
		change func(*router.OwnModel)
		task   router.Task
		best   bool
		why    string
	}{
		"chosen":           {task: router.Task{Prompt: "a queen"}, best: true},
		"not for editing":  {task: router.Task{Prompt: "a queen", Pictures: pictures(1)}, why: "is for other work"},
		"too dear":         {task: router.Task{Prompt: "a queen", MaxPricePerImage: cent / 2}, why: "costs up to $0.01"},
		"licence":          {task: router.Task{Prompt: "a queen", Licence: router.Apache2}, best: true},
		"not open":         {change: func(m *router.OwnModel) { m.Licence, m.Open = "", false }, task: router.Task{Prompt: "a queen", Licence: router.OpenWeights}, why: "its weights are not published"},
		"format":           {task: router.Task{Prompt: "a queen", Format: "webp"}, why: "makes [jpeg png] files alone"},
		"no price":         {change: func(m *router.OwnModel) { m.Price = nil }, task: router.Task{Prompt: "a queen"}, why: "its price is not known"},
		"price allowed":    {change: func(m *router.OwnModel) { m.Price = nil }, task: router.Task{Prompt: "a queen", UnknownPrice: true}, best: true},
		"needs a seed":     {change: func(m *router.OwnModel) { m.Can = nil }, task: router.Task{Prompt: "a queen", Seed: fal.Seed(1), Require: []router.Feature{router.FeatureSeed}}, why: "lacks a feature"},
		"transparent":      {change: func(m *router.OwnModel) { m.Transparent = true }, task: router.Task{Prompt: "a queen", Transparent: true}, best: true},
		"no request":       {change: func(m *router.OwnModel) { m.Request = func(router.Task) fal.Request[fal.Images] { return nil } }, task: router.Task{Prompt: "a queen"}, why: "made no request to acme/portrait"},
		"another endpoint": {change: func(m *router.OwnModel) { m.Request = func(router.Task) fal.Request[fal.Images] { return flux.Pro2{} } }, task: router.Task{Prompt: "a queen"}, why: "made no request to acme/portrait"},
		"edits":            {change: func(m *router.OwnModel) { m.Task, m.MaxPictures = "edit", 2 }, task: router.Task{Prompt: "a queen", Pictures: pictures(3)}, why: "takes 1 to 2 pictures"},
		"edits two":        {change: func(m *router.OwnModel) { m.Task, m.MaxPictures = "edit", 2 }, task: router.Task{Prompt: "a queen", Pictures: pictures(2)}, best: true},
		"its LoRA":         {change: func(m *router.OwnModel) { m.MaxLoRAs = 1 }, task: router.Task{Prompt: "a queen", LoRAs: []router.LoRA{{Path: "a/b", Base: "acme.Portrait"}}}, best: true},
		"refuses itself": {change: func(m *router.OwnModel) {
			m.Request = func(router.Task) fal.Request[fal.Images] { return picky{} }
		}, task: router.Task{Prompt: "a queen"}, why: "too plain"},
	} {
		r, err := own(t, tt.change).Route(tt.task)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := r.Best().Model.Name == "acme.Portrait"; got != tt.best {
			t.Errorf("%s: the best is %v", name, r.Best().Model)
		}
		i := slices.IndexFunc(r.Refused, func(f router.Refusal) bool { return f.Model().Name == "acme.Portrait" })
		if (i >= 0) != (tt.why != "") || i >= 0 && !strings.Contains(r.Refused[i].String(), tt.why) {
			t.Errorf("%s: refused %d: %v", name, i, r.Refused[max(i, 0)].String())
		}
	}
	if !slices.ContainsFunc(chooser.Models(), func(m router.Model) bool { return m.Name == "acme.Portrait" }) || len(router.Models()) >= len(chooser.Models()) {
		t.Error("it is not listed")
	}
	if _, ok := chooser.Prices().Price("acme/portrait"); !ok {
		t.Error("its price is not in the table")
	}
	article, why := r.Article()
	if why != "none of the models of 2026-03-17 can serve the task" { // which names ours alone
		t.Errorf("the article: %v, %q", article, why)
	}
	r, err = chooser.Route(router.Task{Prompt: "a queen"})
	if err != nil {
		t.Fatal(err)
	}
	if article, why := r.Article(); article.Name != "flux.Pro2" || !strings.Contains(why, "Acme Portrait is none of this package's models") {
		t.Errorf("the article: %v, %q", article, why)
	}
}

// picky is a request that refuses itself.
type picky struct{ Prompt string }

func (picky) Endpoint() fal.Endpoint[fal.Images] { return "acme/portrait" }
func (picky) Validate() error {
	return &fal.ValidationError{Problems: []fal.Problem{{Field: "prompt", Message: "too plain"}}}
}

// What a model of one's own lacks, or says wrong, is an error of the policy.
func TestWrongOwnModels(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*router.OwnModel){
		"name, endpoint and title are required": func(m *router.OwnModel) { m.Title = "" },
		"another model has the name":            func(m *router.OwnModel) { m.Endpoint = "fal-ai/flux-2-pro" },
		`task: "paint": must be one of`:         func(m *router.OwnModel) { m.Task = "paint" },
		"request: is required":                  func(m *router.OwnModel) { m.Request = nil },
		"no bound may be negative":              func(m *router.OwnModel) { m.MaxCount = -1 },
		"an upper bound is less":                func(m *router.OwnModel) { m.MinSide, m.MaxSide = 9, 8 },
		`size: "huge"`:                          func(m *router.OwnModel) { m.Size = "huge" },
		`can: "taste"`:                          func(m *router.OwnModel) { m.Can = []router.Feature{"taste"} },
		"quality: 11: must be between":          func(m *router.OwnModel) { m.Rating.Quality = 11 },
		"the price must be more than zero":      func(m *router.OwnModel) { m.Price = pricing.PerMegapixel{} },
	} {
		m := portrait()
		change(&m)
		p := router.DefaultPolicy()
		p.Models = []router.OwnModel{m}
		if _, err := router.New(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for i, tt := range []struct {
		change func(*router.OwnModel)
		right  bool
	}{
		{func(m *router.OwnModel) { m.Name = "" }, false},
		{func(m *router.OwnModel) { m.Endpoint = "" }, false},
		{func(m *router.OwnModel) { m.Name = "flux.Pro2" }, false},
		{func(m *router.OwnModel) { m.MinPictures, m.MaxPictures = 2, 1 }, false},
		{func(m *router.OwnModel) { m.MinPictures, m.MaxPictures = 2, 2 }, true},
		{func(m *router.OwnModel) { m.MinPictures = 2 }, true},
		{func(m *router.OwnModel) { m.MinArea, m.MaxArea = 2, 1 }, false},
		{func(m *router.OwnModel) { m.MinArea, m.MaxArea = 2, 2 }, true},
		{func(m *router.OwnModel) { m.MinSide, m.MaxSide, m.MaxArea = 2, 2, 0 }, true},
		{func(m *router.OwnModel) { m.MinSide, m.MaxSide = 2, 1 }, false},
		{func(m *router.OwnModel) { m.Rating = router.Rating{Speed: -1} }, false},
		{func(m *router.OwnModel) { m.MaxLoRAs = -1 }, false},
	} {
		m := portrait()
		tt.change(&m)
		p := router.DefaultPolicy()
		p.Models = []router.OwnModel{m}
		if _, err := router.New(p); (err == nil) != tt.right {
			t.Errorf("%d: %v", i, err)
		}
	}
	p := router.DefaultPolicy()
	p.Models = []router.OwnModel{portrait(), portrait()}
	if _, err := router.New(p); err == nil {
		t.Error("one model is there twice")
	}
	p = router.DefaultPolicy()
	p.Models = []router.OwnModel{portrait()}
	p.Rules = append(p.Rules, router.ScoreRule{Name: "portraits", When: []string{"people"}, Models: []string{"acme.Portrait"}, Points: 50, Because: "ours", Source: "us"})
	r, err := mustRouter(t, p).Route(router.Task{Prompt: "a woman"})
	if err != nil || r.Best().Reasons()[0].Rule != "portraits" {
		t.Errorf("a rule: %v", err)
	}
}

// What a model of one's own is charged for is told from the task, unless its
// request tells it.
func TestOwnModelCharges(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*router.OwnModel)
		task   router.Task
		max    pricing.USD
	}{
		"size of its own":  {nil, router.Task{Prompt: "x"}, cent},
		"size of the task": {nil, router.Task{Prompt: "x", Size: fal.Size(2048, 1024)}, 2 * cent},
		"pictures":         {nil, router.Task{Prompt: "x", Count: 3}, 3 * cent},
		"layers":           {func(m *router.OwnModel) { m.Task, m.Size, m.Price = "layers", "", pricing.PerImage{Price: cent} }, router.Task{Pictures: pictures(1), Edit: router.EditLayers, Layers: 3}, 3 * cent},
		"layers, default":  {func(m *router.OwnModel) { m.Task, m.Size, m.Price = "layers", "", pricing.PerImage{Price: cent} }, router.Task{Pictures: pictures(1), Edit: router.EditLayers}, 4 * cent},
		"like the picture": {func(m *router.OwnModel) { m.Task, m.Size = "edit", "" }, router.Task{Prompt: "x", Pictures: pictures(1)}, cent},
		"twice as large":   {func(m *router.OwnModel) { m.Task, m.Size = "upscale", "" }, router.Task{Pictures: pictures(1), Edit: router.EditUpscale, Scale: 2}, 4 * cent},
		"as it was":        {func(m *router.OwnModel) { m.Task, m.Size = "upscale", "" }, router.Task{Pictures: pictures(1), Edit: router.EditUpscale}, cent},
		"its own word": {func(m *router.OwnModel) {
			m.Request = func(router.Task) fal.Request[fal.Images] { return charging(9) }
		}, router.Task{Prompt: "x"}, 9 * cent},
		"of no size": {func(m *router.OwnModel) { m.Size, m.MinArea, m.MaxArea = "", 1<<20, 1<<20 }, router.Task{Prompt: "x"}, cent},
		"nothing by its own word": {func(m *router.OwnModel) {
			m.Request = func(router.Task) fal.Request[fal.Images] { return charging(0) }
		}, router.Task{Prompt: "x"}, cent},
	} {
		tt.task.Only = []string{"acme.Portrait"}
		r, err := own(t, tt.change).Route(tt.task)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if r.Best().Max != tt.max {
			t.Errorf("%s: %v, want %v", name, r.Best().Amounts, tt.max)
		}
	}
}

// Of a price that is not known, the reason for its points says so, and no other.
func TestReasonOfUnknownPrice(t *testing.T) {
	t.Parallel()
	r, err := own(t, func(m *router.OwnModel) { m.Price = nil }).Route(router.Task{Prompt: "x", UnknownPrice: true, Only: []string{"acme.Portrait"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range r.Best().Reasons() {
		if says := reason.Text == "no points for a price that is not known"; says != (reason.Rule == "price") || says && reason.Points != 0 {
			t.Errorf("%+v", reason)
		}
	}
}

// charging is a request that tells how many pictures it is charged for, or nothing.
type charging int

func (charging) Endpoint() fal.Endpoint[fal.Images] { return "acme/portrait" }
func (c charging) Usage() fal.Usage {
	return fal.Usage{Endpoint: "acme/portrait", Outputs: int(c), Size: fal.SquareHD}
}

// The nearest of several models is the one that is off by the least, and else the
// better.
func TestNearestOfSeveral(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prices   [3]pricing.USD
		pictures [3][2]int
		task     router.Task
		without  string
		want     string
	}{
		"of unknown price":      {without: "a known price", want: "acme.M1"},
		"of one known price":    {prices: [3]pricing.USD{0, 0, cent}, task: router.Task{MaxPrice: 1}, without: "a price of at most $0.000000001", want: "acme.M2"},
		"of one price":          {prices: [3]pricing.USD{cent, cent, cent}, task: router.Task{MaxPrice: 1}, without: "a price of at most $0.000000001", want: "acme.M1"},
		"of several prices":     {prices: [3]pricing.USD{2 * cent, 2 * cent, cent}, task: router.Task{MaxPrice: 1}, without: "a price of at most $0.000000001", want: "acme.M2"},
		"too many pictures":     {prices: [3]pricing.USD{cent, cent, cent}, pictures: [3][2]int{{1, 3}, {1, 2}, {1, 4}}, task: router.Task{Pictures: pictures(5)}, without: "5 input pictures", want: "acme.M2"},
		"too few pictures":      {prices: [3]pricing.USD{cent, cent, cent}, pictures: [3][2]int{{3, 0}, {3, 0}, {2, 9}}, task: router.Task{Pictures: pictures(1)}, without: "1 input pictures", want: "acme.M2"},
		"one picture off, both": {prices: [3]pricing.USD{cent, cent, cent}, pictures: [3][2]int{{3, 3}, {3, 0}, {1, 1}}, task: router.Task{Pictures: pictures(2)}, without: "2 input pictures", want: "acme.M1"},
	} {
		policy := router.DefaultPolicy()
		for i, quality := range []int{2, 9, 4} {
			endpoint := fmt.Sprintf("acme/%d", i)
			m := router.OwnModel{
				Model: router.Model{Name: fmt.Sprintf("acme.M%d", i), Endpoint: endpoint, Title: endpoint, Family: "Acme"},
				Task:  "text-to-image", Rating: router.Rating{Quality: quality, Speed: 5},
				MinPictures: tt.pictures[i][0], MaxPictures: tt.pictures[i][1],
				Request: func(t router.Task) fal.Request[fal.Images] {
					return fal.Call[fal.Images]{ID: fal.Endpoint[fal.Images](endpoint), Input: t.Prompt}
				},
			}
			if m.MinPictures > 0 {
				m.Task = "edit"
			}
			if tt.prices[i] > 0 {
				m.Price = pricing.PerImage{Price: tt.prices[i]}
			}
			policy.Models = append(policy.Models, m)
		}
		task := tt.task
		task.Prompt, task.Only = "a mug", []string{"Acme"}
		_, err := mustRouter(t, policy).Route(task)
		e, ok := errors.AsType[*router.NoModelError](err)
		if !ok || !slices.ContainsFunc(e.Nearest, func(n router.Nearest) bool { return n.Without == tt.without && n.Model.Name == tt.want }) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
