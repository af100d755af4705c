package router

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

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
	if t.Transparent {
		u.add(transparent, given)
	} else if w := cmp.Or(read.first("transparent"), read.sticker()); w != "" && t.Format != fal.JPEG {
		u.add(transparent, says(w))
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
	latin    bool // no word outside of quotes is in another script
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
	all := theVocabulary().find(r.tokens, editing)
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
	if i := slices.IndexFunc(r.hits, func(h hit) bool { return h.list == "sticker" }); i >= 0 && r.hits[i].at <= 3 && !r.placed(&r.hits[i]) && !r.breaksBetween(1, r.hits[i].at) {
		return r.hits[i].text
	}
	return ""
}

// people returns a word for people in the prompt, or "". Whom a design is for is not
// in it.
func (r *reading) people(design bool) string {
	for i := range r.hits {
		h := &r.hits[i]
		if h.list == "people" && !r.owns(h) && !r.longer(h) && !(design && slices.ContainsFunc(r.tokens[max(0, h.at-2):h.at], func(t token) bool { return t.text == "for" })) {
			return h.text
		}
	}
	return ""
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

// edits are the kinds of editing that words tell, the surest first: who wants the
// text changed and all else kept wants the text changed. A kind is told by a phrase
// of its list, or by a word for what is done and one for what it is done to, which
// are few words apart.
var edits = []struct {
	fact     fact
	list     string
	do, what string
	apart    int // words between them, at most
}{
	{fact: tryOn, list: "edit-try-on", do: "do-wear", what: "garment", apart: 3},
	{fact: extend, list: "edit-extend", do: "do-extend", what: "frame", apart: 3},
	{fact: cutout, list: "edit-cutout", do: "edit-remove", what: "backdrop", apart: 1},
	{fact: textEdit, list: "edit-text", do: "do-change", what: "wording", apart: 4},
	{fact: textEdit, do: "wording", what: "must", apart: 3},
	{fact: background, list: "edit-background", do: "do-replace", what: "backdrop", apart: 5},
	{fact: background, do: "backdrop", what: "must", apart: 2},
	{fact: remove, list: "edit-remove"},
	{fact: relight, list: "edit-relight", do: "do-replace", what: "light", apart: 3},
	{fact: style, list: "edit-style", do: "do-become", what: "illustration", apart: 3},
	{fact: style, do: "do-become", what: "illustration?", apart: 3},
	{fact: style, do: "do-become", what: "comic", apart: 3},
	{fact: angle, list: "edit-angle", do: "do-turn", what: "camera", apart: 4},
	{fact: inContext, list: "edit-in-context", do: "do-keep", what: "identity", apart: 3},
	{fact: background, list: "edit-background?"},
}

// understandEdit finds out what is done with the pictures.
func (u *understanding) understandEdit(t *Task, r *reading) {
	if f, ok := editFacts[t.Edit]; ok {
		u.add(f, given)
		return
	}
	if len(t.Pictures) == 0 {
		return
	}
	for _, e := range edits {
		if e.fact == tryOn && len(t.Pictures) < 2 { // there is no picture of a garment
			continue
		}
		w := r.first(e.list)
		if w == "" && e.do != "" {
			w = r.done(e.do, e.what, e.apart)
		}
		if w != "" {
			u.add(e.fact, says(w))
			return
		}
	}
	for i := range r.quotes {
		q := &r.quotes[i]
		changed := slices.ContainsFunc(within(r.hits, q.at-1, q.at), func(h hit) bool { return h.list == "do-change" })
		if changed || r.lettering(q, false) {
			u.add(textEdit, "the prompt quotes it: "+q.text)
			return
		}
	}
}

// done returns a word for what is done and one for what it is done to, or "". In
// English the former comes first, in other languages either may.
func (r *reading) done(do, what string, apart int) string {
	for i := range r.hits {
		d := &r.hits[i]
		if d.list != do {
			continue
		}
		for _, w := range within(r.hits, d.at-apart-longestPhrase, d.end+apart+1) {
			first, second := d, &w
			if w.at < d.at {
				if d.language == "en" {
					continue
				}
				first, second = &w, d
			}
			if w.list == what && second.at-first.end <= apart && (w.at != d.at || w.from != d.from) && !r.breaksBetween(first.end, second.at) && !r.elsewhere(first.end, &w) {
				return first.text + " … " + second.text
			}
		}
	}
	return ""
}

// elsewhere reports whether a word in English is only where something else is, as in
// "make the man in the background smile".
func (r *reading) elsewhere(from int, what *hit) bool {
	return what.list == "backdrop" && what.language == "en" && from < what.at && slices.ContainsFunc(r.tokens[from:what.at], func(t token) bool {
		return t.text == "in" || t.text == "on" || t.text == "from" || t.text == "behind"
	})
}

// breaksBetween reports whether a comma or the like stands before a token from one
// up to another.
func (r *reading) breaksBetween(from, to int) bool {
	return to >= from && slices.ContainsFunc(r.tokens[from:min(to+1, len(r.tokens))], func(t token) bool { return t.breaks })
}

// purposeLists are the facts of the lists that tell what pictures are for. A
// list of the same name and a question mark has what tells it less surely.
var purposeLists = map[string]fact{
	"infographic": infographic, "comic": comic, "poster": poster, "ui": ui, "texture": texture,
	"product": product, "illustration": illustration, "photo": photo,
}

// understandPurpose finds what the pictures are for.
func (u *understanding) understandPurpose(t *Task, r *reading) {
	if f, ok := purposeFacts[t.Purpose]; ok {
		u.add(f, given)
		return
	}
	for _, mark := range []string{"", "?"} {
		if h := r.medium(mark); h != nil {
			f := purposeLists[strings.TrimSuffix(h.list, "?")]
			if goods, selling := r.sold(); selling != "" && (f == photo || mark == "?" || strings.HasPrefix(h.text, "3d")) {
				u.add(product, says(goods+" … "+selling))
				return
			}
			u.add(f, says(h.text))
			return
		}
	}
	if goods, selling := r.sold(); selling != "" {
		u.add(product, says(goods+" … "+selling))
	}
}

// sold returns something for sale and a word for selling, "" unless the prompt has
// both and no people.
func (r *reading) sold() (goods, selling string) {
	goods, selling = r.first("goods"), r.first("selling")
	if goods == "" || selling == "" || r.people(false) != "" {
		return "", ""
	}
	return goods, selling
}

// medium returns what says first what the pictures are: a later one counts if
// the first only describes it, as in "a watercolour travel poster". A picture of
// a product is a photo too.
func (r *reading) medium(mark string) *hit {
	var found *hit
	for i := range r.hits {
		h := &r.hits[i]
		name, ok := strings.CutSuffix(h.list, mark)
		if _, known := purposeLists[name]; !ok || !known || mark != "" && r.incidental(h) {
			continue
		}
		switch {
		case found == nil, h.at == found.at && h.end-h.at > found.end-found.at:
			found = h
		case name == "product" && strings.HasPrefix(found.list, "photo"):
			found = h
		case (strings.HasPrefix(found.list, "photo") || strings.HasPrefix(found.list, "illustration")) && r.describes(found, h):
			found = h
		}
	}
	return found
}

// incidental reports whether a word that may be the medium is something in the
// picture: a menu that is read, the dashboard of a car, the texture of skin.
func (r *reading) incidental(h *hit) bool {
	switch h.list {
	case "texture?": // it is what the first words say
		last := h.end >= len(r.tokens) || r.tokens[h.end].breaks
		if h.text == "seamless" {
			return h.at > 1 && (!last || !r.tokens[h.at].breaks)
		}
		return h.at > 4 || r.breaksBetween(1, h.at) || !last && r.tokens[h.end].text != "of" && r.tokens[h.end].text != "for"
	case "illustration?":
		done := h.end < len(r.tokens) && !r.tokens[h.end].breaks && slices.Contains([]string{"a", "an", "the", "his", "her", "their"}, r.tokens[h.end].text)
		whose := h.at > 0 && r.tokens[h.at-1].possessive
		return done || whose || r.placed(h) // painting a wall; a kid's drawing; on a painting
	case "poster?", "ui?", "comic?", "infographic?":
		return h.text == "dashboard" && r.first("vehicle") != "" || r.placed(h) || h.list == "poster?" && r.hangs(h)
	}
	return false
}

// hangs reports whether a word behind another says where that is in the picture.
func (r *reading) hangs(h *hit) bool {
	return h.end < len(r.tokens) && !r.tokens[h.end].breaks && slices.Contains([]string{"behind", "above", "over", "beside", "hanging", "hung", "stuck", "pinned", "taped", "lying", "stapled"}, r.tokens[h.end].text)
}

// placed reports whether a word such as "on" says that something is in the picture.
func (r *reading) placed(h *hit) bool {
	for at := h.at - 1; at >= max(0, h.at-3) && !r.tokens[at+1].breaks; at-- {
		if slices.Contains(places, r.tokens[at].text) {
			return true
		}
	}
	return false
}

// places are words before something that is in a picture.
var places = []string{"in", "on", "under", "behind", "with", "holding", "reading", "the", "his", "her", "their", "over", "beside", "against", "from", "at", "near", "past"}

// place is where the prompt first says what pictures are for, -1 if it does not.
func (r *reading) place(f fact) int {
	i := slices.IndexFunc(r.hits, func(h hit) bool { return strings.TrimSuffix(h.list, "?") == factNames[f] })
	if i < 0 {
		return -1
	}
	return r.hits[i].at
}

// describes reports whether one phrase stands before another like an adjective.
func (r *reading) describes(a, b *hit) bool {
	if b.at < a.end || b.at-a.end > 3 {
		return false
	}
	for _, t := range r.tokens[a.end : b.at+1] {
		if t.breaks || slices.Contains(betweens, t.text) {
			return false
		}
	}
	return !slices.Contains(betweens, r.tokens[a.end-1].text)
}

// betweens are words after which something else is spoken of.
var betweens = []string{"of", "with", "on", "in", "for", "showing", "featuring", "by", "at", "next", "behind", "and", "holding", "above", "a", "an", "the", "de", "von", "sur", "avec"}

// designs are purposes for which what is quoted is lettering.
const designs facts = 1<<poster | 1<<infographic | 1<<comic | 1<<ui

// understandText finds out whether the pictures have lettering in them.
func (u *understanding) understandText(t *Task, r *reading) {
	if t.Text != nil {
		if len(t.Text) > 0 {
			u.add(text, given)
		}
		return
	}
	design := u.facts&designs != 0
	for i := range r.quotes {
		if q := &r.quotes[i]; r.lettering(q, design) {
			u.add(text, "the prompt quotes it: "+q.text)
		}
	}
	if r.textless == "" {
		for i := range r.hits {
			switch h := &r.hits[i]; {
			case strings.HasPrefix(h.list, "language-") && design && !r.styled(i), // a poster in French
				strings.HasPrefix(h.list, "name-") && h.list != "name-en" && r.writtenIn(h), // a French label
				h.list == "speech" && !r.spoken(h) && r.carried(h):
				u.add(text, says(h.text))
			}
		}
	}
	if w := r.first("text"); w != "" && r.textless == "" {
		u.add(text, says(w))
	}
	if r.textless == "" {
		if u.facts.has(infographic) {
			u.add(text, "an infographic has some")
		}
		if words := r.told(); words != "" {
			u.add(text, "the prompt tells what is written: "+words)
		}
		if words := r.named(); words != "" && (design || r.first("brand") != "") {
			u.add(text, "the prompt has a name for it: "+words)
		}
		if words := r.price(); words != "" {
			u.add(text, "the prompt has a price: "+words)
		}
		if words := r.capitals(); words != "" {
			u.add(text, "the prompt has it in capitals: "+words)
		}
	}
}

// reach is how many words away a word may stand that says what something is.
const reach = 6

// lettering reports whether a quotation is to be read in the picture: beside a
// word for writing or for what carries it, or in capitals, or in a design, but
// not if the last word before it makes it a title or a name.
func (r *reading) lettering(q *quotation, design bool) bool {
	carrier, title, branded := 0, 0, false // the ends of the last ones before
	for _, h := range within(r.hits, q.at-reach-longestPhrase, q.end+4) {
		switch near := h.end <= q.at && q.at-h.end <= reach; {
		case near && (h.list == "carrier" || h.list == "text" || h.list == "speech" && !r.spoken(&h)):
			carrier = max(carrier, h.end)
		case near && h.list == "title" && q.at-h.end <= 1:
			title = max(title, h.end)
		case near && h.list == "branded":
			branded = true
		case h.at >= q.end && h.at-q.end <= 3 && (h.list == "text" || h.list == "carrier" && r.bears(q, &h)):
			carrier = max(carrier, 1)
		}
	}
	if branded && title > 0 { // a shop or a box has its name on it
		return true
	}
	if title > 0 && !design {
		return false
	}
	// Of a script that the words around it are not in, it can only be lettering.
	foreign := languageOf(q.text) != "" && r.latin
	return design || carrier > 0 || foreign || inCapitals(r.tokens[q.at:q.end])
}

// told returns what stands behind a colon that a word for writing stands before, or
// with a capital behind a word such as "brand"; or "".
func (r *reading) told() string {
	for i := range r.tokens {
		if t := &r.tokens[i]; (t.told || t.upper && !t.breaks) && !t.quoted {
			for _, h := range within(r.hits, i-longestPhrase, i) {
				if h.end == i && (t.told && h.list == "inscribed" || t.told && h.list == "speech" && !r.spoken(&h) || !t.told && (h.list == "namer" || h.list == "speech" && len(t.text) > 1 && !r.spoken(&h))) {
					return h.text + " " + t.text
				}
			}
		}
	}
	return ""
}

// named returns a name that stands behind a comma in an English prompt, or "": that
// of what a design is for. A prompt of which all words begin with a capital has none.
func (r *reading) named() string {
	name, names, breaks := "", 0, 0
	for i := range r.tokens {
		t := &r.tokens[i]
		if t.breaks {
			breaks++
		}
		if t.name && !t.quoted && t.hasLetters && !t.capitals {
			if names++; name == "" {
				name = t.text
			}
		}
	}
	if 2*names > breaks && names > 1 || !r.latin || len(r.hits) > 0 && slices.ContainsFunc(r.hits, func(h hit) bool { return h.language == "de" }) {
		return ""
	}
	return name
}

// spoken reports whether somebody says it, rather than a sign.
func (r *reading) spoken(says *hit) bool {
	last := ""
	for _, h := range within(r.hits, says.at-4, says.at) {
		if h.list == "people" || h.list == "carrier" || h.list == "text" || h.list == "garment" || h.list == "poster" {
			last = h.list
		}
	}
	return last == "people"
}

// carried reports whether what carries lettering says it, as in "a shirt that says".
func (r *reading) carried(says *hit) bool {
	return slices.ContainsFunc(within(r.hits, says.at-longestPhrase, says.at), func(h hit) bool {
		return says.at-h.end <= 1 && (h.list == "carrier" || h.list == "text" || h.list == "garment" || h.list == "poster")
	})
}

// bears reports whether what is named behind a quotation carries it: at once, or
// behind a word such as "on".
func (r *reading) bears(q *quotation, h *hit) bool {
	return h.language != "en" || h.at-q.end <= 1 || slices.Contains(ons, r.tokens[q.end].text)
}

// ons are words between lettering and what carries it.
var ons = []string{"on", "in", "across", "over", "above", "at", "along", "around", "under", "onto", "as", "below", "spelled", "glowing", "written", "painted", "printed"}

// price returns a price that stands near something that carries lettering, or "".
func (r *reading) price() string {
	for i := range r.tokens {
		if t := &r.tokens[i]; t.price && !t.quoted {
			for _, h := range within(r.hits, i-reach-longestPhrase, i+4) {
				if h.list == "carrier" || h.list == "text" || h.list == "poster" {
					return t.text
				}
			}
		}
	}
	return ""
}

func inCapitals(tokens []token) bool {
	letters := 0
	for _, t := range tokens {
		if t.hasLetters {
			if !t.capitals {
				return false
			}
			letters += len(t.text)
		}
	}
	return letters > 1
}

// capitals returns words in capitals that stand outside of quotes and are
// lettering: two in a row, or one beside what carries lettering. Abbreviations
// are none, nor is a prompt that is mostly in capitals.
func (r *reading) capitals() string {
	upper, words := 0, 0
	for i := range r.tokens {
		if r.tokens[i].hasLetters {
			words++
		}
		if r.shouted(i) {
			upper++
		}
	}
	if upper == 0 || 4*upper > 3*words {
		return ""
	}
	for i := range r.tokens {
		if !r.shouted(i) {
			continue
		}
		if i+1 < len(r.tokens) && r.shouted(i+1) && !r.tokens[i+1].breaks {
			return strings.ToUpper(r.tokens[i].text + " " + r.tokens[i+1].text)
		}
		for _, h := range within(r.hits, i-3-longestPhrase, i+6) {
			if (h.list == "carrier" || h.list == "poster" || h.list == "speech" && !r.spoken(&h)) && (h.end <= i && i-h.end <= 3 || h.at > i && h.at-i <= 5) {
				return strings.ToUpper(r.tokens[i].text)
			}
		}
	}
	return ""
}

// shouted reports whether a word is in capitals, and no abbreviation.
func (r *reading) shouted(i int) bool {
	t := &r.tokens[i]
	return t.capitals && !t.quoted && utf8.RuneCountInString(t.text) >= 3 && !theVocabulary().lists(t.text, "abbreviation") && !strings.ContainsAny(t.text, "0123456789")
}

// understandLanguages finds out which languages the task speaks of, and what
// else the prompt has that some models alone can read.
func (u *understanding) understandLanguages(t *Task, prompt string, r *reading) {
	if hasHex(prompt) {
		u.add(colors, "the prompt has an exact colour")
	}
	if mentioned(prompt) > 0 {
		u.add(mentions, "the prompt refers to pictures by number")
	}
	u.languages = languagesOf(t, prompt, r, u.facts.has(text))
	for _, tag := range u.languages {
		if primary(tag) != "en" {
			u.add(multilingual, "a language other than English: "+tag)
			if len(t.Languages) > 0 {
				u.why[multilingual] = given
			}
			return
		}
	}
}

// elements says why a prompt has many subjects that must each be as it says; ""
// if it has not. Subjects are counted by articles and numerals; words that place
// them or set them apart count too, but not where they are those of a layout.
func (r *reading) elements(design bool) string {
	subjects, numerals, relations, apart, positions := 0, 0, 0, 0, 0
	var colours []string
	placed := 0 // the end of the last relation, of which shorter ones are part
	seen := make(map[string]bool)
	for _, h := range r.hits {
		switch h.list {
		case "subject":
			subjects++
		case "numeral":
			if r.counts(&h) {
				numerals++
			}
		case "relation", "layout":
			if h.at >= placed && (!design || h.list == "relation") {
				relations++
				placed = h.end
			}
		case "position":
			if !design && h.end < len(r.tokens) && r.tokens[h.end].told {
				positions++
			}
		case "colour":
			if !slices.Contains(colours, h.text) && len(colours) < 5 {
				colours = append(colours, h.text)
			}
		case "apart":
			if !seen[h.text] {
				apart++
			}
			seen[h.text] = true
		}
	}
	total := subjects + 2*numerals + relations + apart
	long := len(r.tokens) / 20 // a long prompt has more of all these
	switch {
	case relations >= 3 && total >= 4+long, relations >= 2 && numerals+apart >= 1 && total >= 6+long,
		numerals+apart >= 2 && total >= 6+long, apart >= 1 && numerals >= 1 && total >= 4, numerals >= 3, subjects+2*numerals >= 7 && relations >= 1,
		subjects >= 3 && relations >= 2 && len(r.tokens) <= 24, subjects >= 4 && relations >= 2+len(r.tokens)/40, subjects >= 6 && apart >= 1 && 8*subjects >= len(r.tokens):
		return "the prompt counts and places several subjects"
	case r.listed() >= 4, r.listed() >= 3 && subjects+numerals >= 4:
		return "the prompt lists several subjects"
	case r.assigned() >= 3, positions >= 2, numerals >= 1 && len(colours) >= 4:
		return "the prompt says of several subjects how each is"
	}
	return ""
}

// listed returns the length of the longest list of subjects in the prompt, each
// with its article or numeral and few words, such as "a map, two keys and a pen".
func (r *reading) listed() int {
	most, n, last := 0, 0, -1 // the subject before
	for i := range r.hits {
		h := &r.hits[i]
		if h.list != "subject" && (h.list != "numeral" || !r.counts(h)) || h.at == last {
			continue
		}
		begins := h.at > 0 && (r.tokens[h.at].breaks || slices.Contains(ands, r.tokens[h.at-1].text))
		switch {
		case begins && last >= 0 && h.at-last <= 8:
			n++
		case begins || n == 0 || h.at-last > 4: // the one of "a stack of four books" is passed over
			n = 1
		default:
			continue
		}
		last, most = h.at, max(most, n)
	}
	return most
}

// ands are words between the last two of a list.
var ands = []string{"and", "plus", "y", "e", "et", "und", "dan", "и", "و", "और"}

// assigned returns of how many subjects the prompt says how they are, as in "the
// king is gold, the queen is silver".
func (r *reading) assigned() int {
	n := 0
	for i := 2; i < len(r.tokens)-1; i++ {
		if t := r.tokens[i].text; (t == "is" || t == "are") && (r.tokens[i-2].text == "the" || i > 2 && r.tokens[i-3].text == "the") && !r.tokens[i].breaks {
			n++
		}
	}
	return n
}

// counts reports whether a numeral counts things: in digits it must be followed
// by a word that is no unit, and follow none that it is the number of.
func (r *reading) counts(h *hit) bool {
	if slices.ContainsFunc(within(r.hits, h.end, h.end+1), func(u hit) bool { return u.list == "unit" }) {
		return false
	}
	if r.tokens[h.at].hasLetters || h.text[0] > '9' {
		return true
	}
	if h.end >= len(r.tokens) || r.tokens[h.end].breaks || !r.tokens[h.end].hasLetters || len(r.tokens[h.end].text) < 3 {
		return false
	}
	return h.at == 0 || !slices.Contains([]string{"f", "iso", "page", "number", "no", "chapter", "version", "image", "figure", "step", "level"}, r.tokens[h.at-1].text)
}

// quotation is what stands in quotes.
type quotation struct {
	text     string
	from, to int // its bytes in the prompt
	at, end  int // its tokens
}

// quotes are the marks that open a quotation, each with what closes it.
var quotes = map[rune]string{
	'\'': "'", '"': "\"", '“': "”", '„': "“”", '‘': "’", '«': "»", '「': "」", '『': "』",
}

// longestQuote bounds how far a mark is looked for that closes a quotation, in
// bytes.
const longestQuote = 600

// quoted returns what stands in quotes. An apostrophe is no quote: an opening
// mark has no letter before it, a closing one no letter after it.
func quoted(s string) []quotation {
	var out []quotation
	end := 0                     // of the last one
	looked := make(map[rune]int) // how far for what closes a mark, in vain
	before := ' '
	for i, r := range s {
		previous := before
		before = r
		closing, ok := quotes[r]
		if !ok || i < end || isLetter(previous) && r < 0x80 {
			continue
		}
		from := i + len(string(r))
		begin, most := max(from, looked[r]), min(len(s), from+longestQuote)
		looked[r] = most
		for j, c := range s[min(begin, most):most] {
			to := begin + j
			if !strings.ContainsRune(closing, c) || (c == '\'' || c == '’') && nextIsLetter(s[to:]) {
				continue
			}
			if inner := strings.TrimSpace(s[from:to]); inner != "" && inner != "n" { // rock 'n' roll
				out = append(out, quotation{text: inner, from: from, to: to})
			}
			end, looked[r] = to+len(string(c)), 0
			break
		}
	}
	return out
}

func isLetter(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// hasHex reports whether a prompt has a colour such as #2ECC71.
func hasHex(s string) bool {
	for {
		_, rest, ok := strings.Cut(s, "#")
		if !ok {
			return false
		}
		n := 0
		for n < len(rest) && strings.IndexByte("0123456789abcdefABCDEF", rest[n]) >= 0 {
			n++
		}
		if n == 6 {
			return true
		}
		s = rest
	}
}
