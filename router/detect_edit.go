package router

import (
	"slices"
)

// edits are the kinds of editing that words tell, the surest first: who wants the
// text changed and all else kept wants the text changed. A kind is told by a phrase
// of its list, or by a word for what is done and one for what it is done to, which
// are few words apart.
var edits = []struct {
	fact     fact
	list     string
	do, what string
	apart    int // words between them, at most
}{
	{fact: tryOn, list: "edit-try-on", do: "do-wear", what: "garment", apart: 3},
	{fact: extend, list: "edit-extend", do: "do-extend", what: "frame", apart: 3},
	{fact: cutout, list: "edit-cutout", do: "edit-remove", what: "backdrop", apart: 1},
	{fact: textEdit, list: "edit-text", do: "do-change", what: "wording", apart: 4},
	{fact: textEdit, do: "wording", what: "must", apart: 3},
	{fact: background, list: "edit-background", do: "do-replace", what: "backdrop", apart: 5},
	{fact: background, do: "backdrop", what: "must", apart: 2},
	{fact: remove, list: "edit-remove"},
	{fact: relight, list: "edit-relight", do: "do-replace", what: "light", apart: 3},
	{fact: style, list: "edit-style", do: "do-become", what: "illustration", apart: 3},
	{fact: style, do: "do-become", what: "illustration?", apart: 3},
	{fact: style, do: "do-become", what: "comic", apart: 3},
	{fact: angle, list: "edit-angle", do: "do-turn", what: "camera", apart: 4},
	{fact: inContext, list: "edit-in-context", do: "do-keep", what: "identity", apart: 3},
	{fact: background, list: "edit-background?"},
}

// understandEdit finds out what is done with the pictures.
func (u *understanding) understandEdit(t *Task, r *reading) {
	if f, ok := editFacts[t.Edit]; ok {
		u.add(f, given)
		return
	}
	if len(t.Pictures) == 0 {
		return
	}
	for _, e := range edits {
		if e.fact == tryOn && len(t.Pictures) < 2 { // there is no picture of a garment
			continue
		}
		w := r.first(e.list)
		if w == "" && e.do != "" {
			w = r.done(e.do, e.what, e.apart)
		}
		if w != "" {
			u.add(e.fact, says(w))
			return
		}
	}
	for i := range r.quotes {
		q := &r.quotes[i]
		changed := slices.ContainsFunc(within(r.hits, q.at-1, q.at), func(h hit) bool { return h.list == "do-change" })
		if changed || r.lettering(q, false) {
			u.add(textEdit, "the prompt quotes it: "+q.text)
			return
		}
	}
}

// done returns a word for what is done and one for what it is done to, or "". In
// English the former comes first, in other languages either may.
func (r *reading) done(do, what string, apart int) string {
	for i := range r.hits {
		d := &r.hits[i]
		if d.list != do {
			continue
		}
		for _, w := range within(r.hits, d.at-apart-longestPhrase, d.end+apart+1) {
			first, second := d, &w
			if w.at < d.at {
				if d.language == "en" {
					continue
				}
				first, second = &w, d
			}
			if w.list == what && second.at-first.end <= apart && (w.at != d.at || w.from != d.from) && !r.breaksBetween(first.end, second.at) && !r.elsewhere(first.end, &w) {
				return first.text + " … " + second.text
			}
		}
	}
	return ""
}

// elsewhere reports whether a word in English is only where something else is, as in
// "make the man in the background smile".
func (r *reading) elsewhere(from int, what *hit) bool {
	return what.list == "backdrop" && what.language == "en" && from < what.at && slices.ContainsFunc(r.tokens[from:what.at], func(t token) bool {
		return t.text == "in" || t.text == "on" || t.text == "from" || t.text == "behind"
	})
}

// breaksBetween reports whether a comma or the like stands before a token from one
// up to another.
func (r *reading) breaksBetween(from, to int) bool {
	return to >= from && slices.ContainsFunc(r.tokens[from:min(to+1, len(r.tokens))], func(t token) bool { return t.breaks })
}
