package flux

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// phrasing is what one language puts around the parts of a prompt.
type phrasing struct {
	space, stop, colon string // after a sentence, at its end, after a heading
	comma, list, and   string // between parts, between items, before the last item
	open, close        string // around lettering
	code               string // before the code of a colour
	brackets           [2]string
	labels             map[string]string // keys in words
	values             map[string]string // values in words
	subject, camera    map[string]affix
}

// affix is what stands before and after a value, unless the value has a word
// that says it.
type affix struct{ before, after, unless string }

var english = &phrasing{
	space: " ", stop: ".", colon: ": ", comma: ", ", list: ", ", and: " and ",
	open: `"`, close: `"`, code: "color ", brackets: [2]string{" (", ")"},
	values: map[string]string{"foreground": "in the foreground", "midground": "in the midground", "background": "in the background"},
	subject: map[string]affix{
		"type": {}, "description": {}, "pose": {}, "position": {}, "action": {},
		"expression":          {"", " expression", "expression"},
		"text":                {"with the text ", "", ""},
		"colors":              {"in ", "", ""},
		"color_palette":       {"in ", "", ""},
		"color_match":         {"", " color match", "match"},
		"detail_preservation": {"", " detail preservation", "preserv"},
	},
	camera: map[string]affix{
		"angle": {}, "distance": {}, "f-number": {},
		"focus":          {"focus on ", "", "focus"},
		"lens":           {"", " lens", "lens"},
		"lens-mm":        {"", "mm lens", "mm"},
		"ISO":            {"ISO ", "", "ISO"},
		"depth_of_field": {"", " depth of field", "depth"},
		"model":          {"taken with ", "", ""},
	},
}

var chinese = &phrasing{
	space: "", stop: "。", colon: "：", comma: "，", list: "、", and: "和",
	open: "“", close: "”", code: "颜色 ", brackets: [2]string{"（", "）"},
	labels: map[string]string{
		"scene": "场景", "subjects": "主体", "text": "文字", "style": "风格", "color_palette": "配色", "colors": "颜色", "lighting": "光线",
		"mood": "氛围", "background": "背景", "composition": "构图", "camera": "镜头", "effects": "效果", "title": "标题", "subtitle": "副标题",
		"sections": "板块", "heading": "标题", "content": "内容", "visual": "画面", "color_scheme": "配色", "type": "类型",
		"description": "描述", "position": "位置", "setting": "地点", "time": "时间", "details": "细节", "aspect_ratio": "画幅", "quality": "画质",
	},
	values: map[string]string{"foreground": "位于前景", "midground": "位于中景", "background": "位于背景", "exact": "精确", "high": "高度"},
	subject: map[string]affix{
		"type": {}, "description": {}, "pose": {}, "position": {}, "action": {},
		"expression":          {"表情", "", "表情"},
		"text":                {"带有文字", "", ""},
		"colors":              {"", "", ""},
		"color_palette":       {"", "", ""},
		"color_match":         {"", "匹配颜色", "匹配"},
		"detail_preservation": {"", "保留细节", "保留"},
	},
	camera: map[string]affix{
		"angle": {}, "distance": {}, "f-number": {},
		"focus":          {"对焦于", "", "焦"},
		"lens":           {"", "镜头", "镜头"},
		"lens-mm":        {"", "mm镜头", "mm"},
		"ISO":            {"ISO ", "", "ISO"},
		"depth_of_field": {"", "景深", "景深"},
		"model":          {"使用", "拍摄", ""},
	},
}

// chinesePrompt reports whether a prompt is mostly in Chinese. Two letters count
// as much as one character, and Japanese or Korean is none.
func chinesePrompt(fields PromptFields) bool {
	characters, letters := 0, 0
	var count func(value any)
	count = func(value any) {
		switch v := value.(type) {
		case string:
			for _, r := range v {
				switch {
				case unicode.Is(unicode.Han, r):
					characters++
				case unicode.In(r, unicode.Hiragana, unicode.Katakana, unicode.Hangul):
					letters += 1000
				case unicode.IsLetter(r):
					letters++
				}
			}
		case []any:
			for _, item := range v {
				count(item)
			}
		case PromptFields:
			for _, field := range v {
				count(field.Value)
			}
		}
	}
	count(fields)
	return characters > letters/2
}

// color returns a colour as [Color.Phrase] does, in the words of the language.
func (w *phrasing) color(c Color) string {
	code, name := c.split()
	switch {
	case code == "":
		return name
	case name == "":
		return w.code + code
	default:
		return name + w.brackets[0] + w.code + code + w.brackets[1]
	}
}

// words turns a key such as "color_palette" into words.
func (w *phrasing) words(key string) string {
	if label := w.labels[key]; label != "" {
		return label
	}
	return strings.TrimSpace(strings.ReplaceAll(key, "_", " "))
}

// label turns a key into a heading.
func (w *phrasing) label(key string) string {
	key = w.words(key)
	if first, size := utf8.DecodeRuneInString(key); size > 0 && first != utf8.RuneError {
		return string(unicode.ToUpper(first)) + key[size:]
	}
	return key
}

// one turns the heading of a list into that of one of its items.
func (w *phrasing) one(heading string) string {
	if strings.HasSuffix(heading, "ss") {
		return heading
	}
	return strings.TrimSuffix(heading, "s")
}

// containsFold reports whether s contains the words, which are not blank, in
// any letter case.
func containsFold(s, words string) bool {
	return words != "" && strings.Contains(strings.ToLower(s), strings.ToLower(words))
}

// hasWord reports whether s contains the words, in any letter case, and not as
// a part of longer ones: "a caterpillar" has no "cat".
func hasWord(s, words string) bool {
	s, words = strings.ToLower(s), strings.ToLower(words)
	for at := 0; words != ""; {
		i := strings.Index(s[at:], words)
		if i < 0 {
			break
		}
		i += at
		before, _ := utf8.DecodeLastRuneInString(s[:i])
		after, _ := utf8.DecodeRuneInString(s[i+len(words):])
		if !joins(before) && !joins(after) {
			return true
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		at = i + size
	}
	return false
}

// joins reports whether r continues a word of a script that separates words.
func joins(r rune) bool { return unicode.IsDigit(r) || unicode.IsUpper(r) || unicode.IsLower(r) }
