package flux

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/falimage/falimage-go/internal/colors"
)

// Prose returns the prompt as sentences, for models that want prose instead of
// JSON: FLUX.2 [klein], Kontext, FLUX.1 and Qwen Image. It has every part of
// the prompt, in the same order. What is to be read in the picture stands in
// quotation marks; exact colours are written as [Color.Phrase] does, and only
// once. Prompts that are mostly in Chinese get Chinese words and marks around
// their parts.
func (p StructuredPrompt) Prose() string {
	fields := p.fields()
	s := sentences{phrasing: english, said: make(saidColors)}
	if chinesePrompt(fields) {
		s.phrasing = chinese
	}
	s.said.strings(fields)
	for _, subject := range p.Subjects {
		own := make(saidColors) // what other subjects have is none of its own
		s.object(subject.fields(), s.subject, own)
		maps.Copy(s.said, own)
	}
	for _, field := range fields {
		s.part(field.Key, simple(field.Value))
	}
	return s.String()
}

// sentences is prose in the making.
type sentences struct {
	strings.Builder
	*phrasing
	said saidColors // these need not be said of the whole
}

// part adds what one key of the prompt says.
func (s *sentences) part(key string, value any) {
	heading := s.label(key)
	switch v := value.(type) {
	case string:
		if key == "scene" || key == "style" {
			heading = "" // these need none
		}
	case PromptFields:
		if key == "camera" {
			s.add(heading, s.object(v, s.camera, nil))
			return
		}
	case []any:
		switch {
		case key == "subjects":
			for _, item := range v {
				if fields, ok := item.(PromptFields); ok {
					s.add("", s.object(fields, s.subject, make(saidColors)))
				} else {
					s.add("", s.value(key, item))
				}
			}
		case isPalette(key):
			s.add(heading, s.join(s.unsaid(v, s.said), s.and))
		case slices.ContainsFunc(v, isObject):
			for i, item := range v { // a sentence each, so that none runs into the next
				s.add(s.one(heading)+" "+strconv.Itoa(i+1), s.value(key, item))
			}
		default:
			s.add(heading, s.join(s.items(key, v), s.list))
		}
		return
	}
	s.add(heading, s.value(key, value))
}

// add adds a sentence, with a heading if there is one. Blank text is left out,
// and text that ends a sentence by itself gets no second full stop.
func (s *sentences) add(heading, text string) {
	if text = strings.TrimSpace(text); text == "" {
		return
	}
	if s.Len() > 0 {
		s.WriteString(s.space)
	}
	if heading != "" {
		s.WriteString(heading + s.colon)
	}
	s.WriteString(text)
	if last, _ := utf8.DecodeLastRuneInString(text); !strings.ContainsRune(".!?…。！？", last) {
		s.WriteString(s.stop)
	}
}

// object returns the parts of an object as one sentence. Around is what stands
// around the values of the keys that need no key beside them. The colours of a
// palette that it says are added to said.
func (w *phrasing) object(fields PromptFields, around map[string]affix, said saidColors) string {
	if said != nil {
		said.strings(fields)
	}
	var parts []string
	for _, field := range fields {
		key, value := field.Key, simple(field.Value)
		text := w.nested(key, value)
		a, known := around[key]
		if list, ok := value.([]any); ok && known && isPalette(key) {
			text = w.join(w.unsaid(list, said), w.and)
		}
		if known && w.values[text] != "" {
			text = w.values[text]
		}
		switch {
		case strings.TrimSpace(text) == "", known && repeats(fields, key, text):
		case !known && strings.HasPrefix(text, w.words(key)+" "): // as in "color #2ECC71"
			parts = append(parts, text)
		case !known:
			parts = append(parts, strings.TrimSpace(w.words(key)+" "+text))
		case containsFold(text, a.unless):
			parts = append(parts, text)
		default:
			parts = append(parts, a.before+text+a.after)
		}
	}
	return w.join(parts, w.comma)
}

// repeats reports whether another part of the object says the same.
func repeats(fields PromptFields, key, text string) bool {
	switch key {
	case "type":
		key = "description"
	case "lens-mm":
		key, text = "lens", text+"mm"
	default:
		return false
	}
	other, _ := fields.Get(key)
	said, _ := other.(string)
	return hasWord(said, text)
}

// value returns any value in words, given its key.
func (w *phrasing) value(key string, value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		switch {
		case strings.HasPrefix(v, "#") && Color(v).exact():
			return w.color(Color(v))
		case lettering[key]:
			return w.quote(v)
		}
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return w.join(w.items(key, v), w.and)
	case PromptFields:
		return w.object(v, nil, nil)
	}
	return w.value(key, simple(value))
}

// nested is a value inside of an object: brackets keep what belongs together.
func (w *phrasing) nested(key string, value any) string {
	text := w.value(key, value)
	if fields, ok := value.(PromptFields); ok && len(fields) > 1 && text != "" {
		return "(" + text + ")"
	}
	return text
}

// items returns the items of a list that say something.
func (w *phrasing) items(key string, list []any) []string {
	texts := make([]string, len(list))
	for i, item := range list {
		texts[i] = w.nested(key, item)
	}
	return texts
}

// saidColors has the exact colours that are said, in small letters: codes, and
// codes with their names.
type saidColors map[string]bool

// strings adds the codes in the texts of an object.
func (c saidColors) strings(fields PromptFields) {
	for _, field := range fields {
		if text, ok := field.Value.(string); ok {
			for code := range colors.All(text) {
				c[strings.ToLower(text[code.Start:code.End])] = true
			}
		}
	}
}

// unsaid returns the colours that are not said yet, and adds them. One with a
// name is another than its code alone.
func (w *phrasing) unsaid(list []any, said saidColors) []string {
	var texts []string
	for _, item := range list {
		text := w.nested("", item)
		if s, ok := item.(string); ok && Color(s).exact() {
			text = w.color(Color(s))
			code, name := Color(s).split()
			look := code
			if name != "" {
				look = text
			}
			if said[strings.ToLower(look)] {
				continue
			}
			said[strings.ToLower(look)], said[strings.ToLower(code)] = true, true
		}
		texts = append(texts, text)
	}
	return texts
}

// join joins the texts that are not blank. The last separator is "and" where
// the others are commas. A full stop that ends a text stays only at the very
// end.
func (w *phrasing) join(texts []string, separator string) string {
	texts = slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return strings.TrimSpace(s) == "" })
	var b strings.Builder
	for i, text := range texts {
		text = strings.TrimSpace(text)
		switch {
		case i == 0:
		case separator == w.and && i < len(texts)-1:
			b.WriteString(w.list)
		default:
			b.WriteString(separator)
		}
		if i < len(texts)-1 && !strings.HasSuffix(text, "..") {
			text = strings.TrimSuffix(strings.TrimSuffix(text, "."), "。")
		}
		b.WriteString(text)
	}
	return b.String()
}

// quote returns words that are to be read in the picture in quotation marks,
// unless they have some.
func (w *phrasing) quote(text string) string {
	text = strings.TrimSpace(text)
	switch {
	case text == "" || strings.Count(text, `"`) > 1 || strings.ContainsAny(text, "“”「」『』«»„"):
		return text
	case strings.Contains(text, `"`):
		return "“" + text + "”"
	}
	return w.open + text + w.close
}

// lettering has the keys whose values are to be read in the picture.
var lettering = map[string]bool{
	"text": true, "lettering": true, "title": true, "subtitle": true, "heading": true, "headline": true,
	"content": true, "slogan": true, "tagline": true, "caption": true, "label": true, "labels": true,
}

func isPalette(key string) bool { return key == "colors" || key == "color_palette" }

func isObject(value any) bool {
	_, ok := value.(PromptFields)
	return ok
}

// simple returns a value as it would be read from JSON. What JSON cannot hold
// becomes text.
func simple(value any) any {
	switch value := value.(type) {
	case nil, string, bool, json.Number, []any, PromptFields:
		return value
	case Color:
		return string(value)
	}
	b, err := appendValue(nil, value)
	if err != nil {
		return fmt.Sprint(value)
	}
	fields, err := parseFields([]byte(`{"":` + string(b) + `}`))
	if err != nil {
		return string(b)
	}
	v, _ := fields.Get("")
	return v
}
