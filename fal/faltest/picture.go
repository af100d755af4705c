package faltest

import (
	"bytes"
	"encoding/hex"
	"hash/fnv"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"regexp"
	"strconv"

	"github.com/HugoSmits86/nativewebp"

	"github.com/falimage/falimage-go/internal/typeface"
)

// picture is a picture to be drawn: always the same for the same values, on every
// machine. (Products are converted to float64 before something is added: some
// machines would else round both at once.)
type picture struct {
	width, height    int
	format           string
	seed             uint64
	endpoint, prompt string
	black            bool // as the safety checker leaves it
	layer, layers    int  // of a picture taken apart; 0 for a whole one
}

// encode draws the picture and encodes it in its format.
func (p picture) encode() []byte {
	m := p.draw()
	var b bytes.Buffer
	var err error
	switch p.format {
	case "jpeg":
		err = jpeg.Encode(&b, m, &jpeg.Options{Quality: 88})
	case "webp":
		err = nativewebp.Encode(&b, m, nil)
	default:
		err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, m)
	}
	if err != nil {
		panic("faltest: " + err.Error()) // a buffer takes everything
	}
	return b.Bytes()
}

func (p picture) draw() *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, p.width, p.height))
	if p.black {
		draw.Draw(m, m.Bounds(), image.Black, image.Point{}, draw.Src)
		return m
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(p.endpoint + "\x00" + p.prompt))
	random := rand.New(rand.NewPCG(p.seed, h.Sum64()))
	colors := p.palette(random)
	if p.layer <= 1 {
		gradient(m, colors[0], colors[1])
	}
	for i := range 7 {
		// The layers of a picture share its shapes among them.
		if x, y, r := random.Float64(), random.Float64(), random.Float64(); p.layers == 0 || p.layer == 2+i%max(p.layers-1, 1) {
			disc(m, x, y, 0.06+float64(r*0.24), colors[2+i%(len(colors)-2)])
		}
	}
	if p.layers == 0 || p.layer == p.layers {
		p.caption(m)
	}
	return m
}

var hexColor = regexp.MustCompile(`#[0-9a-fA-F]{6}\b`)

// palette returns at least three colours: those the prompt names, and others
// that go with them.
func (p picture) palette(random *rand.Rand) []color.NRGBA {
	var colors []color.NRGBA
	for _, code := range hexColor.FindAllString(p.prompt, 6) {
		if rgb, err := hex.DecodeString(code[1:]); err == nil {
			colors = append(colors, color.NRGBA{rgb[0], rgb[1], rgb[2], 255})
		}
	}
	hue := random.Float64()
	for wanted := max(5, len(colors)+1); len(colors) < wanted; {
		colors = append(colors, pastel(hue+float64(float64(len(colors))*0.13)))
	}
	return colors
}

// pastel returns a soft colour of the hue, which is taken modulo 1.
func pastel(hue float64) color.NRGBA {
	channel := func(shift float64) uint8 {
		t := hue + shift
		t -= float64(int(t))
		if t > 0.5 {
			t = 1 - t
		}
		return uint8(90 + float64(2*t*130)) // from 90 to 220
	}
	return color.NRGBA{channel(0), channel(1.0 / 3), channel(2.0 / 3), 255}
}

// gradient fills the picture from top to bottom.
func gradient(m *image.NRGBA, from, to color.NRGBA) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	for y := range h {
		mix := func(a, b uint8) uint8 { return uint8((int(a)*(h-y) + int(b)*y) / h) }
		row := m.Pix[y*m.Stride : y*m.Stride+4*w]
		copy(row, []uint8{mix(from.R, to.R), mix(from.G, to.G), mix(from.B, to.B), 255})
		for n := 4; n < len(row); n *= 2 {
			copy(row[n:], row[:n])
		}
	}
}

// disc draws a filled circle. Position and radius are parts of the picture.
func disc(m *image.NRGBA, x, y, r float64, c color.NRGBA) {
	w, h := float64(m.Rect.Dx()), float64(m.Rect.Dy())
	centerX, centerY, radius := int(x*w), int(y*h), int(r*min(w, h))
	for py := max(0, centerY-radius); py < min(m.Rect.Dy(), centerY+radius); py++ {
		dy := py - centerY
		half := isqrt(radius*radius - dy*dy)
		left, right := max(0, centerX-half), min(m.Rect.Dx(), centerX+half)
		for px := left; px < right; px++ {
			i := m.PixOffset(px, py)
			m.Pix[i], m.Pix[i+1], m.Pix[i+2], m.Pix[i+3] = c.R, c.G, c.B, 255
		}
	}
}

func isqrt(n int) int {
	if n <= 0 {
		return 0
	}
	x := n
	for next := (x + 1) / 2; next < x; next = (x + n/x) / 2 {
		x = next
	}
	return x
}

// caption writes SIMULATED, the prompt, the endpoint and the seed on a band at
// the foot of the picture, as far as there is room.
func (p picture) caption(m *image.NRGBA) {
	size := float64(min(p.width, p.height)) / 28
	if size < 5 {
		return // nobody could read it
	}
	big, small := typeface.New(true, size*1.6), typeface.New(false, size)
	pad := int(size)
	step := int(size * 1.3)
	text := small.Wrap(p.prompt, p.width-2*pad, max(1, (p.height/3-3*step)/step))
	foot := p.endpoint + "  seed " + strconv.FormatUint(p.seed, 10)
	if p.layers > 0 {
		foot += "  layer " + strconv.Itoa(p.layer) + " of " + strconv.Itoa(p.layers)
	}
	text = append(text, foot)
	top := p.height - step*(len(text)+2) - pad
	band := image.Rect(0, max(top, 0), p.width, p.height)
	draw.Draw(m, band, image.NewUniform(color.NRGBA{16, 18, 24, 200}), image.Point{}, draw.Over)
	if p.layers > 0 {
		draw.Draw(m, band, image.NewUniform(color.NRGBA{16, 18, 24, 255}), image.Point{}, draw.Src)
	}
	y := top + int(size*1.9)
	big.Draw(m, pad, y, color.White, "SIMULATED")
	for i, line := range text {
		shade := color.Gray{230}
		if i == len(text)-1 {
			shade = color.Gray{160}
		}
		y += step
		small.Draw(m, pad, y, shade, line)
	}
}
