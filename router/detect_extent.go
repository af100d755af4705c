package router

import (
	"slices"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/schema"
)

// extent is to what words say that a picture is extended, and on which sides; as far
// as they do.
type extent struct {
	size                  fal.ImageSize
	aspect                string
	left, right, up, down bool
	alone                 bool // the prompt says nothing else
}

// ratios are the aspect ratios that two numbers in words may be: 9:30 is a time.
var ratios = []string{"1:1", "5:4", "4:5", "4:3", "3:4", "7:5", "5:7", "3:2", "2:3", "16:9", "9:16", "2:1", "1:2", "21:9", "9:21", "3:1", "1:3"}

// understandExtent finds out to what a picture is extended.
func (u *understanding) understandExtent(t *Task, prompt string, r *reading) {
	if len(t.Pictures) == 0 || !u.facts.has(extend) {
		return
	}
	e := &u.extent
	for i := range r.tokens {
		width, height := r.pair(prompt, i)
		if min(width, height) >= 64 && max(width, height) <= schema.MaxSide {
			e.size = fal.Size(width, height)
		} else if ratio := strconv.Itoa(width) + ":" + strconv.Itoa(height); slices.Contains(ratios, ratio) {
			e.aspect = ratio
		}
	}
	if e.size != "" {
		e.aspect = ""
	} else if e.aspect == "" && r.first("edit-square") != "" {
		e.aspect = "1:1"
	}
	for _, side := range []struct {
		list string
		is   *bool
	}{{"edit-left", &e.left}, {"edit-right", &e.right}, {"edit-up", &e.up}, {"edit-down", &e.down}} {
		*side.is = r.extends(side.list)
	}
	e.alone = r.saysExtent()
}

// saysExtent reports whether the words say that a picture is extended, how far and
// where to, and nothing else: nothing is lost then on a model that takes no prompt.
func (r *reading) saysExtent() bool {
	said := 0 // the end of what hits say
	hits := r.hits
	for i := range r.tokens {
		for ; len(hits) > 0 && hits[0].at <= i; hits = hits[1:] {
			if slices.Contains(extentLists, hits[0].list) {
				said = max(said, hits[0].end)
			}
		}
		if t := &r.tokens[i]; i >= said && t.hasLetters && !slices.Contains(extentWords, t.text) && strings.Trim(t.text, "0123456789") != "x" {
			return false
		}
	}
	return true
}

// extentLists are the lists that say how a picture is extended, and extentWords what
// stands among their words.
var (
	extentLists = []string{"edit-extend", "do-extend", "frame", "edit-square", "edit-left", "edit-right", "edit-up", "edit-down"}
	extentWords = []string{"this", "it", "the", "my", "a", "an", "to", "on", "of", "at", "and", "by", "so", "that", "is", "please", "side", "sides", "both", "ratio", "aspect", "format", "pixels", "px", "make"}
)

// pair returns two numbers that stand together as in 16:9, 1920x1080 or "16 by 9"; what
// is none is 0.
func (r *reading) pair(prompt string, i int) (a, b int) {
	t := &r.tokens[i]
	if t.quoted {
		return 0, 0
	}
	first, second, joined := strings.Cut(t.text, "x")
	if !joined && i+1 < len(r.tokens) {
		next := i + 1
		between := strings.TrimSpace(prompt[t.to:r.tokens[next].from])
		if by := r.tokens[next].text; between == "" && (by == "by" || by == "x") && next+1 < len(r.tokens) {
			next++
		} else if !slices.Contains([]string{":", "\uff1a", "×"}, between) {
			return 0, 0
		}
		second = r.tokens[next].text
	}
	a, _ = strconv.Atoi(first)
	b, _ = strconv.Atoi(second)
	return a, b
}

// extends reports whether a word for a side stands with one for extending: behind it,
// or in other languages than English also before it.
func (r *reading) extends(list string) bool {
	const apart = 7
	for i := range r.hits {
		side := &r.hits[i]
		if side.list != list {
			continue
		}
		for _, h := range within(r.hits, side.at-apart-longestPhrase, side.end+apart+1) {
			if (h.list == "edit-extend" || h.list == "do-extend") && (h.at <= side.at && side.at-h.end <= apart || h.language != "en" && h.at > side.at) {
				return true
			}
		}
	}
	return false
}

// extended returns the task with what its words say of the size or the aspect that
// a picture is extended to.
func (u *understanding) extended(t *Task) *Task {
	if !u.facts.has(extend) || t.Size != "" || t.Aspect != "" || u.extent.size == "" && u.extent.aspect == "" {
		return t
	}
	wider := *t
	wider.Size, wider.Aspect = u.extent.size, u.extent.aspect
	return &wider
}

// shares splits what a picture grows by among two sides: half each, unless words say
// that it is one of them.
func shares(by int, first, second bool) (int, int) {
	switch {
	case first && !second:
		return by, 0
	case second && !first:
		return 0, by
	}
	return by / 2, by - by/2
}
