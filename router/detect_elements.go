package router

import (
	"slices"
	"strings"
	"unicode/utf8"
)

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
			if !seen[h.text] && !r.unit(h.end) {
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
	case !design && (r.listed() >= 4 || r.listed() >= 3 && subjects+numerals >= 4):
		return "the prompt lists several subjects"
	case r.assigned() >= 3, positions >= 2, numerals >= 1 && len(colours) >= 4:
		return "the prompt says of several subjects how each is"
	case design:
		return ""
	}
	return r.scene(numerals, relations)
}

// scene says why a prompt that does little more than name what is to be seen has many
// subjects, by those that are shown and counted and the relations between them; "" if
// it has not. How long it is bounds what few of them mean.
func (r *reading) scene(numerals, relations int) string {
	subjects, acting, ones, flanked := 0, 0, 0, false // acting are those that are not only where another is
	var coloured, animals, living []string
	worn := 0 // of what is coloured
	for i := range r.hits {
		switch h := &r.hits[i]; h.list {
		case "subject":
			if r.opens(h) {
				continue
			}
			subjects++
			if h.text == "one" {
				ones++
			}
			if h.at == 0 || r.tokens[h.at].breaks || !slices.Contains(wheres, r.tokens[h.at-1].text) {
				acting++
			}
		case "colour":
			if r.colours(h) && !slices.Contains(coloured, h.text) && len(coloured) < 5 {
				if coloured = append(coloured, h.text); r.follows(h.end, h.end+2, "garment") {
					worn++
				}
			}
		case "apart":
			if h.text == "and one" {
				ones++
			}
		case "relation":
			flanked = flanked || r.flanks(h)
		case "animal", "people":
			kind := strings.TrimSuffix(h.text, "s")
			if !slices.Contains(living, kind) && len(living) < 4 && kind != "he" && kind != "she" {
				living = append(living, kind)
				if h.list == "animal" {
					animals = append(animals, kind)
				}
			}
		}
	}
	length, named, sentences := r.measure()
	total := subjects + named + 2*numerals + relations
	switch {
	case numerals >= 2 && length <= 24, numerals >= 1 && ones >= 1 && length <= 16, ones >= 3 && length <= 24:
		return "the prompt counts several subjects"
	case flanked && length <= 16, relations >= 3 && length <= 24:
		return "the prompt places several subjects"
	case len(coloured) >= 3 && (len(coloured) >= 4 || worn < 2) && length <= 10*len(coloured)-4, len(coloured) >= 2 && relations >= 1 && total+len(coloured) >= 6 && length <= 20:
		return "the prompt has a colour for each of several subjects"
	case acting >= 4 && length <= 16, named >= 3 && length <= 40, r.listed() >= 3 && length <= 12, len(animals) >= 3 && length <= 24, len(living) >= 4 && relations >= 1 && length <= 30:
		return "the prompt names several subjects"
	case sentences >= 2 && total+sentences >= 6 && 10*total >= length:
		return "the prompt tells of several subjects, a sentence for each"
	}
	return ""
}

// flanks reports whether a word for a place stands before two subjects, as in "next to a
// lamp and a vase" and "sitting between the hen and the hare".
func (r *reading) flanks(h *hit) bool {
	switch h.text {
	case "between": // a fight between two has no third
		if h.at == 0 || !strings.HasSuffix(r.tokens[h.at-1].text, "ed") && !strings.HasSuffix(r.tokens[h.at-1].text, "ing") {
			return false
		}
	case "next to", "beside", "in between":
	default:
		return false
	}
	if h.end >= len(r.tokens) || !slices.Contains(articles, r.tokens[h.end].text) {
		return false
	}
	for i := h.end + 1; i < min(h.end+6, len(r.tokens)-1) && !r.tokens[i].breaks; i++ {
		if r.tokens[i].text == "and" {
			return slices.Contains(articles, r.tokens[i+1].text)
		}
	}
	return false
}

// articles are words before a thing.
var articles = []string{"a", "an", "the", "one"}

// opens reports whether an article is that of the picture itself, as in "a photo of".
func (r *reading) opens(h *hit) bool {
	return (h.at == 0 || r.tokens[h.at].breaks) && slices.ContainsFunc(within(r.hits, h.end, h.end+2), func(m hit) bool {
		return strings.HasPrefix(m.list, "photo") || strings.HasPrefix(m.list, "illustration")
	})
}

// colours reports whether a colour is that of a thing of its own, not of eyes or a sky.
func (r *reading) colours(h *hit) bool {
	return h.end < len(r.tokens) && !r.tokens[h.end].breaks && !slices.Contains(ands, r.tokens[h.end].text) && !slices.Contains(wheres, r.tokens[h.end].text) &&
		!slices.ContainsFunc(r.tokens[h.end:min(h.end+2, len(r.tokens))], func(t token) bool { return slices.Contains(surfaces, t.text) })
}

// measure returns how many words a prompt has, where those of scripts without spaces
// are guessed; how many things it speaks of by a name, as in "the Eiffel Tower"; and
// how many sentences begin with a subject.
func (r *reading) measure() (words, named, sentences int) {
	capitals := 0
	for i := range r.tokens {
		t := &r.tokens[i]
		if first, _ := utf8.DecodeRuneInString(t.text); hasNoSpaces(first) {
			words += len(t.text) / 5
		} else {
			words++
		}
		if t.upper {
			capitals++
		}
		if t.upper && i > 0 && !t.breaks && !t.quoted && slices.Contains(namers, r.tokens[i-1].text) {
			named++
		}
		if (i == 0 || t.begins) && (t.text == "the" || t.text == "there" || slices.ContainsFunc(within(r.hits, i, i+1), func(h hit) bool { return h.list == "subject" })) {
			sentences++
		}
	}
	if 3*capitals > 2*len(r.tokens) { // as in a headline
		named = 0
	}
	return words, named, sentences
}

// namers are words between which and a name nothing stands.
var namers = []string{"the", "and", "with", "a"}

// wheres are words before what a subject is in, on or of.
var wheres = []string{"in", "on", "at", "of", "from", "into", "inside", "near", "under", "against", "through", "like", "as", "onto", "for", "with", "over", "by", "to", "wearing", "or"}

// surfaces are what has a colour and is no subject.
var surfaces = []string{"eyes", "eye", "hair", "lips", "skin", "fur", "mane", "ears", "background", "backdrop", "sky", "light", "lights", "stripes", "tones", "palette", "theme", "accents", "wall", "walls"}

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

// ors are words between two numerals of which one is meant.
var ors = []string{"or", "to", "o", "ou", "oder", "bis", "или", "atau"}

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

// unit reports whether a token is a measure or a part of a page, such as "panel".
func (r *reading) unit(at int) bool {
	return at < len(r.tokens) && theVocabulary().lists(r.tokens[at].text, "unit")
}

// counts reports whether a numeral counts things: in digits it must be followed
// by a word that is no unit, and follow none that it is the number of.
func (r *reading) counts(h *hit) bool {
	if r.unit(h.end) {
		return false
	}
	if h.end+1 < len(r.tokens) && slices.Contains(ors, r.tokens[h.end].text) && r.follows(h.end+1, h.end+2, "numeral") {
		return false // the second of "two or three" counts
	}
	if h.at > 0 && slices.Contains(numbered, r.tokens[h.at-1].text) {
		return false
	}
	if r.tokens[h.at].hasLetters || h.text[0] > '9' {
		return true
	}
	if h.end >= len(r.tokens) || r.tokens[h.end].breaks || !r.tokens[h.end].hasLetters || len(r.tokens[h.end].text) < 3 {
		return false
	}
	return true
}

// numbered are words before what is the number of one thing.
var numbered = []string{"f", "iso", "page", "number", "no", "chapter", "version", "image", "figure", "step", "level", "panel", "scene", "act", "part", "frame", "room", "option"}
