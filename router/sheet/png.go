package sheet

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"slices"
	"strings"

	"golang.org/x/image/draw"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/vector"

	"github.com/falimage/falimage-go/internal/typeface"
)

// ErrTooTall is in the error of [Sheet.WritePNG] for a sheet that would be
// taller than [MaxPNGHeight].
var ErrTooTall = errors.New("the sheet is too tall for one picture: split its sections among several sheets, or write it as a web page")

// MaxPNGHeight is the largest height, in pixels, of what [Sheet.WritePNG]
// writes. Some twenty rows of pictures fit.
const MaxPNGHeight = 16384

// Measures of the picture, in pixels.
const (
	margin     = 64  // around everything
	cellWidth  = 480 // of an entry and the picture in it
	cellGap    = 48  // between entries
	pad        = 24  // inside a cell without a picture
	minColumns = 2   // so that there is room for the title
)

// Colours of the picture: those of the page on light paper.
var (
	paperColor  = color.RGBA{0xf6, 0xf5, 0xf2, 0xff}
	inkColor    = color.RGBA{0x1c, 0x1b, 0x19, 0xff}
	softColor   = color.RGBA{0x5b, 0x58, 0x50, 0xff}
	lineColor   = color.RGBA{0xdc, 0xd9, 0xd1, 0xff}
	matColor    = color.RGBA{0xe8, 0xe6, 0xe0, 0xff}
	checkColor  = color.RGBA{0xd3, 0xd0, 0xc8, 0xff}
	accentColor = color.RGBA{0x17, 0x60, 0x3f, 0xff}
	errorColor  = color.RGBA{0x9c, 0x24, 0x17, 0xff}
	whiteColor  = color.RGBA{0xff, 0xff, 0xff, 0xff}
)

// WritePNG writes the sheet as one PNG picture, up to 2192 pixels wide and as
// high as it takes.
//
// Pictures are scaled down to cells 480 pixels wide, never up. Of the prompt of
// a section the first 16 lines are shown, of that of an entry and of an error
// the first 6, of each reason the first 3. An entry that has no picture but a
// URL gets a cell that says where its picture is. The package comment tells
// what happens to letters the font lacks.
//
// One picture is decoded at a time, so WritePNG takes up to 500 MB of memory for
// the largest of sheets, and what the largest picture takes when it is decoded.
//
// A picture that is damaged or has more than 268,435,456 pixels is an error that
// names the section and the entry, as is everything that [Sheet.WriteHTML]
// refuses. A sheet higher than [MaxPNGHeight] is [ErrTooTall]. After such an
// error nothing was written.
func (s *Sheet) WritePNG(w io.Writer) error {
	p, err := s.check()
	if err != nil {
		return err
	}
	var fonts []*opentype.Font
	for i, data := range s.Fonts {
		f, err := typeface.Parse(data)
		if err != nil {
			return fmt.Errorf("sheet: font %d cannot be read: it must be TrueType, OpenType or a collection of them: %w", i+1, err)
		}
		fonts = append(fonts, f...)
	}
	b := layOut(p, newFaces(fonts))
	if b.y > MaxPNGHeight {
		return fmt.Errorf("sheet: %w (it has %d pixels, and %d are allowed)", ErrTooTall, b.y, MaxPNGHeight)
	}
	dst := image.NewRGBA(image.Rect(0, 0, b.width, b.y))
	fill(dst, dst.Rect, paperColor)
	for _, draw := range b.ops {
		if err := draw(dst); err != nil {
			return fmt.Errorf("sheet: %w", err)
		}
	}
	// Photographs hardly shrink by more effort, which takes many times as long.
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := enc.Encode(w, dst); err != nil {
		return fmt.Errorf("sheet: writing the picture: %w", err)
	}
	return nil
}

// faces has a face for each kind of text.
type faces struct {
	title, heading, bold, body, small, badge *typeface.Face
}

func newFaces(fonts []*opentype.Font) *faces {
	return &faces{
		title:   typeface.New(true, 44, fonts...),
		heading: typeface.New(true, 30, fonts...),
		bold:    typeface.New(true, 23, fonts...),
		body:    typeface.New(false, 21, fonts...),
		small:   typeface.New(false, 18, fonts...),
		badge:   typeface.New(true, 17, fonts...),
	}
}

// board is where things go. Its height is known once everything was placed.
type board struct {
	f     *faces
	width int
	y     int // where the next thing goes
	ops   []func(*image.RGBA) error
}

func layOut(p *page, f *faces) *board {
	n := minColumns
	for _, s := range p.Sections {
		n = max(n, s.Columns)
	}
	b := &board{f: f, y: margin, width: 2*margin + n*cellWidth + (n-1)*cellGap}
	b.y = b.write(margin, b.y, b.width-2*margin, f.title, inkColor, 3, p.Title)
	if p.Note != "" {
		b.y = b.write(margin, b.y+8, b.width-2*margin, f.body, softColor, 3, p.Note)
	}
	b.y += 28
	b.box(image.Rect(margin, b.y, b.width-margin, b.y+2), lineColor)
	for _, s := range p.Sections {
		b.y += 48
		b.section(s)
	}
	b.y += margin
	return b
}

func (b *board) section(s *section) {
	width := b.width - 2*margin
	if s.Named {
		b.y = b.write(margin, b.y, width, b.f.heading, inkColor, 3, s.Title) + 12
	}
	if s.Prompt != "" {
		top := b.y
		b.y = b.write(margin+24, b.y, min(width-24, 1100), b.f.body, softColor, 16, s.Prompt)
		b.box(image.Rect(margin, top, margin+5, b.y), lineColor)
		b.y += 28
	}
	height := cellWidth * s.Shape.H / s.Shape.W
	number := 0
	for row := range slices.Chunk(s.Entries, s.Columns) {
		if number > 0 {
			b.y += cellGap
		}
		bottom := b.y
		for i, e := range row {
			number++
			x := margin + i*(cellWidth+cellGap)
			b.picture(image.Rect(x, b.y, x+cellWidth, b.y+height), s, number, e)
			bottom = max(bottom, b.caption(x, b.y+height+20, e))
		}
		b.y = bottom
	}
}

// picture places the picture of an entry, or what is there in its stead.
func (b *board) picture(r image.Rectangle, s *section, number int, e *entry) {
	b.box(r, matColor)
	y := r.Min.Y + pad + 28 // below the number
	switch {
	case e.Embedded():
		b.ops = append(b.ops, func(dst *image.RGBA) error {
			if err := paint(dst, r, e); err != nil {
				return place(s, number, e.Title, err)
			}
			return nil
		})
	case e.Linked():
		y = b.write(r.Min.X+pad, y, r.Dx()-2*pad, b.f.bold, softColor, 1, "The picture is at")
		b.write(r.Min.X+pad, y+4, r.Dx()-2*pad, b.f.small, softColor, max((r.Max.Y-pad-y-4)/b.f.small.Line, 1), strings.TrimPrefix(e.Source, "./"))
	case e.Waiting != "":
		y = b.write(r.Min.X+pad, y, r.Dx()-2*pad, b.f.bold, softColor, 1, "Not there yet")
		b.write(r.Min.X+pad, y+4, r.Dx()-2*pad, b.f.small, softColor, 6, e.Waiting)
	default:
		y = b.write(r.Min.X+pad, y, r.Dx()-2*pad, b.f.bold, softColor, 1, "No picture")
		y = b.write(r.Min.X+pad, y+4, r.Dx()-2*pad, b.f.small, errorColor, min(max((r.Max.Y-pad-y-4)/b.f.small.Line, 1), 6), e.Error)
		if left := (r.Max.Y - pad - y - 4) / b.f.small.Line; left > 0 {
			b.write(r.Min.X+pad, y+4, r.Dx()-2*pad, b.f.small, softColor, left, e.URL)
		}
	}
	b.number(r, e.Key)
	if e.Flagged {
		b.frame(r, errorColor)
	} else if e.Picked {
		b.frame(r, accentColor)
	}
}

// number places what a picture is called into its corner.
func (b *board) number(r image.Rectangle, key string) {
	const gap, height, ends = 12, 28, 11
	for _, line := range b.f.badge.Wrap(key, r.Dx()-2*gap-2*ends, 1) {
		width := max(b.f.badge.Width(line)+2*ends, height)
		at := image.Rect(r.Min.X+gap, r.Min.Y+gap, r.Min.X+gap+width, r.Min.Y+gap+height)
		b.ops = append(b.ops, func(dst *image.RGBA) error {
			pill(dst, at, inkColor)
			return nil
		})
		b.write(at.Min.X+(width-b.f.badge.Width(line))/2, at.Min.Y+(height-b.f.badge.Line)/2+1, width, b.f.badge, whiteColor, 1, line)
	}
}

// frame places a frame around a picture.
func (b *board) frame(r image.Rectangle, c color.RGBA) {
	const gap, wide = 6, 5
	o := r.Inset(-gap - wide)
	b.box(image.Rect(o.Min.X, o.Min.Y, o.Max.X, o.Min.Y+wide), c)
	b.box(image.Rect(o.Min.X, o.Max.Y-wide, o.Max.X, o.Max.Y), c)
	b.box(image.Rect(o.Min.X, o.Min.Y+wide, o.Min.X+wide, o.Max.Y-wide), c)
	b.box(image.Rect(o.Max.X-wide, o.Min.Y+wide, o.Max.X, o.Max.Y-wide), c)
}

// caption places what is below a picture and returns where that ends.
func (b *board) caption(x, y int, e *entry) int {
	room := cellWidth
	if e.Picked {
		room -= b.badge(x+room, y, "Picked", accentColor) + 12
	}
	if e.Flagged {
		room -= b.badge(x+room, y, "Flagged", errorColor) + 12
	}
	y = b.write(x, y, room, b.f.bold, inkColor, 3, e.Title)
	y = b.write(x, y, cellWidth, b.f.small, softColor, 2, e.Endpoint)
	if e.Shown() && e.Error != "" {
		y = b.write(x, y+6, cellWidth, b.f.small, errorColor, 6, e.Error)
	}
	if e.Prompt != "" {
		y = b.write(x, y+6, cellWidth, b.f.small, softColor, 6, e.Prompt)
	}
	var facts []string
	for _, fact := range []string{e.Price, e.Elapsed, size(e)} {
		if fact != "" {
			facts = append(facts, fact)
		}
	}
	y += 6
	y = b.write(x, y, cellWidth, b.f.body, inkColor, 2, strings.Join(facts, "  ·  "))
	if e.Seed != "" {
		y = b.write(x, y, cellWidth, b.f.small, softColor, 1, "Seed "+e.Seed)
	}
	if e.RequestID != "" {
		y = b.write(x, y, cellWidth, b.f.small, softColor, 2, "Request "+e.RequestID)
	}
	for _, r := range e.Reasons {
		y = b.write(x, y+4, cellWidth, b.f.small, softColor, 3, "• "+r)
	}
	return y
}

func size(e *entry) string {
	if e.Width == 0 {
		return ""
	}
	return fmt.Sprintf("%d × %d", e.Width, e.Height)
}

// badge places a mark so that it ends at x, a tick and a word or, on another
// ground, an exclamation mark and a word, and returns how wide it is.
func (b *board) badge(x, y int, text string, ground color.RGBA) int {
	const height, tick = 30, 34
	width := tick + b.f.badge.Width(text) + 14
	x -= width
	r := image.Rect(x, y, x+width, y+height)
	b.ops = append(b.ops, func(dst *image.RGBA) error {
		pill(dst, r, ground)
		left, top := float32(x), float32(y)
		if ground == accentColor {
			stroke(dst, whiteColor, 1.6, [][2]float32{{left + 13, top + 15.5}, {left + 18, top + 20.5}, {left + 27, top + 9.5}})
			return nil
		}
		stroke(dst, whiteColor, 1.6, [][2]float32{{left + 20, top + 7}, {left + 20, top + 17}})
		stroke(dst, whiteColor, 1.6, [][2]float32{{left + 20, top + 20}, {left + 20, top + 23}})
		return nil
	})
	b.write(x+tick, y+(height-b.f.badge.Line)/2+1, width, b.f.badge, whiteColor, 1, text)
	return width
}

// write places text in lines of a width and returns where it ends.
func (b *board) write(x, y, width int, t *typeface.Face, c color.RGBA, lines int, text string) int {
	if text == "" {
		return y
	}
	for _, line := range t.Wrap(text, width, lines) {
		baseline := y + t.Ascent
		b.ops = append(b.ops, func(dst *image.RGBA) error {
			t.Draw(dst, x, baseline, c, line)
			return nil
		})
		y += t.Line
	}
	return y
}

// box places a filled rectangle.
func (b *board) box(r image.Rectangle, c color.RGBA) {
	b.ops = append(b.ops, func(dst *image.RGBA) error {
		fill(dst, r, c)
		return nil
	})
}

func fill(dst *image.RGBA, r image.Rectangle, c color.RGBA) {
	draw.Draw(dst, r, image.NewUniform(c), image.Point{}, draw.Src)
}

// paint decodes a picture and draws it into the middle of r.
func paint(dst *image.RGBA, r image.Rectangle, e *entry) error {
	if int64(e.Width)*int64(e.Height) > maxPixels {
		return fmt.Errorf("the picture has %d×%d pixels, which is more than %d: scale it down, or leave it out",
			e.Width, e.Height, maxPixels)
	}
	src, err := e.format.decode(bytes.NewReader(e.picture))
	if err != nil {
		return fmt.Errorf("the picture cannot be decoded: %w", err)
	}
	b := src.Bounds()
	if b.Empty() {
		return errors.New("the picture is empty")
	}
	scale := min(float64(r.Dx())/float64(b.Dx()), float64(r.Dy())/float64(b.Dy()), 1)
	w := max(int(math.Round(float64(b.Dx())*scale)), 1)
	h := max(int(math.Round(float64(b.Dy())*scale)), 1)
	at := image.Rect(0, 0, w, h).Add(r.Min).Add(image.Pt((r.Dx()-w)/2, (r.Dy()-h)/2))
	if o, ok := src.(interface{ Opaque() bool }); !ok || !o.Opaque() {
		checker(dst, at)
	}
	// CatmullRom needs 32 bytes for each column of the result and row of the source.
	var scaler draw.Interpolator = draw.CatmullRom
	if int64(w)*int64(b.Dy())*32 > 256<<20 {
		scaler = draw.ApproxBiLinear
	}
	scaler.Scale(dst, at, src, b, draw.Over, nil)
	return nil
}

// checker draws the ground on which transparency is seen.
func checker(dst *image.RGBA, r image.Rectangle) {
	const side = 12
	fill(dst, r, matColor)
	for y := 0; y < r.Dy(); y += side {
		for x := y / side % 2 * side; x < r.Dx(); x += 2 * side {
			fill(dst, image.Rect(x, y, x+side, y+side).Add(r.Min).Intersect(r), checkColor)
		}
	}
}

// pill draws a rectangle with round ends.
func pill(dst *image.RGBA, r image.Rectangle, c color.RGBA) {
	w, h := float32(r.Dx()), float32(r.Dy())
	const k = 0.5523 // by which a cubic curve comes near to a quarter of a circle
	q := h / 2
	z := vector.NewRasterizer(r.Dx(), r.Dy())
	z.MoveTo(q, 0)
	z.LineTo(w-q, 0)
	z.CubeTo(w-q+k*q, 0, w, q-k*q, w, q)
	z.CubeTo(w, q+k*q, w-q+k*q, h, w-q, h)
	z.LineTo(q, h)
	z.CubeTo(q-k*q, h, 0, q+k*q, 0, q)
	z.CubeTo(0, q-k*q, q-k*q, 0, q, 0)
	z.ClosePath()
	z.Draw(dst, r, image.NewUniform(c), image.Point{})
}

// stroke draws a line through points, of half the width given.
func stroke(dst *image.RGBA, c color.RGBA, half float32, points [][2]float32) {
	x0, y0 := int(points[0][0])-8, int(points[0][1])-16
	z := vector.NewRasterizer(40, 40)
	for i := 1; i < len(points); i++ {
		ax, ay := points[i-1][0]-float32(x0), points[i-1][1]-float32(y0)
		bx, by := points[i][0]-float32(x0), points[i][1]-float32(y0)
		d := float32(math.Hypot(float64(bx-ax), float64(by-ay)))
		ux, uy := (bx-ax)/d*half, (by-ay)/d*half
		z.MoveTo(ax-ux-uy, ay-uy+ux)
		z.LineTo(bx+ux-uy, by+uy+ux)
		z.LineTo(bx+ux+uy, by+uy-ux)
		z.LineTo(ax-ux+uy, ay-uy-ux)
		z.ClosePath()
	}
	z.Draw(dst, image.Rect(x0, y0, x0+40, y0+40), image.NewUniform(c), image.Point{})
}
