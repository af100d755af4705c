package faltest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/internal/catalog"
)

// megapixel is what fal charges for as one: 1024 by 1024 pixels.
const megapixel = 1 << 20

// megapixels rounds the area of one picture up to whole megapixels.
func megapixels(width, height int) int {
	return max(1, (width*height+megapixel-1)/megapixel)
}

// work is what a request made the model do, as far as it is billed.
type work struct {
	outputs       int
	width, height int
	inputs        [][2]int // width and height
	steps         int
	seconds       float64
}

// units returns what fal reports in x-fal-billable-units, as a decimal. What a
// unit is, is written down for each kind of endpoint in the platform's prices;
// that the header counts in the same units is unconfirmed.
func units(e *catalog.Endpoint, w work) string {
	id := e.ID
	out := w.outputs * megapixels(w.width, w.height)
	switch {
	case e.Task == "train":
		return strconv.Itoa(w.steps)
	case e.Output == "layers":
		return "1" // by request
	case e.Price == "second":
		return strconv.FormatFloat(max(w.seconds, 0.1), 'f', -1, 64)
	case strings.HasPrefix(id, "fal-ai/flux-2-pro"):
		// The unit is the price of the first megapixel, $0.03; each further
		// one, of input or output, costs $0.015.
		return tiered(out+areas(w.inputs), 15, 30)
	case strings.HasPrefix(id, "fal-ai/flux-2-max"):
		return tiered(out+areas(w.inputs), 30, 70) // $0.07 and $0.03
	case strings.HasPrefix(id, "fal-ai/flux-2-flex"):
		return strconv.Itoa(out + areas(w.inputs))
	case strings.Contains(id, "kontext") && strings.HasPrefix(id, "fal-ai/flux-pro/"), strings.Contains(id, "-ultra") && !strings.HasSuffix(id, "/redux"),
		strings.HasPrefix(id, "fal-ai/qwen-image-2/"), strings.HasPrefix(id, "fal-ai/qwen-image-max/"):
		return strconv.Itoa(w.outputs)
	case strings.HasPrefix(id, "fal-ai/flux-2/") || strings.HasPrefix(id, "fal-ai/flux-2-lora-gallery/"):
		return strconv.Itoa(out + len(w.inputs)) // each input counts as one
	}
	return strconv.Itoa(out)
}

func areas(pictures [][2]int) int {
	n := 0
	for _, p := range pictures {
		n += min(megapixels(p[0], p[1]), 4) // larger ones are reduced to 4
	}
	return n
}

// tiered returns 1 for the first of n megapixels and extra/first for each
// other one, to the 8 decimal places that fal sends.
func tiered(n, extra, first int) string {
	const one int64 = 100_000_000
	total := one + (int64((n-1)*extra)*one+int64(first/2))/int64(first)
	text := fmt.Sprintf("%d.%08d", total/one, total%one)
	return strings.TrimRight(strings.TrimRight(text, "0"), ".")
}
