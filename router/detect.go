package router

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// fact is something that is true of a task and that rules can ask for.
type fact uint8

const (
	always fact = iota
	generate
	editing
	preview
	draft
	final
	photo
	product
	illustration
	poster
	infographic
	comic
	ui
	texture
	text
	multilingual
	manyElements
	people
	references
	manyReferences
	structured
	colors
	mentions
	negative
	steps
	guidance
	loras
	volume
	large
	inContext
	style
	remove
	background
	textEdit
	angle
	layersEdit
	inpaint
	tryOn
	upscaling
	compose
	factCount
)

// factNames are the names of facts, as the rules of a policy write them.
var factNames = [factCount]string{
	"always", "generate", "edit", "preview", "draft", "final",
	"photo", "product", "illustration", "poster", "infographic", "comic", "ui", "texture",
	"text", "multilingual", "many-elements", "people", "references", "many-references",
	"structured", "colors", "mentions", "negative", "steps", "guidance", "loras", "volume", "large",
	"in-context", "style", "remove", "background", "text-edit", "angle", "layers", "inpaint", "try-on", "upscale", "multi-picture",
}

// facts is a set of facts.
type facts uint64

func (f facts) has(x fact) bool { return f&(1<<x) != 0 }

const (
	// volumeCount is the number of pictures from which on a task is a batch.
	volumeCount = 100
	// largePixels is the area from which on a picture is a large one: what
	// 2K models make and others are stretched to.
	largePixels = 3 << 20
	// manyReferencesCount is more than the Qwen models take.
	manyReferencesCount = 4
)

// Fact is something that was understood of a task.
type Fact struct {
	// Name is as the rules of a policy write it, such as "text".
	Name string `json:"name"`
	// Why says what it was understood from.
	Why string `json:"why"`
}

// understanding is what is known about a task.
type understanding struct {
	facts     facts
	why       [factCount]string
	languages []string
}

func (u *understanding) add(f fact, why string) {
	if !u.facts.has(f) {
		u.facts |= 1 << f
		u.why[f] = why
	}
}

// list returns the facts in words.
func (u *understanding) list() []Fact {
	var out []Fact
	for f := generate; f < factCount; f++ {
		if u.facts.has(f) {
			out = append(out, Fact{factNames[f], u.why[f]})
		}
	}
	return out
}

const given = "the task says so"

var purposeFacts = map[Purpose]fact{
	Photo: photo, Product: product, Illustration: illustration, Poster: poster,
	Infographic: infographic, Comic: comic, UI: ui, Texture: texture,
}

var stageFacts = map[Stage]fact{StagePreview: preview, StageDraft: draft, StageFinal: final}

var editFacts = map[Edit]fact{
	EditInContext: inContext, EditStyle: style, EditRemove: remove, EditBackground: background,
	EditText: textEdit, EditAngle: angle, EditLayers: layersEdit, EditInpaint: inpaint,
	EditTryOn: tryOn, EditUpscale: upscaling, EditCompose: compose,
}

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

// primary returns the language of a tag: "zh" of "zh-Hant".
func primary(tag string) string {
	language, _, _ := strings.Cut(strings.ToLower(tag), "-")
	return language
}

// languagesOf returns the languages that are given, or else those that the
// script of the prompt and the text tells, and those that the prompt names.
func languagesOf(t *Task, prompt string, words *hits) []string {
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
	for i, tag := range languageTags {
		if words[languageWords]&(1<<i) != 0 {
			add(tag)
		}
	}
	return found
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
