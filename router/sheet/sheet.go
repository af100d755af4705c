package sheet

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/image/webp"
)

// Sheet is a contact sheet. The zero Sheet is a page without pictures. Writing
// does not change it, so it may be written several times and by several
// goroutines.
type Sheet struct {
	Title    string    // heading of the whole; empty means "Contact sheet"
	Note     string    // line below the title, such as what it all cost; may be empty
	Sections []Section // shown one below the other
}

// Section is a heading with pictures below it that are to be compared.
type Section struct {
	Title   string  // may be empty
	Prompt  string  // prompt that the entries have in common, in any script; may be empty
	Entries []Entry // shown side by side, in rows
}

// Entry is one picture and what is known about it. Every field may be empty;
// what is empty is not shown.
type Entry struct {
	Title     string        // name of the model, such as "FLUX.2 [pro]"; empty means Endpoint
	Endpoint  string        // such as "fal-ai/flux-2-pro"
	Prompt    string        // prompt of this entry where it differs from that of the section
	Alt       string        // what the picture shows, for who cannot see it; empty means made from the prompt
	Picture   []byte        // PNG, JPEG, WebP or GIF, which the sheet embeds
	URL       string        // http or https address of the original: a link, and the picture itself where Picture and Error are empty
	Price     string        // such as "$0.045"
	Elapsed   time.Duration // how long it took; 0 is not shown
	Seed      *uint64       // nil is not shown
	RequestID string        // fal's name for the request
	Reasons   []string      // why this model was taken, or why it was not
	Picked    bool          // marks the chosen one, by a word and a frame
	Flagged   bool          // marks one that a safety checker flagged, by a word and in Alt
	Error     string        // why there is no picture, or what went wrong although there is one
}

// maxPixels is the largest picture, in pixels, that WritePNG decodes.
const maxPixels = 256 << 20

// format is a picture format that sheets can hold.
type format struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

// formats are the formats by their media type.
var formats = map[string]format{
	"image/png":  {png.DecodeConfig, png.Decode},
	"image/jpeg": {jpeg.DecodeConfig, jpeg.Decode},
	"image/webp": {webp.DecodeConfig, webp.Decode},
	"image/gif":  {gif.DecodeConfig, gif.Decode},
}

// section is a Section that was checked and put into words.
type section struct {
	Number  int // from 1
	ID      string
	Title   string
	Named   bool // whether Title came from the caller
	Prompt  string
	Shape   shape
	Columns int
	Entries []*entry
}

// entry is an Entry that was checked and put into words.
type entry struct {
	ID, View   string // anchors of the entry and of its full-size view
	Prev, Next string // views before and after this one, "" at the ends
	Title      string
	Endpoint   string
	Prompt     string
	Alt        string
	Price      string
	Elapsed    string
	Seed       string
	RequestID  string
	Reasons    []string
	Picked     bool
	Flagged    bool
	Error      string
	URL        string
	Linked     bool // the picture is shown from URL

	MIME          string
	Width, Height int
	Clear         bool // the picture may be transparent somewhere
	picture       []byte
	format        format
}

// Shown tells whether there is a picture, embedded or linked.
func (e *entry) Shown() bool { return e.picture != nil || e.Linked }

// Embedded tells whether the picture is in the sheet.
func (e *entry) Embedded() bool { return e.picture != nil }

// shape is a ratio of width to height that the frames of a section have.
type shape struct{ W, H int }

// shapes has the ratios a section may have, the narrowest first.
var shapes = []shape{{9, 16}, {2, 3}, {3, 4}, {4, 5}, {1, 1}, {5, 4}, {4, 3}, {3, 2}, {16, 9}, {21, 9}}

// page is a Sheet that was checked and put into words.
type page struct {
	Title    string
	Note     string
	Sections []*section
	Linked   bool // some picture is shown from its URL
}

// check looks at every entry, reading no more of a picture than its header.
func (s *Sheet) check() (*page, error) {
	p := &page{Title: cmp.Or(clean(s.Title), "Contact sheet"), Note: clean(s.Note)}
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
			e.ID = fmt.Sprintf("e%d-%d", i+1, j+1)
			e.View = fmt.Sprintf("p%d-%d", i+1, j+1)
			if e.Shown() {
				if last != nil {
					last.Next, e.Prev = e.View, last.View
				}
				last = e
			}
			p.Linked = p.Linked || e.Linked
			sec.Entries = append(sec.Entries, e)
		}
		sec.Shape = shapeOf(sec.Entries)
		sec.Columns = columns(len(sec.Entries))
		p.Sections = append(p.Sections, sec)
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

func (e *Entry) check(prompt string, number int) (*entry, error) {
	out := &entry{
		Title:     cmp.Or(clean(e.Title), clean(e.Endpoint), fmt.Sprintf("Picture %d", number)),
		Prompt:    clean(e.Prompt),
		Price:     clean(e.Price),
		Elapsed:   elapsed(e.Elapsed),
		RequestID: clean(e.RequestID),
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
	if len(e.Picture) == 0 {
		out.Linked = out.URL != "" && out.Error == ""
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
		if e.Embedded() {
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
