package router

import (
	"strings"

	"github.com/falimage/falimage-go/fal/schema"
)

// unreached says why no task is routed to a model, or "" if one may be.
func unreached(m *model) string {
	switch {
	case m.request != nil:
		return ""
	case m.task == "realtime":
		return "needs a realtime session, which package realtime holds: there is no request to route"
	case strings.Contains(m.Endpoint, "differential-diffusion"):
		return "needs a map of how much each place is to change, which no task has"
	case strings.Contains(m.Endpoint, "finetuned"):
		return "needs the id of a fine-tune of an account, which no task has"
	}
	return "needs what no task has"
}

// spells reports whether the task names the model by its type or id, and not a
// family or a package that it is of.
func (t *Task) spells(m *model) bool {
	for _, name := range t.Only {
		if name == m.Endpoint || strings.EqualFold(name, m.Name) {
			return true
		}
	}
	return false
}

// extension returns by how many pixels the first picture is made wider and
// higher, to have the size or the aspect ratio that the task asks for.
func (t *Task) extension() (wider, higher int) {
	if len(t.Pictures) == 0 || t.Size == "" && t.Aspect == "" {
		return 0, 0
	}
	p := t.Pictures[0]
	if width, height, ok := t.Size.Dimensions(); ok {
		return width - p.Width, height - p.Height
	}
	w, h, err := parseAspect(t.Aspect)
	if err != nil || p.Width == 0 || p.Width > schema.MaxSide || p.Height > schema.MaxSide {
		return 0, 0
	}
	if width := p.Height * w / h; width > p.Width {
		return width - p.Width, 0
	}
	return 0, p.Width*h/w - p.Height
}

// extends reports whether a model that extends pictures by pixels can do what
// the task asks for: the picture must be known, and grow.
func (r *route) extends() bool {
	wider, higher := r.asked.left+r.asked.right, r.asked.top+r.asked.bottom
	return len(r.task.Pictures) > 0 && r.task.Pictures[0].Width > 0 && wider >= 0 && higher >= 0 && wider+higher > 0
}

// serves reports whether a model is made for the task. That a picture is to be extended
// may be said in words.
func (r *route) serves(m *model) bool {
	return m.serves(r.task) || m.task == "outpaint" && r.task.Edit == "" && r.known.facts.has(extend)
}
