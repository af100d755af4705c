package router

import (
	"math"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/internal/refs"
)

// prompts are the forms of a task's prompt.
type prompts struct {
	json     string // for models that read JSON; "" if the task has no structured prompt
	prose    string // with @image1 where the task has it
	numbered string // with "image 1" instead
	turned   string // prose with the camera angle in words, or ""
}

// newPrompts writes the prompt in the forms that the models want. Colours of
// the task and text that the prompt lacks are added to it.
func newPrompts(t *Task) prompts {
	var p prompts
	if t.Structured != nil {
		s := *t.Structured
		if len(t.Colors) > 0 {
			s.ColorPalette = append(append([]flux.Color(nil), s.ColorPalette...), t.Colors...)
		}
		p.prose = withText(s.Prose(), t.Text)
		s.Text = append(append([]string(nil), s.Text...), missing(s.Prose(), t.Text)...)
		p.json = s.Prompt()
	} else {
		p.prose = withText(t.Prompt, t.Text)
		if palette := "Color palette: " + phrases(t.Colors); len(t.Colors) > 0 && !strings.Contains(p.prose, palette) {
			p.prose = sentence(p.prose, palette)
		}
	}
	p.numbered = numberedMentions(p.prose)
	if t.Edit == EditAngle {
		p.turned = sentence(p.prose, t.Angle.words())
	}
	return p
}

// Prose returns the prompt as a person reads it: a structured one in sentences,
// and the colours and text of the task where the prompt lacks them.
func (t *Task) Prose() string { return newPrompts(t).prose }

// of returns the form for a model.
func (p *prompts) of(m *model) string {
	switch {
	case p.turned != "" && m.task == "edit":
		if m.has&hasMentions == 0 {
			return numberedMentions(p.turned)
		}
		return p.turned
	case p.json != "" && m.readsJSON():
		return p.json
	case m.has&hasMentions != 0:
		return p.prose
	default:
		return p.numbered
	}
}

// words says where the camera goes.
func (a Angle) words() string {
	sides := [...]string{"the front", "the front right", "the right", "the back right", "the back", "the back left", "the left", "the front left"}
	side := int(math.Round(math.Mod(float64(a.Direction), 360)/45)) % len(sides)
	text := "Show the same scene with the camera at " + sides[(side+len(sides))%len(sides)] + " of the subject"
	switch {
	case a.Height < -10:
		text += ", from below"
	case a.Height > 75:
		text += ", straight from above"
	case a.Height > 15:
		text += ", from above"
	default:
		text += ", at eye level"
	}
	if a.Distance != nil {
		switch {
		case *a.Distance <= 2:
			text += ", as a wide shot"
		case *a.Distance >= 8:
			text += ", as a close-up"
		}
	}
	return text
}

// missing returns the texts that the prompt does not have.
func missing(prompt string, texts []string) []string {
	var out []string
	for _, s := range texts {
		if !strings.Contains(prompt, s) {
			out = append(out, s)
		}
	}
	return out
}

// withText adds the texts that the prompt lacks.
func withText(prompt string, texts []string) string {
	for _, s := range missing(prompt, texts) {
		prompt = sentence(prompt, "The text \""+s+"\" is written in the picture")
	}
	return prompt
}

// sentence adds a sentence to a prompt.
func sentence(prompt, s string) string {
	prompt = strings.TrimRight(prompt, " \n\t")
	switch {
	case prompt == "":
		return s + "."
	case strings.ContainsAny(prompt[len(prompt)-1:], ".!?"):
		return prompt + " " + s + "."
	}
	return prompt + ". " + s + "."
}

// phrases returns exact colours with the words that make models read them.
func phrases(list []flux.Color) string {
	words := make([]string, len(list))
	for i, c := range list {
		words[i] = c.Phrase()
	}
	return strings.Join(words, ", ")
}

// mentioned returns the largest number n of @imagen in the prompt.
func mentioned(s string) int {
	most := 0
	for n := range refs.All(s) {
		most = max(most, n)
	}
	return most
}

// numberedMentions writes "image 1" for @image1, as models want it that do not
// know the sign.
func numberedMentions(s string) string {
	var b strings.Builder
	last := 0
	for n, span := range refs.All(s) {
		b.WriteString(s[last:span[0]])
		b.WriteString("image " + strconv.Itoa(n))
		last = span[1]
	}
	if last == 0 {
		return s
	}
	b.WriteString(s[last:])
	return b.String()
}
