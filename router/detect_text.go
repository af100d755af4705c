package router

import (
	"slices"
	"strings"
	"unicode/utf8"
)

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
				strings.HasPrefix(h.list, "language-") && !r.styled(i) && slices.ContainsFunc(within(r.hits, h.at-1, h.at), func(w hit) bool { return w.list == "written" }), // a sign in French
				strings.HasPrefix(h.list, "name-") && h.list != "name-en" && r.writtenIn(h),                                                                                  // a French label
				h.list == "speech" && !r.spoken(h) && r.carried(h):
				u.add(text, says(h.text))
			}
		}
	}
	if w := r.writing(); w != "" && r.textless == "" {
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

// writing returns a word for lettering, or a number that is shown as one, as in "the
// number 7"; or "".
func (r *reading) writing() string {
	for i := range r.hits {
		if h := &r.hits[i]; h.list == "text" && !r.styledAs(h.at) {
			return h.text
		}
	}
	for i := 1; i < len(r.tokens); i++ {
		t, next := &r.tokens[i-1], &r.tokens[i]
		if t.quoted || next.breaks {
			continue
		}
		switch t.text {
		case "number", "numbers":
			if !next.hasLetters {
				return t.text + " " + next.text
			}
		case "letter", "letters": // the letter Q
			if next.capitals && len(next.text) == 1 {
				return t.text + " " + next.text
			}
		case "with": // a jersey with 10 on it
			last := i+1 == len(r.tokens) || r.tokens[i+1].breaks || slices.Contains(ons, r.tokens[i+1].text)
			if last && !next.hasLetters && slices.ContainsFunc(within(r.hits, i-1-longestPhrase, i-1), func(h hit) bool { return h.end == i-1 && (h.list == "carrier" || h.list == "garment") }) {
				return t.text + " " + next.text
			}
		}
	}
	return ""
}

// styledAs reports whether what stands at a token is the manner of a picture, as in "in
// the style of tomb paintings".
func (r *reading) styledAs(at int) bool {
	for i := at - 1; i > max(0, at-4) && !r.tokens[i+1].breaks; i-- {
		if r.tokens[i].text == "of" && r.tokens[i-1].text == "style" {
			return true
		}
	}
	return false
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

// carried reports whether what carries lettering says it, as in "a shirt that says";
// who wears one may shout.
func (r *reading) carried(says *hit) bool {
	return (strings.HasPrefix(says.text, "sa") || says.text == "announces") && slices.ContainsFunc(within(r.hits, says.at-longestPhrase, says.at), func(h hit) bool {
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
