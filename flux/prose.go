package flux

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Prose returns the prompt as sentences, for models that want prose instead of
// JSON: FLUX.2 [klein], Kontext, FLUX.1 and Qwen Image. It has every part of
// the prompt, in the same order; exact colours are written as [Color.Phrase]
// does.
func (p StructuredPrompt) Prose() string {
	var s sentences
	for _, slot := range promptSlots(&p) {
		if isEmpty(slot.to) {
			// A part of another form, such as a scene that is an object.
			if v, ok := p.Extra.Get(slot.key); ok {
				s.add(label(slot.key), prose(v))
			}
			continue
		}
		switch v := slot.to.(type) {
		case *string:
			switch slot.key {
			case "scene", "style": // these need no heading
				s.add("", *v)
			default:
				s.add(label(slot.key), *v)
			}
		case *[]Color:
			s.add(label(slot.key), phrases(*v))
		case *[]string:
			s.add(label(slot.key), strings.Join(*v, ", "))
		case *[]PromptSubject:
			for _, subject := range *v {
				s.add("", subject.prose())
			}
		case *PromptCamera:
			s.add(label(slot.key), v.prose())
		}
	}
	known := make(map[string]bool)
	for _, slot := range promptSlots(&p) {
		known[slot.key] = true
	}
	for _, field := range p.Extra {
		if !known[field.Key] {
			s.add(label(field.Key), prose(field.Value))
		}
	}
	return s.String()
}

func (s PromptSubject) prose() string {
	var c clauses
	c.add(s.Type)
	if containsFold(s.Description, s.Type) {
		c = nil // the description says what it is
	}
	c.add(s.Description)
	c.add(s.Pose)
	c.add(s.Action)
	switch s.Position {
	case "foreground", "midground", "background":
		c.add("in the " + s.Position)
	default:
		c.add(s.Position)
	}
	c.addWith("in ", phrases(s.Colors), "")
	c.addWith("in ", phrases(s.ColorPalette), "")
	c.addWith("", s.ColorMatch, " color match")
	c.addWith("", s.DetailPreservation, " detail preservation")
	c.addExtra(s.Extra)
	return c.String()
}

func (v PromptCamera) prose() string {
	var c clauses
	c.add(v.Angle)
	c.add(v.Distance)
	if containsFold(v.Lens, "lens") {
		c.add(v.Lens)
	} else {
		c.addWith("", v.Lens, " lens")
	}
	if mm := strconv.FormatFloat(v.LensMM, 'f', -1, 64) + "mm"; v.LensMM != 0 && !containsFold(v.Lens, mm) {
		c.add(mm + " lens")
	}
	c.add(v.FNumber)
	if v.ISO != 0 {
		c.add("ISO " + strconv.Itoa(v.ISO))
	}
	if containsFold(v.Focus, "focus") {
		c.add(v.Focus)
	} else {
		c.addWith("focus on ", v.Focus, "")
	}
	if containsFold(v.DepthOfField, "depth") {
		c.add(v.DepthOfField)
	} else {
		c.addWith("", v.DepthOfField, " depth of field")
	}
	c.addExtra(v.Extra)
	return c.String()
}

// prose returns any value in words: the parts of lists and objects are joined,
// and exact colours get the word that makes the model read them.
func prose(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		if Color(v).exact() {
			return Color(v).Phrase()
		}
		return v
	case Color:
		return v.Phrase()
	case json.Number:
		return v.String()
	case []any:
		var c clauses
		for _, item := range v {
			c.add(prose(item))
		}
		return c.String()
	case PromptFields:
		var c clauses
		c.addExtra(v)
		return c.String()
	default:
		return proseOf(value)
	}
}

// proseOf puts a value of any other Go type into words by way of its JSON, so
// that structs, maps and slices read like the values above.
func proseOf(value any) string {
	b, err := appendValue(nil, value)
	if err != nil {
		return fmt.Sprint(value)
	}
	fields, err := parseFields([]byte(`{"":` + string(b) + `}`))
	if err != nil {
		return string(b)
	}
	v, _ := fields.Get("")
	if b, ok := v.(bool); ok {
		return strconv.FormatBool(b)
	}
	return prose(v)
}

// phrases joins colours: "a, b and c".
func phrases(colors []Color) string {
	var b strings.Builder
	for i, c := range colors {
		switch {
		case i == 0:
		case i == len(colors)-1:
			b.WriteString(" and ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(c.Phrase())
	}
	return b.String()
}

// label turns a key such as "color_palette" into words.
func label(key string) string {
	key = strings.TrimSpace(strings.ReplaceAll(key, "_", " "))
	if first, size := utf8.DecodeRuneInString(key); size > 0 && first != utf8.RuneError {
		return string(unicode.ToUpper(first)) + key[size:]
	}
	return key
}

// clauses are the parts of one sentence.
type clauses []string

func (c *clauses) add(text string) { c.addWith("", text, "") }

// addWith adds a clause with words around it, unless the text is blank.
func (c *clauses) addWith(before, text, after string) {
	if text = strings.TrimSpace(text); text != "" {
		*c = append(*c, before+text+after)
	}
}

func (c *clauses) addExtra(extra PromptFields) {
	for _, field := range extra {
		c.addWith(strings.ReplaceAll(field.Key, "_", " ")+" ", prose(field.Value), "")
	}
}

func (c *clauses) String() string { return strings.Join(*c, ", ") }

// sentences is prose in the making.
type sentences struct{ strings.Builder }

// add appends a sentence, with a heading if there is one. Blank text is left
// out, and text that ends a sentence by itself gets no second full stop.
func (s *sentences) add(heading, text string) {
	if text = strings.TrimSpace(text); text == "" {
		return
	}
	if s.Len() > 0 {
		s.WriteByte(' ')
	}
	if heading != "" {
		s.WriteString(heading + ": ")
	}
	s.WriteString(text)
	if last, _ := utf8.DecodeLastRuneInString(text); !strings.ContainsRune(".!?…。！？", last) {
		s.WriteByte('.')
	}
}

// containsFold reports whether s contains the words, which are not blank, in
// any letter case.
func containsFold(s, words string) bool {
	return words != "" && strings.Contains(strings.ToLower(s), strings.ToLower(words))
}
