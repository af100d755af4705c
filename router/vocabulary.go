package router

import (
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

//go:embed vocabulary.txt
var vocabularyText string

// phrase is one of the vocabulary.
type phrase struct {
	list     string
	language string
	words    []string
	open     bool // the last word may go on
	latin    bool // its language is not English, but in the same letters
	edits    bool // it tells what is done with a picture that is given
	within   bool // it is read in longer phrases too
	text     string
}

// vocabulary has the phrases by how they begin: by their first word or their first
// two, by the first two letters of it if that may go on, or by their first letter if
// their script has no spaces.
type vocabulary struct {
	words    map[string]beginning
	pairs    map[[2]string][]phrase
	stems    map[string][]phrase
	unspaced map[rune][]phrase
	// mistyped has words by what is put down in their place: the plural, or what
	// is easily typed.
	mistyped map[string]string
	known    map[string]bool // the words of all phrases, while it is made
}

// beginning is how phrases begin: those that are told by the first word, and whether
// there are some that are told by the first two.
type beginning struct {
	phrases []phrase
	paired  bool
}

// theVocabulary is that of vocabulary.txt.
var theVocabulary = sync.OnceValue(func() *vocabulary {
	v, err := parseVocabulary(vocabularyText)
	if err != nil {
		panic(err) // a test reads it
	}
	return v
})

// parseVocabulary reads the form that vocabulary.txt explains.
func parseVocabulary(text string) (*vocabulary, error) {
	v := &vocabulary{make(map[string]beginning), make(map[[2]string][]phrase), make(map[string][]phrase), make(map[rune][]phrase), make(map[string]string), make(map[string]bool)}
	list, number := "", 0
	for line := range strings.Lines(text) {
		number++
		switch line = strings.TrimSpace(line); {
		case line == "" || line[0] == '#':
		case line[0] == '[' && strings.HasSuffix(line, "]"):
			list = line[1 : len(line)-1]
		default:
			language, phrases, ok := strings.Cut(line, "  ")
			if !ok || list == "" {
				return nil, fmt.Errorf("line %d: must be a language, two spaces and phrases, behind the name of a list", number)
			}
			for text := range strings.SplitSeq(phrases, ",") {
				if !v.add(phrase{list: list, language: language, text: strings.TrimSpace(text)}) {
					return nil, fmt.Errorf("line %d: %q is no phrase", number, text)
				}
			}
		}
	}
	for word := range v.known {
		delete(v.mistyped, word)
	}
	v.known = nil
	return v, nil
}

func (v *vocabulary) add(p phrase) bool {
	p.text, p.open = strings.CutSuffix(p.text, "*")
	for field := range strings.FieldsSeq(p.text) {
		if field == "_" {
			p.words = append(p.words, field)
		}
		for _, t := range split(field) {
			p.words = append(p.words, t.text)
		}
	}
	if len(p.words) == 0 {
		return false
	}
	first := p.words[0]
	if r, _ := utf8.DecodeRuneInString(p.words[len(p.words)-1]); hasNoSpaces(r) {
		p.open = true
	}
	p.latin = slices.Contains([]string{"es", "pt", "fr", "de", "id"}, p.language)
	p.edits = strings.HasPrefix(p.list, "edit-") || strings.HasPrefix(p.list, "do-") || slices.Contains(edited, p.list)
	p.within = slices.Contains([]string{"textless", "common", "edit-left", "edit-right", "edit-up", "edit-down"}, p.list)
	if p.list != "mistyped" {
		for _, word := range p.words {
			v.known[word] = true
		}
	}
	switch {
	case p.list == "mistyped":
		v.mistype(first)
		return true
	case p.language == "en" && !p.open && len(p.words) == 1 && slices.Contains(plurals, p.list):
		v.mistyped[first+"s"] = first
	}
	switch r, _ := utf8.DecodeRuneInString(first); {
	case hasNoSpaces(r):
		v.unspaced[r] = append(v.unspaced[r], p)
	case p.open && len(p.words) == 1:
		v.stems[stem(first)] = append(v.stems[stem(first)], p)
	case len(p.words) > 2 && p.words[1] != "_", len(p.words) == 2 && !p.open:
		two := [2]string(p.words)
		v.pairs[two] = append(v.pairs[two], p)
		v.words[first] = beginning{v.words[first].phrases, true}
	default:
		v.words[first] = beginning{append(v.words[first].phrases, p), v.words[first].paired}
	}
	return true
}

// edited are lists of what something is done to.
var edited = []string{"wording", "backdrop", "light", "camera", "identity", "frame", "must"}

// plurals are the lists of which words are found in the plural too.
var plurals = []string{"people", "carrier", "goods", "garment", "vehicle"}

// mistype adds what a word becomes if a letter is left out or doubled, or two
// change places. The first letter is rarely wrong.
func (v *vocabulary) mistype(word string) {
	for i := 1; i < len(word); i++ {
		for _, wrong := range []string{word[:i] + word[i+1:], word[:i+1] + word[i:], word[:i-1] + word[i:i+1] + word[i-1:i] + word[i+1:]} {
			if wrong[0] == word[0] && wrong != word {
				v.mistyped[wrong] = word
			}
		}
	}
}

// correct puts words of the vocabulary in the place of plurals and what is mistyped.
func (v *vocabulary) correct(tokens []token) {
	for i := range tokens {
		t := &tokens[i]
		if len(t.text) < 4 {
			continue
		}
		if word, ok := v.mistyped[t.text]; ok {
			t.text = word
		}
	}
}

// stem returns the first two letters of a word.
func stem(word string) string {
	_, n := utf8.DecodeRuneInString(word)
	_, m := utf8.DecodeRuneInString(word[n:])
	return word[:n+m]
}

// token is a word of a prompt.
type token struct {
	text       string // in small letters
	from, to   int    // its bytes in the prompt
	breaks     bool   // a comma or the like stands before it
	begins     bool   // a full stop or the like is before it
	quoted     bool   // it stands in quotes
	capitals   bool   // it is all in capitals
	hasLetters bool
	price      bool // a sign of money or per cent stands beside it
	upper      bool // it begins with a capital
	name       bool // that, and a comma or the like is before it
	told       bool // a colon stands before it
	possessive bool
}

// split returns the words of a text. Marks belong to words, as the vowels of
// Devanagari do; an apostrophe within a word is passed over.
func split(text string) []token {
	out := make([]token, 0, 2+len(text)/5)
	var word strings.Builder
	from, breaks, stop := -1, false, ','
	upper, letters := 0, 0
	end := func(to int) {
		if from >= 0 {
			lower, raw := word.String(), text[from:to]
			possessive := strings.HasSuffix(raw, "'s") || strings.HasSuffix(raw, "’s")
			if possessive {
				lower = strings.TrimSuffix(lower, "s")
			} else if strings.HasSuffix(raw, "s") {
				possessive = strings.HasPrefix(text[to:], "' ") || strings.HasPrefix(text[to:], "’ ") // kids' shoes
			}
			out = append(out, token{
				text: lower, from: from, to: to, breaks: breaks,
				capitals: letters > 0 && upper == letters, hasLetters: letters > 0,
				name:       breaks && (stop == ',' || stop == ':') && startsUpper(raw),
				upper:      startsUpper(raw),
				told:       breaks && stop == ':',
				begins:     breaks && strings.ContainsRune(".!?\n。।", stop),
				possessive: possessive,
				price:      letters == 0 && (money(text[:from], true) || money(text[to:], false)),
			})
			from, breaks, upper, letters = -1, false, 0, 0
			word.Reset()
		}
	}
	var before rune
	for i, r := range text {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			if from >= 0 && (r < 0x80 && hasNoSpaces(before) || before < 0x80 && hasNoSpaces(r)) {
				end(i) // Latin letters among Chinese ones
			}
			if from < 0 {
				from = i
			}
			if unicode.IsLetter(r) {
				letters++
				if unicode.IsUpper(r) {
					upper++
				}
			}
			word.WriteRune(unicode.ToLower(r))
		case (r == '\'' || r == '’') && from >= 0 && unicode.IsLetter(before) && nextIsLetter(text[i:]):
			// don't and woman's are one word, l'affiche is two.
			if word.Len() <= 1 || word.String() == "qu" {
				end(i)
			}
		default:
			end(i)
			ratio := r == ':' && unicode.IsDigit(before) && nextIsDigit(text[i:]) // 16:9 is one thing
			if !ratio && strings.ContainsRune(",.;:!?\n()[]{}—–|،。、,;:!?।", r) {
				breaks, stop = true, r
			}
		}
		before = r
	}
	end(len(text))
	return out
}

// money reports whether a text has a sign of money or per cent at its end, or at its
// beginning.
func money(s string, atEnd bool) bool {
	r, _ := utf8.DecodeRuneInString(s)
	if atEnd {
		r, _ = utf8.DecodeLastRuneInString(s)
	}
	return unicode.Is(unicode.Sc, r) || r == '%' && !atEnd
}

func startsUpper(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsUpper(r)
}

// nextIsLetter reports whether a letter comes after the first one.
func nextIsLetter(s string) bool {
	for i, r := range s {
		if i > 0 {
			return unicode.IsLetter(r)
		}
	}
	return false
}

// nextIsDigit reports whether a digit comes after the first byte.
func nextIsDigit(s string) bool { return len(s) > 1 && s[1] >= '0' && s[1] <= '9' }

// hasNoSpaces reports whether a script is written without spaces between words.
func hasNoSpaces(r rune) bool {
	return r >= 0x0E00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai)
}

// hit is a phrase that a prompt has.
type hit struct {
	*phrase
	at, end  int // its tokens
	from, to int // its bytes in the text of the tokens
}

// find returns the phrases of the vocabulary in a prompt, in their order (those for
// editing only where a picture is given), but
// for those in quotes, those of which a longer phrase tells more, and those in a
// language that the prompt is not in.
func (v *vocabulary) find(tokens []token, editing bool) ([]hit, string) {
	hits := make([]hit, 0, 8+len(tokens))
	// The ends, in bytes, of longer phrases, those but for posters, and those that
	// hide all: what a poster tells is also read for itself.
	covered, coveredText, hidden := 0, 0, 0
	keep := func(found []hit) {
		longest, longestText := 0, 0
		for _, h := range found {
			longest = max(longest, h.to)
			if h.list != "poster" {
				longestText = max(longestText, h.to)
			}
			if h.list == "hidden" || h.list == "textless" {
				hidden = max(hidden, h.to)
			}
		}
		for _, h := range found {
			if h.within || h.from >= hidden && (h.to > covered || h.list == "text" && h.to > coveredText) {
				hits = append(hits, h)
			}
		}
		covered, coveredText = max(covered, longest), max(coveredText, longestText)
	}
	var found []hit
	place := 0 // of the token, in bytes
	for at := range tokens {
		t := &tokens[at]
		if !t.quoted {
			found = v.at(found[:0], tokens, at, place, editing)
			keep(found)
			for offset, r := range t.text {
				if offset > longestQuote || r < 0x0E00 {
					break
				}
				found = found[:0]
				for i := range v.unspaced[r] {
					if p := &v.unspaced[r][i]; (editing || !p.edits) && strings.HasPrefix(t.text[offset:], p.words[0]) {
						found = append(found, hit{p, at, at + 1, place + offset, place + offset + len(p.words[0])})
					}
				}
				keep(found)
			}
		}
		place += len(t.text) + 1
	}
	return inItsLanguage(hits)
}

// at adds the phrases that begin with a token, which is at a place in bytes.
func (v *vocabulary) at(found []hit, tokens []token, at, place int, editing bool) []hit {
	match := func(list []phrase, same int) {
		for i := range list {
			p := &list[i]
			if p.edits && !editing {
				continue
			}
			n := p.length(tokens[at:], same)
			if n == 0 {
				continue
			}
			to := place - 1
			for _, t := range tokens[at : at+n] {
				to += len(t.text) + 1
			}
			found = append(found, hit{p, at, at + n, place, to})
		}
	}
	begin := func(word string) {
		b := v.words[word]
		match(b.phrases, 1)
		if b.paired && at+1 < len(tokens) && !tokens[at+1].breaks {
			match(v.pairs[[2]string{word, tokens[at+1].text}], 2)
		}
	}
	word := tokens[at].text
	begin(word)
	match(v.stems[stem(word)], 0)
	if bare, ok := strings.CutPrefix(word, "ال"); ok { // the Arabic article
		begin(bare)
	}
	return found
}

// inItsLanguage drops phrases that look like those of another language in Latin
// script: a prompt is in the one that it has most common words of, or in
// English. Where several languages have a phrase, it is that of the first. It returns
// the language too if no other has as many, "" for English.
func inItsLanguage(hits []hit) ([]hit, string) {
	common := make(map[string]int)
	for _, h := range hits {
		if h.list == "common" {
			common[h.language]++
		}
	}
	most, tongue := 0, ""
	for language, n := range common {
		if language == "en" {
			n++ // which is likelier
		}
		switch {
		case n > most:
			most, tongue = n, language
		case n == most:
			tongue = ""
		}
	}
	if tongue == "en" {
		tongue = ""
	}
	out := hits[:0]
	for _, h := range hits {
		again := len(out) > 0 && slices.ContainsFunc(out[max(0, len(out)-8):], func(o hit) bool {
			return o.list == h.list && o.at == h.at && o.end == h.end && o.from == h.from
		})
		if h.list != "common" && !again && (!h.latin || common[h.language] >= most) {
			out = append(out, h)
		}
	}
	return out, tongue
}

// length returns how many tokens the phrase takes at the beginning of them; 0 if
// it is not there. The first of them are known to be the same.
func (p *phrase) length(tokens []token, same int) int {
	if len(tokens) < len(p.words) {
		return 0
	}
	last := len(p.words) - 1
	for i := same; i <= last; i++ {
		t, w := &tokens[i], p.words[i]
		if t.text != w && w != "_" && (i < last || !p.open || !strings.HasPrefix(t.text, w)) || i > 0 && t.breaks {
			return 0
		}
	}
	return len(p.words)
}

// lists reports whether a word is in a list.
func (v *vocabulary) lists(word, list string) bool {
	return slices.ContainsFunc(v.words[word].phrases, func(p phrase) bool { return p.list == list && len(p.words) == 1 })
}

// longestPhrase is more than the tokens of any.
const longestPhrase = 8

// within returns the hits that begin at tokens from one to before another. It is
// quick, so that a long prompt is not looked through for each of its words.
func within(hits []hit, from, to int) []hit {
	byPlace := func(h hit, at int) int { return cmp.Compare(h.at, at) }
	begin, _ := slices.BinarySearchFunc(hits, from, byPlace)
	end, _ := slices.BinarySearchFunc(hits, to, byPlace)
	return hits[begin:max(begin, end)]
}

// of returns the hits of a list.
func of(hits []hit, list string) []hit {
	var out []hit
	for _, h := range hits {
		if h.list == list {
			out = append(out, h)
		}
	}
	return out
}

// undenied drops the hits that a word such as "no" before them denies, as far as
// a comma; what is joined to something denied by a comma or "or" is so too.
func undenied(hits []hit, tokens []token) []hit {
	var deniers []hit
	for _, h := range of(hits, "not") {
		if !slices.ContainsFunc(within(hits, h.at-longestPhrase, h.at+1), func(o hit) bool { return o.end >= h.end && o.end-o.at > h.end-h.at }) {
			deniers = append(deniers, h)
		}
	}
	if len(deniers) == 0 {
		return hits
	}
	const reach = 4 // tokens
	denied := make([]bool, len(tokens)+1)
	for _, d := range deniers {
		for at := d.end; at < min(d.end+reach, len(tokens)) && (at == d.end || !tokens[at].breaks); at++ {
			denied[at] = true
		}
	}
	var out []hit
	last := -1 // the end of the last hit that was denied
	for _, h := range hits {
		joined := last >= 0 && h.at >= last && h.at-last <= 1 && (h.at == last || slices.Contains([]string{"or", "and", "nor", "any", "other", "ni", "ou", "oder", "или", "o"}, tokens[last].text))
		if h.list != "not" && (denied[h.at] || joined) {
			if h.list == "text" || h.list == "carrier" || h.list == "people" || h.list == "relation" {
				last = h.end
			}
			continue
		}
		out = append(out, h)
	}
	return out
}
