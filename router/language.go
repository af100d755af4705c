package router

import (
	"slices"
	"strings"
	"unicode"
)

// primary returns the language of a tag: "zh" of "zh-Hant".
func primary(tag string) string {
	language, _, _ := strings.Cut(strings.ToLower(tag), "-")
	return language
}

// languagesOf returns the languages that are given, or else those that the
// script of the prompt and the text tells, those that the prompt names, and the
// one in which it asks for lettering, or in which the words around it are.
func languagesOf(t *Task, prompt string, r *reading, lettering bool) []string {
	if len(t.Languages) > 0 {
		return t.Languages
	}
	var found []string
	add := func(tag string) {
		if tag != "" && !slices.Contains(found, tag) {
			found = append(found, tag)
		}
	}
	add(languageOf(prompt))
	for _, s := range t.Text {
		add(languageOf(s))
	}
	for i, h := range r.hits {
		if tag, ok := strings.CutPrefix(h.list, "language-"); ok && !r.styled(i) {
			add(tag)
		} else if tag, ok := strings.CutPrefix(h.list, "name-"); ok && tag != "en" && r.writtenIn(&h) {
			add(tag)
		} else if h.list == "text" && lettering && h.language != "en" {
			add(h.language)
		}
	}
	if lettering && len(r.quotes) > 0 && r.latin {
		add(r.tongue)
	}
	return found
}

// writtenIn reports whether the name of a language says what something is written
// in: that stands behind it, or the name of another language near it.
func (r *reading) writtenIn(name *hit) bool {
	for _, h := range within(r.hits, name.at-3, name.end+3) {
		switch {
		case h.list == "written" && h.at == name.end && !r.tokens[h.at].breaks:
			return true
		case strings.HasPrefix(h.list, "name-") && h.list != name.list && r.joined(min(h.end, name.end), max(h.at, name.at)):
			return true
		}
	}
	return false
}

// joined reports whether a word such as "and" stands between two tokens, or nothing.
func (r *reading) joined(from, to int) bool {
	return from == to || to == from+1 && (slices.Contains(ands, r.tokens[from].text) || r.tokens[from].text == "to")
}

// styled reports whether the language of a hit is that of a style or a place, as
// in "in Japanese style".
func (r *reading) styled(i int) bool {
	at, end := r.hits[i].at, r.hits[i].end
	return slices.ContainsFunc(within(r.hits, at, end+1), func(h hit) bool {
		return h.list == "style" && h.at == end && !r.tokens[end].breaks || h.list == "illustration" && h.end > end
	})
}

// scripts are the scripts that tell a language, or the likeliest of those that
// are written in them. Kana comes before Han, which Japanese uses too.
var scripts = []struct {
	tag   string
	table *unicode.RangeTable
}{
	{"ja", unicode.Hiragana}, {"ja", unicode.Katakana}, {"ko", unicode.Hangul}, {"zh", unicode.Han},
	{"ar", unicode.Arabic}, {"ru", unicode.Cyrillic}, {"hi", unicode.Devanagari}, {"he", unicode.Hebrew},
	{"th", unicode.Thai}, {"el", unicode.Greek}, {"bn", unicode.Bengali}, {"ta", unicode.Tamil},
	{"te", unicode.Telugu}, {"ka", unicode.Georgian}, {"hy", unicode.Armenian},
}

// languageOf returns the language that the script of a text tells, or "".
func languageOf(s string) string {
	first := len(scripts)
	for _, r := range s {
		if r <= unicode.MaxLatin1 || unicode.Is(unicode.Latin, r) {
			continue
		}
		for i := range scripts[:first] {
			if unicode.Is(scripts[i].table, r) {
				first = i
				break
			}
		}
	}
	if first == len(scripts) {
		return ""
	}
	return scripts[first].tag
}
