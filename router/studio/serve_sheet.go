package studio

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/router/sheet"
)

// kept returns the sections of what came of it all. Pictures are downloaded once,
// unless the browser goes away meanwhile.
func (p *Page) kept(ctx context.Context, last *Drafted) []sheet.Section {
	p.keeping.Lock()
	defer p.keeping.Unlock()
	if p.keptOf == last {
		return p.sections
	}
	sections := slices.DeleteFunc(last.Sections(ctx, p.client), func(s sheet.Section) bool { return len(s.Entries) == 0 })
	slices.Reverse(sections)
	if ctx.Err() == nil {
		p.keptOf, p.sections = last, sections
	}
	return sections
}

// sheet returns what is to be seen now. The lock must be held.
func (p *Page) sheet() *sheet.Sheet {
	live := &sheet.Live{Events: "events/" + strconv.Itoa(p.version)}
	id := sha256.Sum256([]byte(p.token + strconv.Itoa(p.round))) // it is exported, and who has the token can pick
	s := &sheet.Sheet{Title: "Drafts", ID: hex.EncodeToString(id[:8]), Live: live}
	p.pictures = make(map[string]fal.Image)
	if p.run == nil {
		s.Sections = []sheet.Section{{Entries: []sheet.Entry{{Title: "Drafts", Waiting: "The drafts are being made."}}}}
		return s
	}
	drafts := sheet.Section{Title: "Drafts"}
	if plan := p.run.plan; plan != nil {
		drafts.Prompt = plan.task.Prose()
	}
	missing := 0
	for i, a := range p.drafts {
		if a == nil {
			missing++
			drafts.Entries = append(drafts.Entries, p.run.plan.waiting(i))
			continue
		}
		entries := p.entries(a, "draft", i)
		entries[0].Key = strconv.Itoa(i)
		entries[0].Picked = slices.ContainsFunc(p.picked, func(v Variant) bool { return v.Index == i })
		drafts.Entries = append(drafts.Entries, entries[:1]...)
	}
	s.Sections = []sheet.Section{drafts}
	switch p.state {
	case pageDrafting:
		s.Note = fmt.Sprintf("%d of %d drafts are there. Star the best: they can be picked once all are.", len(p.drafts)-missing, len(p.drafts))
		live.Most = p.most()
	case pagePicking:
		s.Title, s.Note = "Pick the best", p.terms()
		live.Pick, live.Most, live.Seen = "Make the finals", p.most(), strconv.Itoa(p.round)
	case pageMaking:
		s.Title, s.Note = "Drafts and finals", "The finals are being made."
	case pageDone:
		s.Title = "Drafts and finals"
		s.Note = "None was picked, so no final is made."
		if p.last != nil && len(p.last.Variants) == 0 {
			s.Note = "There was nothing to pick from."
		}
		if n := len(p.picked); n > 0 {
			s.Note = fmt.Sprintf("%d of %d drafts were picked.", n, len(p.drafts))
		}
		if p.last != nil {
			s.Note += fmt.Sprintf(" All of it cost %v.", p.last.Spent)
		}
	}
	finals := sheet.Section{Title: "Finals", Prompt: drafts.Prompt}
	if p.run.plan == nil {
		return s
	}
	for i, v := range p.picked {
		key := finalKey(v.Index, 0)
		if p.finals[i] == nil {
			finals.Entries = append(finals.Entries, sheet.Entry{Key: key, Title: fmt.Sprintf("Final of draft %d", v.Index), Waiting: p.waiting[i]})
			continue
		}
		// It takes the place of what was waited for: what else was tried is on the last page.
		e := sheet.Entry{Title: fmt.Sprintf("Final of draft %d", v.Index), Error: "It was not made."}
		a := p.finals[i].Winner()
		if n := len(p.finals[i].Attempts); a == nil && n > 0 {
			a = &p.finals[i].Attempts[n-1]
		}
		if a != nil {
			e = p.entries(a, "final", v.Index)[0]
		}
		e.Key = key
		finals.Entries = append(finals.Entries, e)
	}
	if len(p.picked) > 0 {
		s.Sections = []sheet.Section{finals, drafts}
	}
	return s
}

// entries returns what is shown of an attempt, with its pictures beside the page.
// A browser keeps them, so those of another round have other names.
func (p *Page) entries(a *Attempt, kind string, number int) []sheet.Entry {
	return a.describe(func(i int, m fal.Image, e *sheet.Entry) {
		name := fmt.Sprintf("%d-%s-%d-%d", p.round, kind, number, i)
		p.pictures[name] = m
		e.File, e.Width, e.Height = "picture/"+name, max(m.Width, 0), max(m.Height, 0)
	})
}

// most is how many can be picked.
func (p *Page) most() int {
	if p.run.plan == nil {
		return len(p.variants)
	}
	return p.run.plan.drafts.Finals
}

// terms says what may be picked, and what that costs.
func (p *Page) terms() string {
	words := fmt.Sprintf("Pick up to %d.", p.most())
	if p.most() == 1 {
		words = "Pick one."
	}
	if plan := p.run.plan; plan != nil && !plan.Final.Unpriced {
		words += fmt.Sprintf(" A final by %s costs up to %v.", plan.Final.Model.Title, plan.Final.Quote.Max)
	}
	return words
}
