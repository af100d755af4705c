package router

import (
	"math/bits"
	"strings"
	"sync"
	"unicode"
)

// list is a list of words and phrases that tell something about a prompt.
type list uint8

const (
	// Lists that tell what a picture is for, the surest first.
	infographicWords list = iota
	comicWords
	posterWords
	uiWords
	textureWords
	productWords
	illustrationWords
	photoWords

	textWords     // there is text in the picture
	noTextWords   // there is none, whatever else the prompt says
	elementWords  // subjects are counted and placed
	peopleWords   // there are people
	languageWords // text is in a language; see languageTags
	listCount
)

// purposes are the facts of the lists before textWords.
var purposes = [...]fact{infographic, comic, poster, ui, texture, product, illustration, photo}

// vocabulary has the phrases of each list, in small letters. A list has at most
// 64.
var vocabulary = [listCount][]string{
	infographicWords: {
		"infographic", "data visualization", "data visualisation", "flow chart", "flowchart", "bar chart", "pie chart",
		"diagram",
	},
	comicWords: {
		"comic", "manga", "comic strip", "graphic novel", "speech bubble", "webtoon",
	},
	posterWords: {
		"poster", "flyer", "billboard", "book cover", "album cover", "magazine cover", "leaflet", "banner", "menu",
		"packaging", "invitation",
	},
	uiWords: {
		"user interface", "app screen", "ui mockup", "dashboard", "landing page", "wireframe", "ui design",
	},
	textureWords: {
		"seamless", "tileable", "texture of", "normal map",
	},
	productWords: {
		"product photography", "product photo", "product shot", "packshot", "product image", "e commerce",
	},
	illustrationWords: {
		"illustration", "watercolor", "watercolour", "oil painting", "sketch", "line art", "vector art", "cartoon",
		"pixel art", "anime", "line drawing",
	},
	photoWords: {
		"photo", "photograph", "photographed", "photos", "photography", "photorealistic", "photoreal", "shot on",
		"depth of field", "lens", "dslr", "bokeh", "film grain", "35mm", "50mm", "85mm", "close up of", "portrait of",
		"headshot",
	},
	textWords: {
		"sign reading", "sign that says", "sign saying", "that reads", "reading the words", "the words", "says", "saying",
		"neon sign", "neon signs", "street sign", "road sign", "signage", "text", "lettering", "typography", "headline",
		"caption", "tagline", "slogan", "title", "titled", "labelled", "labeled", "logo", "inscription", "written on",
		"written in", "speech bubble", "subtitles", "infographic",
	},
	noTextWords: {
		"no text", "without text", "without any text", "no lettering", "no words", "textless",
	},
	elementWords: {
		"two", "three", "four", "five", "six", "seven", "eight", "each", "different", "various", "separate",
		"in the foreground", "in the background", "in the middle ground", "in the distance", "on the left", "on the right",
		"to the left of", "to the right of", "next to", "behind", "in front of", "above", "below", "holding", "while",
		"busy", "crowd", "surrounded by", "from left to right", "top left", "top right", "bottom left", "bottom right",
	},
	peopleWords: {
		"people", "person", "woman", "man", "girl", "boy", "child", "children", "face", "couple", "crowd", "women", "men",
		"grandmother", "grandfather", "selfie", "headshot",
	},
	languageWords: {
		"in chinese", "in mandarin", "in cantonese", "in japanese", "in korean", "in arabic", "in hindi", "in russian",
		"in ukrainian", "in german", "in french", "in spanish", "in italian", "in portuguese", "in turkish", "in thai",
		"in vietnamese", "in polish", "in dutch", "in hebrew", "in greek", "in swedish",
	},
}

// languageTags are those of the phrases in languageWords.
var languageTags = [...]string{"zh", "zh", "zh", "ja", "ko", "ar", "hi", "ru", "uk", "de", "fr", "es", "it", "pt", "tr", "th", "vi", "pl", "nl", "he", "el", "sv"}

// term is a phrase with a space behind it, and where it stands.
type term struct {
	phrase string
	list   list
	place  int
}

// terms are all phrases by their first word.
var terms = sync.OnceValue(func() map[string][]term {
	out := make(map[string][]term)
	for l, phrases := range vocabulary {
		for i, p := range phrases {
			first, _, _ := strings.Cut(p, " ")
			out[first] = append(out[first], term{p + " ", list(l), i})
		}
	}
	return out
})

// hits are the phrases of each list that a prompt has, a bit for each.
type hits [listCount]uint64

// find looks for all phrases in a prompt.
func find(prompt string) (h hits) {
	index := terms()
	for rest := plain(prompt); rest != ""; {
		word, after, _ := strings.Cut(rest, " ")
		for _, t := range index[word] {
			if behind, ok := strings.CutPrefix(rest, t.phrase); ok && (t.list != languageWords || !strings.HasPrefix(behind, "style ")) {
				h[t.list] |= 1 << t.place
			}
		}
		rest = after
	}
	return h
}

// first returns the first phrase of a list that the prompt has, or "".
func (h *hits) first(l list) string {
	if h[l] == 0 {
		return ""
	}
	return vocabulary[l][bits.TrailingZeros64(h[l])]
}

// count returns how many phrases of a list the prompt has.
func (h *hits) count(l list) int { return bits.OnesCount64(h[l]) }

// plain returns a text in small letters, with a single space behind each word
// and nothing else between them.
func plain(text string) string {
	var b strings.Builder
	b.Grow(len(text) + 1)
	gap := true
	for _, r := range text {
		if !isLetter(r) {
			if !gap {
				b.WriteByte(' ')
			}
			gap = true
			continue
		}
		b.WriteRune(unicode.ToLower(r))
		gap = false
	}
	if !gap {
		b.WriteByte(' ')
	}
	return b.String()
}
