package faltest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/falimage/falimage-go/fal/schema"
	"github.com/falimage/falimage-go/internal/catalog"
)

// megapixel is what fal charges for as one: 1024 by 1024 pixels.
const megapixel int64 = schema.Megapixel

// megapixels rounds an area up to whole megapixels.
func megapixels(area int64) int64 { return max(1, (area+megapixel-1)/megapixel) }

// work is what a request made the model do, as far as it is billed.
type work struct {
	outputs    int64
	area       int64    // of each output, in pixels
	inputs     [][2]int // width and height
	steps      int64    // of a training run
	references int64    // of each pair of a training set
	seconds    time.Duration
}

// one is one unit. Units are counted in hundred-millionths, which is as much
// as fal tells.
const one int64 = 100_000_000

// minSteps are billed at least, by trainer. The minimum charge in dollars that
// trainers have is the price of these.
var minSteps = map[string]int64{
	"fal-ai/flux-kontext-trainer":         500,
	"fal-ai/flux-lora-portrait-trainer":   1000,
	"fal-ai/qwen-image-2512-trainer":      500,
	"fal-ai/qwen-image-2512-trainer-v2":   500,
	"fal-ai/qwen-image-edit-2509-trainer": 100,
	"fal-ai/qwen-image-edit-trainer":      100,
	"fal-ai/qwen-image-trainer":           250,
	"fal-ai/qwen-image-trainer-v2":        500,
}

// perReference is what the steps of a FLUX.2 edit trainer are multiplied with
// where pairs have one to four reference pictures, in hundredths.
var perReference = []int64{211, 344, 509, 695}

// perPicture are the endpoints that charge for pictures whatever their size.
var perPicture = []string{
	"fal-ai/flux-pro/kontext", "fal-ai/flux-pro/kontext/max", "fal-ai/flux-pro/kontext/max/multi", "fal-ai/flux-pro/kontext/max/text-to-image",
	"fal-ai/flux-pro/kontext/multi", "fal-ai/flux-pro/kontext/text-to-image", "fal-ai/flux-pro/v1.1-ultra", "fal-ai/flux-pro/v1.1-ultra-finetuned",
	"fal-ai/qwen-image-2/edit", "fal-ai/qwen-image-2/pro/edit", "fal-ai/qwen-image-2/pro/text-to-image", "fal-ai/qwen-image-2/text-to-image",
	"fal-ai/qwen-image-max/edit", "fal-ai/qwen-image-max/text-to-image",
}

// units returns what fal reports in x-fal-billable-units, as a decimal. What a
// unit is, is written down for each kind of endpoint in the platform's prices;
// that the header counts in the same units is unconfirmed.
func units(e *catalog.Endpoint, w work) string {
	id := e.ID
	out := w.outputs * megapixels(w.area)
	switch {
	case e.Task == "train":
		return decimalOf(trained(id, w))
	case e.Output == "layers":
		return "1" // by request
	case e.Price == "second":
		return decimalOf(max(int64(w.seconds)/10, one/10))
	case slices.Contains(perPicture, id):
		return decimalOf(w.outputs * one)
	case strings.HasPrefix(id, "fal-ai/flux-2-pro"):
		// The unit is the price of the first megapixel, $0.03; each further
		// one, of input or output, costs $0.015.
		return decimalOf(tiered(w, 15, 30))
	case strings.HasPrefix(id, "fal-ai/flux-2-max"):
		return decimalOf(tiered(w, 30, 70)) // $0.07 and $0.03
	case strings.HasPrefix(id, "fal-ai/flux-2-flex"):
		return decimalOf((out + areas(w.inputs)) * one)
	case strings.HasPrefix(id, "fal-ai/flux-2/") || strings.HasPrefix(id, "fal-ai/flux-2-lora-gallery/"):
		return decimalOf((out + int64(len(w.inputs))) * one) // each input counts as one
	}
	return decimalOf(out * one)
}

// trained returns the steps that a training run is billed.
func trained(id string, w work) int64 {
	n := max(w.steps, minSteps[id]) * one
	if strings.HasPrefix(id, "fal-ai/flux-2-") && strings.HasSuffix(id, "/edit") {
		n = n / 100 * perReference[min(max(w.references, 1), int64(len(perReference)))-1]
	}
	return n
}

// areas returns the megapixels of pictures that are sent along; larger ones
// are reduced to four.
func areas(pictures [][2]int) (n int64) {
	for _, p := range pictures {
		n += min(megapixels(int64(p[0])*int64(p[1])), 4)
	}
	return n
}

// tiered returns 1 for the first megapixel of each output and extra/first for
// every other one, of inputs and outputs, rounded to what fal tells.
func tiered(w work, extra, first int64) int64 {
	further := w.outputs*(megapixels(w.area)-1) + areas(w.inputs)
	return w.outputs*one + (further*extra*one+first/2)/first
}

// decimalOf returns a count of hundred-millionths as a decimal.
func decimalOf(n int64) string {
	if n%one == 0 {
		return strconv.FormatInt(n/one, 10)
	}
	return strings.TrimRight(fmt.Sprintf("%d.%08d", n/one, n%one), "0")
}
