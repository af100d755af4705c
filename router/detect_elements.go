package router

import (
	"slices"
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
