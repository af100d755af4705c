package router

import (
	"cmp"
	"slices"
	"strings"

	"github.com/falimage/falimage-go/fal"
)

// understand finds the facts about a task. Prompt is its prompt in prose.
func understand(t *Task, prompt string) understanding {
	var u understanding
	u.add(always, "")
	if len(t.Pictures) == 0 {
		u.add(generate, "no pictures are given")
	} else {
		u.add(editing, "pictures are given")
	}
	u.add(stageFacts[cmp.Or(t.Stage, StageFinal)], given)
	if t.Stage == "" {
		u.why[final] = "the default"
	}
	switch n := len(t.Pictures); {
	case n >= manyReferencesCount:
		u.add(manyReferences, "more pictures than 3")
		fallthrough
	case n >= 2:
		u.add(references, "more pictures than one")
	}
	understandControls(&u, t)
	read := read(prompt, len(t.Pictures) > 0)
	u.understandEdit(t, &read)
	u.understandExtent(t, prompt, &read)
	u.understandPurpose(t, &read)
	u.understandText(t, &read)
	design, picture := read.place(poster), read.place(photo)
	u.overPhoto = picture >= 0 && (t.Purpose == Poster || t.Purpose == "" && design >= 0 && design < picture)
	u.understandLanguages(t, prompt, &read)
	if t.ManyElements {
		u.add(manyElements, given)
	} else if why := read.elements(u.facts&designs != 0); why != "" {
		u.add(manyElements, why)
	}
	switch w := cmp.Or(read.first("transparent"), read.sticker()); {
	case t.Transparent:
		u.add(transparent, given)
	case t.Format == fal.JPEG:
	case w != "":
		u.add(transparent, says(w))
	case u.facts.has(cutout) && !read.backed():
		u.cut = true
		u.add(transparent, u.why[cutout])
	}
	if w := read.people(u.facts&designs != 0 || read.first("brand") != ""); w != "" {
		u.add(people, says(w))
	}
	return u
}

// reading is what the words of a prompt tell.
type reading struct {
	tokens []token
	quotes []quotation
	hits   []hit // what is not denied
	// textless is what denies lettering, "" if nothing does.
	textless string
	latin    bool   // no word outside of quotes is in another script
	tongue   string // the language of its words, if they tell one in Latin script but English
}

// read reads a prompt. It takes a time that grows with its length alone.
func read(prompt string, editing bool) reading {
	r := reading{tokens: split(prompt)}
	theVocabulary().correct(r.tokens)
	if !isJSON(prompt) { // whose quotes say nothing
		r.quotes = quoted(prompt)
	}
	next := 0
	for i := range r.quotes {
		q := &r.quotes[i]
		for next < len(r.tokens) && r.tokens[next].from < q.from {
			next++
		}
		q.at = next
		for next < len(r.tokens) && r.tokens[next].from < q.to {
			r.tokens[next].quoted = true
			next++
		}
		q.end = next
	}
	r.latin = !slices.ContainsFunc(r.tokens, func(t token) bool { return !t.quoted && languageOf(t.text) != "" })
	all, tongue := theVocabulary().find(r.tokens, editing)
	r.tongue = tongue
	all = slices.DeleteFunc(all, func(h hit) bool { return r.compound(prompt, &h) })
	r.hits = undenied(all, r.tokens)
	if w := r.first("textless"); w != "" {
		r.textless = w
	} else if n := len(of(all, "text")); n > len(of(r.hits, "text")) {
		r.textless = "no " + of(all, "text")[0].text
	}
	return r
}

// compound reports whether a phrase is only part of an adjective, as the first word of
// "billboard-sized".
func (r *reading) compound(prompt string, h *hit) bool {
	if h.end >= len(r.tokens) || h.list == "textless" {
		return false
	}
	next := &r.tokens[h.end]
	return prompt[next.from-1] == '-' && slices.Contains([]string{"sized", "shaped", "like", "free", "less", "themed", "winning", "worthy"}, next.text)
}

// first returns the first phrase of a list that the prompt has, or "".
func (r *reading) first(list string) string {
	for i := range r.hits {
		if r.hits[i].list == list {
			return r.hits[i].text
		}
	}
	return ""
}

func says(words string) string { return "the prompt says " + words }

// sticker returns a word for a sticker with which the prompt begins, or "".
func (r *reading) sticker() string {
	if i := slices.IndexFunc(r.hits, func(h hit) bool { return h.list == "sticker" }); i >= 0 && r.hits[i].at <= 3 && !r.placed(&r.hits[i]) && !r.hangs(&r.hits[i]) && !r.breaksBetween(1, r.hits[i].at) {
		return r.hits[i].text
	}
	return ""
}

// backed reports whether the prompt of a cut-out says what the new background is, or
// means no background, as in "make the curtain transparent".
func (r *reading) backed() bool {
	return r.first("edit-background") != "" || r.first("edit-background?") != "" || r.first("edit-backed") != "" || r.first("do-replace") != "" || r.first("edit-cutout") == "transparent"
}

// people returns a word for people in the prompt, or "". Whom a design is for is not
// in it.
func (r *reading) people(design bool) string {
	animals := false
	chess := slices.ContainsFunc(r.tokens, func(t token) bool { return strings.HasPrefix(t.text, "chess") })
	for i := range r.hits {
		h := &r.hits[i]
		if r.sitter(h) {
			return h.text + " " + r.tokens[h.end].text
		}
		animals = animals || h.list == "animal"
		if animals && (h.text == "he" || h.text == "she") || chess && slices.Contains(chessmen, h.text) || r.styledAs(h.at) {
			continue
		}
		if h.list == "people" && !r.owns(h) && !r.longer(h) && !r.attributive(h) && !r.animals(h) &&
			!(design && slices.ContainsFunc(r.tokens[max(0, h.at-2):h.at], func(t token) bool { return t.text == "for" })) {
			return h.text
		}
	}
	return ""
}

// chessmen are words for people and for what stands on a chessboard.
var chessmen = []string{"king", "queen", "knight", "knights"}

// sitter reports whether a phrase is "portrait of" before a name.
func (r *reading) sitter(h *hit) bool {
	if h.text != "portrait of" || h.end+1 >= len(r.tokens) || !r.tokens[h.end].upper || !r.tokens[h.end+1].upper || r.tokens[h.end+1].breaks {
		return false
	}
	return !slices.Contains(articles, r.tokens[h.end].text) && !slices.ContainsFunc(within(r.hits, h.end, h.end+3), func(o hit) bool { return o.list == "animal" })
}

// attributive reports whether one person is only spoken of as what clothes are like,
// as in "a cowboy hat".
func (r *reading) attributive(h *hit) bool {
	last := &r.tokens[h.end-1]
	return !last.possessive && !strings.HasSuffix(last.text, "s") && r.follows(h.end, h.end+1, "garment")
}

// animals reports whether a word for people is said of animals, as in "baby
// penguin", "owl family" and "a team of four dogs".
func (r *reading) animals(h *hit) bool {
	if r.follows(h.end, h.end+1, "animal") {
		return true
	}
	if !slices.Contains(companies, h.text) {
		return false
	}
	if h.end < len(r.tokens) && r.tokens[h.end].text == "of" || strings.HasSuffix(h.text, " of") {
		return r.follows(h.end, h.end+3, "animal")
	}
	return slices.ContainsFunc(within(r.hits, h.at-1, h.at), func(a hit) bool { return a.list == "animal" && a.end == h.at && !r.tokens[h.at].breaks })
}

// companies are words for people together.
var companies = []string{"family", "families", "couple", "team of", "a team", "crowd", "friends", "parents", "mother", "father", "baby", "babies", "children", "kids"}

// follows reports whether a phrase of a list begins at a token from one to before
// another, with no comma or the like in between.
func (r *reading) follows(from, to int, list string) bool {
	for at := from; at < min(to, len(r.tokens)) && !r.tokens[at].breaks; at++ {
		if slices.ContainsFunc(within(r.hits, at, at+1), func(o hit) bool { return o.list == list }) {
			return true
		}
	}
	return false
}

// longer reports whether another phrase begins with a word for people, such as "family
// tree".
func (r *reading) longer(h *hit) bool {
	return slices.ContainsFunc(within(r.hits, h.at, h.at+1), func(o hit) bool { return o.list != "people" && o.from == h.from && o.end > h.end })
}

// owns reports whether people are only spoken of as whose something is, as in "men's
// shoes"; a part of the body is somebody.
func (r *reading) owns(h *hit) bool {
	t := &r.tokens[h.end-1]
	return t.possessive && t.text != "woman" && t.text != "man" && !slices.ContainsFunc(within(r.hits, h.end, h.end+2), func(b hit) bool { return b.list == "body" })
}

// isJSON reports whether a prompt is in parts, as JSON.
func isJSON(prompt string) bool {
	s := strings.TrimSpace(prompt)
	return s != "" && strings.IndexByte("{[", s[0]) >= 0 && strings.Contains(s, "\":")
}

func understandControls(u *understanding, t *Task) {
	for _, c := range []struct {
		is   bool
		fact fact
		why  string
	}{
		{t.Structured != nil, structured, "the prompt is structured"},
		{len(t.Colors) > 0, colors, "colours are given"},
		{t.NegativePrompt != "", negative, "a negative prompt is given"},
		{t.Steps != 0, steps, "steps are given"},
		{t.Guidance != nil, guidance, "a guidance scale is given"},
		{len(t.LoRAs) > 0, loras, "LoRAs are given"},
		{max(t.Count, t.Volume) >= volumeCount, volume, "100 pictures or more"},
		{area(t) >= largePixels, large, "3 megapixels or more"},
	} {
		if c.is {
			u.add(c.fact, c.why)
		}
	}
}
