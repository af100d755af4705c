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
	read := read(prompt)
	u.understandEdit(t, &read)
	u.understandPurpose(t, &read)
	u.understandText(t, &read)
	design, picture := read.place(poster), read.place(photo)
	u.overPhoto = picture >= 0 && (t.Purpose == Poster || t.Purpose == "" && design >= 0 && design < picture)
	u.understandLanguages(t, prompt, &read)
	if t.ManyElements {
		u.add(manyElements, given)
	} else if why := read.elements(); why != "" {
		u.add(manyElements, why)
	}
	if t.Transparent {
		u.add(transparent, given)
	} else if w := read.first("transparent"); w != "" && t.Format != fal.JPEG {
		u.add(transparent, says(w))
	}
	if w := read.first("people"); w != "" {
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
func read(prompt string) reading {
	r := reading{tokens: split(prompt), quotes: quoted(prompt)}
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
	all := theVocabulary().find(r.tokens)
	r.hits = undenied(all, r.tokens)
	if w := r.first("textless"); w != "" {
		r.textless = w
	} else if n := len(of(all, "text")); n > len(of(r.hits, "text")) {
		r.textless = "no " + of(all, "text")[0].text
	}
	return r
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

// editLists are the lists of words for kinds of editing, the surest first: who
// wants the text changed and all else kept wants the text changed.
var editLists = []struct {
	list string
	fact fact
}{
	{"edit-extend", extend}, {"edit-cutout", cutout}, {"edit-text", textEdit}, {"edit-background", background},
	{"edit-remove", remove}, {"edit-style", style}, {"edit-angle", angle}, {"edit-in-context", inContext},
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
	for _, l := range editLists {
		if w := r.first(l.list); w != "" {
			u.add(l.fact, says(w))
			return
		}
	}
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
			u.add(purposeLists[strings.TrimSuffix(h.list, "?")], says(h.text))
			return
		}
	}
}

// medium returns what says first what the pictures are: a later one counts if
// the first only describes it, as in "a watercolour travel poster". A picture of
// a product is a photo too.
func (r *reading) medium(mark string) *hit {
	var found *hit
	for i := range r.hits {
		h := &r.hits[i]
		name, ok := strings.CutSuffix(h.list, mark)
		if _, known := purposeLists[name]; !ok || !known {
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

// understandText finds out whether the pictures have lettering in them.
func (u *understanding) understandText(t *Task, r *reading) {
	if t.Text != nil {
		if len(t.Text) > 0 {
			u.add(text, given)
		}
		return
	}
	design := u.facts&(1<<poster|1<<infographic|1<<comic|1<<ui) != 0
	for i := range r.quotes {
		if q := &r.quotes[i]; r.lettering(q, design) {
			u.add(text, "the prompt quotes it: "+q.text)
		}
	}
	if w := r.first("text"); w != "" && r.textless == "" {
		u.add(text, says(w))
	}
	if r.textless == "" {
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
	carrier, title := 0, 0 // the end of the last one before
	for _, h := range within(r.hits, q.at-reach-longestPhrase, q.end+4) {
		switch near := h.end <= q.at && q.at-h.end <= reach; {
		case near && (h.list == "carrier" || h.list == "text"):
			carrier = max(carrier, h.end)
		case near && h.list == "title" && q.at-h.end <= 1:
			title = max(title, h.end)
		case h.at >= q.end && h.at-q.end <= 3 && (h.list == "carrier" || h.list == "text"):
			carrier = max(carrier, 1)
		}
	}
	if title > 0 && !design {
		return false
	}
	// Of a script that the words around it are not in, it can only be lettering.
	foreign := languageOf(q.text) != "" && r.latin
	return design || carrier > 0 || foreign || inCapitals(r.tokens[q.at:q.end])
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
	if upper == 0 || 2*upper > words {
		return ""
	}
	for i := range r.tokens {
		if !r.shouted(i) {
			continue
		}
		if i+1 < len(r.tokens) && r.shouted(i+1) && !r.tokens[i+1].breaks {
			return strings.ToUpper(r.tokens[i].text + " " + r.tokens[i+1].text)
		}
		for _, h := range within(r.hits, i-3-longestPhrase, i+4) {
			if h.list == "carrier" && (h.end <= i && i-h.end <= 3 || h.at > i && h.at-i <= 3) {
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
// them or set them apart count too.
func (r *reading) elements() string {
	subjects, numerals, relations, apart := 0, 0, 0, 0
	seen := make(map[string]bool)
	for _, h := range r.hits {
		switch h.list {
		case "subject":
			subjects++
		case "numeral":
			if r.counts(&h) {
				numerals++
			}
		case "relation":
			relations++
		case "apart":
			if !seen[h.text] {
				apart++
			}
			seen[h.text] = true
		}
	}
	total := subjects + 2*numerals + relations + apart
	switch {
	case relations >= 3 && total >= 5, relations >= 2 && numerals+apart >= 1 && total >= 6,
		numerals+apart >= 2 && total >= 6, apart >= 1 && numerals >= 1 && total >= 4, numerals >= 3, subjects+2*numerals >= 7 && relations >= 1:
		return "the prompt counts and places several subjects"
	}
	return ""
}

// counts reports whether a numeral counts things: in digits it must be followed
// by a word that is no unit, and follow none that it is the number of.
func (r *reading) counts(h *hit) bool {
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
