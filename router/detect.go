package router

import (
	"cmp"
	"strings"
	"unicode"
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
	if f, ok := editFacts[t.Edit]; ok {
		u.add(f, given)
	}
	switch n := len(t.Pictures); {
	case n >= manyReferencesCount:
		u.add(manyReferences, "more pictures than 3")
		fallthrough
	case n >= 2:
		u.add(references, "more pictures than one")
	}
	understandControls(&u, t)
	words := find(prompt)
	u.understandPurpose(t, &words)
	u.understandText(t, prompt, &words)
	if t.ManyElements {
		u.add(manyElements, given)
	} else if n := words.count(elementWords); n >= 3 {
		u.add(manyElements, "the prompt counts and places several subjects")
	}
	if w := words.first(peopleWords); w != "" {
		u.add(people, "the prompt says "+w)
	}
	return u
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
		{t.Count >= volumeCount, volume, "100 pictures or more"},
		{area(t) >= largePixels, large, "3 megapixels or more"},
	} {
		if c.is {
			u.add(c.fact, c.why)
		}
	}
}

// understandPurpose finds what the pictures are for.
func (u *understanding) understandPurpose(t *Task, words *hits) {
	if f, ok := purposeFacts[t.Purpose]; ok {
		u.add(f, given)
		return
	}
	for l, fact := range purposes {
		if w := words.first(list(l)); w != "" {
			u.add(fact, "the prompt says "+w)
			return
		}
	}
}

// understandText finds out whether the pictures have text in them, and in
// which languages.
func (u *understanding) understandText(t *Task, prompt string, words *hits) {
	quotes := quoted(prompt)
	switch {
	case len(t.Text) > 0:
		u.add(text, given)
	case len(quotes) > 0:
		u.add(text, "the prompt quotes it: "+quotes[0])
	case words.first(noTextWords) == "":
		if w := words.first(textWords); w != "" {
			u.add(text, "the prompt says "+w)
		}
	}
	if hasHex(prompt) {
		u.add(colors, "the prompt has an exact colour")
	}
	if mentioned(prompt) > 0 {
		u.add(mentions, "the prompt refers to pictures by number")
	}
	u.languages = languagesOf(t, prompt, words)
	for _, tag := range u.languages {
		if primary(tag) != "en" {
			u.add(multilingual, "a language other than English: "+tag)
			return
		}
	}
}

// quotes are the marks that open a quotation, each with what closes it.
var quotes = map[rune]string{
	'\'': "'", '"': "\"", '“': "”", '„': "“”", '‘': "’", '«': "»", '「': "」", '『': "』",
}

// quoted returns what stands in quotes. An apostrophe is no quote: an opening
// mark has no letter before it, a closing one no letter after it.
func quoted(s string) []string {
	var out []string
	runes := []rune(s)
	for i := 0; i < len(runes); i++ {
		closing, ok := quotes[runes[i]]
		if !ok || i > 0 && isLetter(runes[i-1]) && runes[i] < 0x80 {
			continue
		}
		for j := i + 1; j < len(runes); j++ {
			if strings.ContainsRune(closing, runes[j]) && (j+1 == len(runes) || runes[j] >= 0x3000 || !isLetter(runes[j+1])) {
				if inner := strings.TrimSpace(string(runes[i+1 : j])); inner != "" && inner != "n" { // rock 'n' roll
					out = append(out, inner)
				}
				i = j
				break
			}
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
