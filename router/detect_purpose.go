package router

import (
	"slices"
	"strings"
)

// purposeLists are the facts of the lists that tell what pictures are for. A
// list of the same name and a question mark has what tells it less surely.
var purposeLists = map[string]fact{
	"infographic": infographic, "comic": comic, "poster": poster, "ui": ui, "texture": texture,
	"product": product, "illustration": illustration, "photo": photo,
}

// understandPurpose finds what the pictures are for.
func (u *understanding) understandPurpose(t *Task, r *reading) {
	if f, ok := purposeFacts[t.Purpose]; ok {
		u.add(f, given)
		return
	}
	for _, mark := range []string{"", "?"} {
		if h := r.medium(mark); h != nil {
			f := purposeLists[strings.TrimSuffix(h.list, "?")]
			if goods, selling := r.sold(); selling != "" && (f == photo || mark == "?" || strings.HasPrefix(h.text, "3d")) {
				u.add(product, says(goods+" … "+selling))
				return
			}
			u.add(f, says(h.text))
			return
		}
	}
	if goods, selling := r.sold(); selling != "" {
		u.add(product, says(goods+" … "+selling))
	}
}

// sold returns something for sale and a word for selling, "" unless the prompt has
// both and no people.
func (r *reading) sold() (goods, selling string) {
	goods, selling = r.first("goods"), r.first("selling")
	if goods == "" || selling == "" || r.people(false) != "" {
		return "", ""
	}
	return goods, selling
}

// medium returns what says first what the pictures are: a later one counts if
// the first only describes it, as in "a watercolour travel poster". A picture of
// a product is a photo too.
func (r *reading) medium(mark string) *hit {
	var found *hit
	for i := range r.hits {
		h := &r.hits[i]
		name, ok := strings.CutSuffix(h.list, mark)
		if _, known := purposeLists[name]; !ok || !known || mark != "" && r.incidental(h) {
			continue
		}
		switch {
		case found == nil, h.at == found.at && h.end-h.at > found.end-found.at:
			found = h
		case name == "product" && strings.HasPrefix(found.list, "photo"):
			found = h
		case (strings.HasPrefix(found.list, "photo") || strings.HasPrefix(found.list, "illustration")) && r.describes(found, h):
			found = h
		case name == "illustration" && found.list == "photo" && !strings.Contains(found.text, "photo") && r.tokens[h.at].breaks: // a lens, then what it is drawn in
			found = h
		}
	}
	return found
}

// incidental reports whether a word that may be the medium is something in the
// picture: a menu that is read, the dashboard of a car, the texture of skin.
func (r *reading) incidental(h *hit) bool {
	switch h.list {
	case "texture?": // it is what the first words say
		last := h.end >= len(r.tokens) || r.tokens[h.end].breaks
		if h.text == "seamless" {
			return h.at > 1 && (!last || !r.tokens[h.at].breaks)
		}
		return h.at > 4 || r.breaksBetween(1, h.at) || !last && r.tokens[h.end].text != "of" && r.tokens[h.end].text != "for"
	case "illustration?":
		made := h.at > 1 && strings.HasSuffix(r.tokens[h.at-2].text, "ing") && slices.Contains([]string{"a", "an", "the", "his", "her", "their"}, r.tokens[h.at-1].text)
		done := h.end < len(r.tokens) && !r.tokens[h.end].breaks && slices.Contains([]string{"a", "an", "the", "his", "her", "their"}, r.tokens[h.end].text)
		whose := h.at > 0 && r.tokens[h.at-1].possessive
		wall := h.end < len(r.tokens) && slices.Contains([]string{"wall", "walls", "floor", "floors", "tile", "tiles", "ceiling", "window", "table"}, r.tokens[h.end].text)
		return made || done || whose || wall || r.placed(h) // weaving a tapestry; painting a wall; a kid's drawing; on a painting
	case "product?": // sneakers that somebody is in, ten bottles, letters on white
		before := r.tokens[max(0, h.at-2):h.at]
		return slices.ContainsFunc(before, func(t token) bool {
			return slices.Contains([]string{"with", "in", "wearing", "holding", "text", "letters", "lettering", "numbers", "written", "printed"}, t.text)
		}) || slices.ContainsFunc(within(r.hits, h.at-1, h.at), func(n hit) bool { return n.list == "numeral" })
	case "poster?", "ui?", "comic?", "infographic?":
		return h.text == "dashboard" && r.first("vehicle") != "" || r.placed(h) || h.list == "poster?" && r.hangs(h)
	}
	return false
}

// hangs reports whether a word behind another says where that is in the picture.
func (r *reading) hangs(h *hit) bool {
	return h.end < len(r.tokens) && !r.tokens[h.end].breaks && slices.Contains([]string{"behind", "above", "over", "beside", "at", "along", "near", "hanging", "hung", "stuck", "pinned", "taped", "lying", "stapled"}, r.tokens[h.end].text)
}

// placed reports whether a word such as "on" says that something is in the picture.
func (r *reading) placed(h *hit) bool {
	for at := h.at - 1; at >= max(0, h.at-3) && !r.tokens[at+1].breaks; at-- {
		if slices.Contains(places, r.tokens[at].text) {
			return true
		}
	}
	return false
}

// places are words before something that is in a picture.
var places = []string{"in", "on", "under", "behind", "with", "holding", "reading", "the", "his", "her", "their", "over", "beside", "against", "from", "at", "near", "past"}

// place is where the prompt first says what pictures are for, -1 if it does not.
func (r *reading) place(f fact) int {
	i := slices.IndexFunc(r.hits, func(h hit) bool { return strings.TrimSuffix(h.list, "?") == factNames[f] })
	if i < 0 {
		return -1
	}
	return r.hits[i].at
}

// describes reports whether one phrase stands before another like an adjective.
func (r *reading) describes(a, b *hit) bool {
	if b.at < a.end || b.at-a.end > 3 {
		return false
	}
	for _, t := range r.tokens[a.end : b.at+1] {
		if t.breaks || slices.Contains(betweens, t.text) {
			return false
		}
	}
	return !slices.Contains(betweens, r.tokens[a.end-1].text)
}

// betweens are words after which something else is spoken of.
var betweens = []string{"of", "with", "on", "in", "for", "showing", "featuring", "by", "at", "next", "behind", "and", "holding", "above", "a", "an", "the", "de", "von", "sur", "avec"}
