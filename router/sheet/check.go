package sheet

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"image/color"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// check looks at every entry, reading no more of a picture than its header.
func (s *Sheet) check() (*page, error) {
	p := &page{Title: cmp.Or(clean(s.Title), "Contact sheet"), Note: clean(s.Note), ID: clean(s.ID), Command: clean(s.Command), Live: s.Live}
	if l := s.Live; l != nil && (l.Most < 0 || l.Events != "" && !fs.ValidPath(l.Events)) {
		return nil, fmt.Errorf("sheet: live: most is %d and events is %q: it must not be negative, and a relative path without \"..\" or empty", l.Most, short(l.Events, 80))
	}
	keys, err := s.keys()
	if err != nil {
		return nil, err
	}
	number := 0
	var last *entry
	for i, in := range s.Sections {
		sec := &section{
			Number: i + 1,
			ID:     fmt.Sprintf("s%d", i+1),
			Title:  clean(in.Title),
			Prompt: clean(in.Prompt),
		}
		sec.Named = sec.Title != ""
		if !sec.Named {
			sec.Title = "Pictures"
			if len(s.Sections) > 1 {
				sec.Title = fmt.Sprintf("Pictures %d", i+1)
			}
		}
		for j := range in.Entries {
			e, err := in.Entries[j].check(sec.Prompt, j+1)
			if err != nil {
				return nil, fmt.Errorf("sheet: %w", place(sec, j+1, in.Entries[j].Title, err))
			}
			e.Key = keys[number]
			number++
			e.ID = fmt.Sprintf("e%d-%d", i+1, j+1)
			e.View = fmt.Sprintf("p%d-%d", i+1, j+1)
			if e.Shown() {
				if last != nil {
					last.Next, e.Prev = e.View, last.View
				}
				last = e
			}
			p.Remote = p.Remote || e.Linked() && e.Source == e.URL
			p.Beside = p.Beside || e.Linked() && e.Source != e.URL
			p.Waiting = p.Waiting || e.Waiting != ""
			e.Pickable = s.Live != nil && s.Live.Pick != "" && e.Shown() && !e.Flagged
			sec.Entries = append(sec.Entries, e)
		}
		sec.Counts = counts(sec.Entries)
		sec.Shape = shapeOf(sec.Entries)
		sec.Columns = columns(len(sec.Entries))
		p.Sections = append(p.Sections, sec)
	}
	p.Waiting = p.Waiting || s.Live != nil && s.Live.Pick == "" && s.Live.Most > 0
	if p.ID == "" {
		p.ID = p.fingerprint()
	}
	return p, nil
}

// place adds to an error in which section and entry it is.
func place(sec *section, number int, title string, err error) error {
	where := fmt.Sprintf("section %d", sec.Number)
	if sec.Named {
		where += fmt.Sprintf(" (%q)", short(sec.Title, 60))
	}
	where += fmt.Sprintf(", entry %d", number)
	if title != "" {
		where += fmt.Sprintf(" (%q)", short(clean(title), 60))
	}
	return fmt.Errorf("%s: %w", where, err)
}

// Check says what is wrong with an entry, so that a sheet with it cannot be
// written; it reads no more of the picture than its header. A Key is not looked at.
func (e *Entry) Check() error {
	_, err := e.check("", 1)
	return err
}

func (e *Entry) check(prompt string, number int) (*entry, error) {
	out := &entry{
		Title:     cmp.Or(clean(e.Title), clean(e.Endpoint), fmt.Sprintf("Picture %d", number)),
		Prompt:    clean(e.Prompt),
		Price:     clean(e.Price),
		Elapsed:   elapsed(e.Elapsed),
		RequestID: clean(e.RequestID),
		Request:   clean(e.Request),
		Waiting:   clean(e.Waiting),
		Picked:    e.Picked,
		Flagged:   e.Flagged,
		Error:     clean(e.Error),
	}
	if out.Prompt == prompt {
		out.Prompt = ""
	}
	if endpoint := clean(e.Endpoint); endpoint != out.Title {
		out.Endpoint = endpoint
	}
	if e.Seed != nil {
		out.Seed = strconv.FormatUint(*e.Seed, 10)
	}
	for _, r := range e.Reasons {
		if r = clean(r); r != "" {
			out.Reasons = append(out.Reasons, r)
		}
	}
	out.Alt = clean(e.Alt)
	if out.Alt == "" {
		out.Alt = out.Title
		if e.Title != "" || e.Endpoint != "" {
			out.Alt = "Picture by " + out.Title
		}
		if about := cmp.Or(out.Prompt, prompt); about != "" {
			out.Alt += ": " + short(strings.Join(strings.Fields(about), " "), 240)
		}
	}
	if e.Flagged {
		out.Alt = "Flagged by the safety checker, it may be black. " + out.Alt
	}
	if e.URL != "" {
		u, err := url.Parse(e.URL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return nil, fmt.Errorf("the URL %q is no http or https address", short(clean(e.URL), 80))
		}
		out.URL = u.String()
	}
	if e.Width < 0 || e.Height < 0 {
		return nil, fmt.Errorf("the width and height are %d and %d: they must not be negative", e.Width, e.Height)
	}
	if e.File != "" && (!fs.ValidPath(e.File) || e.File == "." || clean(e.File) != e.File) {
		return nil, fmt.Errorf("the file %q is no path beside the page: it must be relative, with slashes and without \"..\"", short(clean(e.File), 80))
	}
	if len(e.Picture) == 0 {
		if out.Error == "" && out.Waiting == "" {
			out.Source = out.URL
			if e.File != "" {
				out.Source = "./" + (&url.URL{Path: e.File}).EscapedPath()
			}
		}
		if e.Width > 0 && e.Height > 0 {
			out.Width, out.Height = e.Width, e.Height
		}
		return out, nil
	}
	mime := http.DetectContentType(e.Picture)
	f, ok := formats[mime]
	if !ok {
		return nil, errors.New("the picture is no PNG, JPEG, WebP or GIF")
	}
	c, err := f.config(bytes.NewReader(e.Picture))
	if err != nil {
		return nil, fmt.Errorf("the header of the picture cannot be read: %w", err)
	}
	if c.Width <= 0 || c.Height <= 0 {
		return nil, fmt.Errorf("the picture has %d×%d pixels", c.Width, c.Height)
	}
	out.picture, out.format = e.Picture, f
	out.MIME, out.Width, out.Height = mime, c.Width, c.Height
	// The header of a GIF does not tell.
	out.Clear = mime == "image/gif" || transparent(c.ColorModel)
	return out, nil
}

// transparent tells whether pictures of a colour model may be transparent.
func transparent(m color.Model) bool {
	if p, ok := m.(color.Palette); ok {
		return slices.ContainsFunc(p, func(c color.Color) bool {
			_, _, _, a := c.RGBA()
			return a != 0xffff
		})
	}
	return m == color.NRGBAModel || m == color.NRGBA64Model || m == color.NYCbCrAModel
}

// shapeOf returns the shape that is nearest to the pictures of a section.
func shapeOf(entries []*entry) shape {
	sum, n := 0.0, 0
	for _, e := range entries {
		if e.Width > 0 {
			sum += math.Log(float64(e.Width) / float64(e.Height))
			n++
		}
	}
	best := shape{1, 1}
	if n == 0 {
		return best
	}
	distance := math.Inf(1)
	for _, s := range shapes {
		if d := math.Abs(math.Log(float64(s.W)/float64(s.H)) - sum/float64(n)); d < distance {
			best, distance = s, d
		}
	}
	return best
}

// columns returns into how many columns n pictures go on a wide page: at most
// 4, with as few gaps in the last row as there can be.
func columns(n int) int {
	switch {
	case n <= 4:
		return max(n, 1)
	case n%4 == 0 || n%3 != 0 && n%4 >= n%3:
		return 4
	}
	return 3
}

// clean makes text fit to be shown: valid UTF-8 without control characters
// other than line breaks and tabs.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return '\uFFFD'
		}
		return r
	}, s))
}

// short returns at most n characters of s, cut between words where it can be.
func short(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	cut := string(r[:n-1])
	if i := strings.LastIndexByte(cut, ' '); i > len(cut)/2 {
		cut = cut[:i]
	}
	return strings.TrimRight(cut, " ,.;:") + "…"
}

// elapsed puts a duration into words.
func elapsed(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < time.Second:
		return fmt.Sprintf("%d ms", max(d.Milliseconds(), 1))
	case d < 59950*time.Millisecond:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%d min %d s", int(d/time.Minute), int(d%time.Minute/time.Second))
}
