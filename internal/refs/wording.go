package refs

import (
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// word is what languages call a picture in front of its number.
type word struct {
	text string
	// sure says that it means one of the files: "image 3" does, "figure 3" may
	// be seen in the picture.
	sure bool
}

var words = []word{
	{"image", true}, {"images", true}, {"img", true}, {"图", true}, {"圖", true}, {"图片", true}, {"圖片", true}, {"图像", true}, {"圖像", true},
	{"画像", true}, {"이미지", true}, {"bild", true}, {"imagen", true}, {"imagem", true}, {"immagine", true}, {"изображение", true},
	{"изображения", true}, {"изображении", true}, {"afbeelding", true}, {"obraz", true}, {"gambar", true},
	{"imágenes", false}, {"imagens", false}, {"immagini", false}, {"bilder", false}, {"bildes", false}, {"bildern", false},
	{"picture", false}, {"pictures", false}, {"photo", false}, {"photos", false}, {"foto", false}, {"fotos", false}, {"фото", false},
	{"reference", false}, {"references", false}, {"ref", false}, {"figure", false}, {"input", false}, {"照片", false}, {"写真", false},
	{"사진", false}, {"рисунок", false}, {"صورة", false}, {"الصورة", false}, {"รูปที่", false}, {"ảnh", false}, {"hình", false}, {"görsel", false},
}

// separators may stand between the numbers of a list; those of a range stand
// for what is between them too.
var (
	separators = []string{",", "、", "，", "&", "+", "/", "and", "or", ", and", ", or", "und", "et", "y", "e", "и", "和", "与", "跟", "と"}
	ranges     = []string{"-", "–", "to", "bis", "à", "至", "到"}
)

// numbered is a number with a word for a picture before it.
type numbered struct {
	first, n   int // first is less than n in a range
	start, end int
	sure       bool
}

// wordings yields the numbers that stand behind words for a picture, and those
// that continue a list of such.
func wordings(s string) iter.Seq[numbered] {
	return func(yield func(numbered) bool) {
		var last numbered // the one before, to which a list goes on
		for i := 0; i < len(s); {
			n, end := wordNumber(s, i)
			if end == 0 {
				_, size := utf8.DecodeRuneInString(s[i:])
				i += size
				continue
			}
			start := i
			i = end
			if !standsAlone(s, end) {
				continue
			}
			found := numbered{first: n, n: n, end: end}
			if at, sure, ok := wordBefore(s, start); ok {
				found.start, found.sure = at, sure && s[start] < utf8.RuneSelf
			} else if between := strings.TrimSpace(s[last.end:start]); last.end > 0 && len(between) < 8 && isOne(between, separators) {
				found.start = start
			} else if last.end > 0 && len(between) < 8 && isOne(between, ranges) && last.n < n {
				found.start, found.first = start, last.n
			} else {
				last = numbered{}
				continue
			}
			last = found
			if !yield(found) {
				return
			}
		}
	}
}

// beyond yields the wordings that surely mean a file, as [All] does. Numbers
// with more than two digits are sizes.
func beyond(s string) iter.Seq2[int, [2]int] {
	return func(yield func(int, [2]int) bool) {
		for w := range wordings(s) {
			if w.sure && w.n < 100 && !yield(w.n, [2]int{w.start, w.end}) {
				return
			}
		}
	}
}

// Unmentioned returns the numbers, from 1, of the files that the prompt does
// not mention. Wording such as "image 2", "the second picture", "图2" or "both
// images" counts as a mention too. A file that is the only one needs no mention.
func Unmentioned(prompt string, files int) []int {
	if files < 2 {
		return nil
	}
	var few [16]bool // more than any endpoint takes
	seen := few[:]
	if files > len(seen) {
		seen = make([]bool, files)
	}
	mark := func(first, n int) {
		for k := max(first, 1); k <= min(n, files); k++ {
			seen[k-1] = true
		}
	}
	for n := range All(prompt) {
		mark(n, n)
	}
	for w := range wordings(prompt) {
		mark(w.first, w.n)
	}
	if !slices.Contains(seen[:files], false) {
		return nil
	}
	small := strings.ToLower(prompt)
	if saysAll(small, files) {
		return nil
	}
	var missed []int
	for i, ok := range seen[:files] {
		if !ok && !saysOrdinal(small, i+1, files) {
			missed = append(missed, i+1)
		}
	}
	return missed
}

// saysAll reports whether a prompt in small letters speaks of all files at once.
func saysAll(prompt string, files int) bool {
	if hasPhrase(prompt, "all ", plurals) || hasPhrase(prompt, "all the ", plurals) ||
		files == 2 && (hasPhrase(prompt, "both ", plurals) || hasPhrase(prompt, "the two ", plurals)) {
		return true
	}
	return files == 2 && (strings.Contains(prompt, "两张") || strings.Contains(prompt, "两幅")) || strings.Contains(prompt, "所有图")
}

// What follows in phrases such as "the second image" and "all pictures".
var (
	nouns   = []string{"image", "picture", "photo", "reference", "input", "one", "bild", "foto", "imagen", "imagem", "immagine"}
	plurals = []string{"images", "pictures", "photos", "references", "reference images", "input images"}
)

// ordinals are the words for the first, the second and so on, each with a space.
var ordinals = [][]string{
	{"first ", "1st ", "erste ", "ersten ", "primera ", "première ", "premier ", "prima ", "primeira "},
	{"second ", "2nd ", "other ", "zweite ", "zweiten ", "segunda ", "deuxième ", "seconde ", "seconda "},
	{"third ", "3rd ", "dritte ", "dritten ", "tercera ", "troisième ", "terza ", "terceira "},
	{"fourth ", "4th ", "vierte ", "vierten ", "cuarta ", "quatrième ", "quarta "},
	{"fifth ", "5th "}, {"sixth ", "6th "}, {"seventh ", "7th "}, {"eighth ", "8th "}, {"ninth ", "9th "}, {"tenth ", "10th "},
}

// saysOrdinal reports whether a prompt in small letters speaks of "the second
// image" or the like.
func saysOrdinal(prompt string, n, files int) bool {
	if n <= len(ordinals) && slices.ContainsFunc(ordinals[n-1], func(ordinal string) bool { return hasPhrase(prompt, ordinal, nouns) }) ||
		n == files && hasPhrase(prompt, "last ", nouns) {
		return true
	}
	if n <= 10 && strings.Contains(prompt, "第") {
		for _, counter := range []string{"张", "幅", "張", "个", "枚"} {
			if strings.Contains(prompt, "第"+chineseDigits[n-1]+counter) || strings.Contains(prompt, "第"+string(rune('0'+n))+counter) {
				return true
			}
		}
	}
	return false
}

// hasPhrase reports whether s has the words, followed by one of the others, and not
// as a part of longer ones.
func hasPhrase(s, words string, then []string) bool {
	for at := 0; ; {
		i := strings.Index(s[at:], words)
		if i < 0 {
			return false
		}
		i += at
		at = i + len(words)
		if !joinedBefore(s, i) && slices.ContainsFunc(then, func(word string) bool {
			return strings.HasPrefix(s[at:], word) && !joinedAfter(s, at+len(word))
		}) {
			return true
		}
	}
}

// wordBefore returns where the word for a picture starts that stands in front of
// i, if one does, with a space or # between them or not, and no article before.
func wordBefore(s string, i int) (start int, sure, ok bool) {
	head := strings.TrimRight(s[:i], " #_№")
	for _, w := range words {
		at := len(head) - len(w.text)
		if at < 0 || !strings.EqualFold(head[at:], w.text) {
			continue
		}
		if first, _ := utf8.DecodeRuneInString(w.text); joins(first) && joinedBefore(s, at) {
			continue // a script that separates words, as in "pilgrimage 2"
		}
		if ascii := w.text[0] < utf8.RuneSelf; ascii && (hasArticle(s[:at]) || at > 0 && s[at-1] == '@') {
			return 0, false, false // "an image 3 times as large"
		}
		return at, w.sure && s[i-1] != '_', true // "<image_7>" names a region
	}
	return 0, false, false
}

func hasArticle(s string) bool {
	trimmed := strings.TrimRight(s, " ")
	for _, article := range []string{"a", "an", "one", "each", "every"} {
		at := len(trimmed) - len(article)
		if at >= 0 && len(trimmed) < len(s) && strings.EqualFold(trimmed[at:], article) && !joinedBefore(trimmed, at) {
			return true
		}
	}
	return false
}

var chineseDigits = [...]string{"一", "二", "三", "四", "五", "六", "七", "八", "九", "十"}

// wordNumber reads the number at i, in digits, digits of full width, or as one
// Chinese numeral. The end is 0 where there is none.
func wordNumber(s string, i int) (n, end int) {
	if n, end := number(s, i); end > 0 {
		return n, end
	}
	if s[i] < utf8.RuneSelf {
		return 0, 0
	}
	r, size := utf8.DecodeRuneInString(s[i:])
	if r >= '０' && r <= '９' {
		return int(r - '０'), i + size
	}
	for k, digit := range chineseDigits {
		if s[i:i+size] == digit {
			return k + 1, i + size
		}
	}
	return 0, 0
}

// standsAlone reports whether what ends at i is a number by itself, and not the
// beginning of a size, a ratio, a fraction or a share.
func standsAlone(s string, i int) bool {
	if joinedAfter(s, i) {
		return false
	}
	rest := s[i:]
	if len(rest) > 1 && (rest[0] == ':' || rest[0] == '.') && isDigit(rest[1]) {
		return false
	}
	rest = strings.TrimLeft(rest, " ")
	return !slices.ContainsFunc([]string{"%", "x ", "×", "px", "pixel", "times", "°"}, func(sign string) bool { return strings.HasPrefix(rest, sign) })
}

func isOne(s string, of []string) bool {
	return slices.ContainsFunc(of, func(one string) bool { return strings.EqualFold(s, one) })
}
