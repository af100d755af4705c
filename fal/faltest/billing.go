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
	area       int64 // of each output, in pixels
	sides      [2]int
	resolution string
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
	"blackforestlabs/flux-3/klein/base/trainer":      100,
	"blackforestlabs/flux-3/klein/base/trainer/edit": 100,

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

// perReference3 is the same for FLUX.3 klein, where up to ten have a factor and
// those of five to nine were not published: they are billed as ten.
var perReference3 = []int64{211, 344, 509, 695, 2344, 2344, 2344, 2344, 2344, 2344}

// list is what pictures cost by their size, in hundred-thousandths of a dollar.
type list struct {
	unit, reference int64
	steps           []step
}

// step is the price of pictures up to some number of pixels, or of a name.
type step struct {
	pixels int64
	name   string
	price  int64
}

var (
	flux3 = list{unit: 4800, steps: []step{
		{name: "768sq", price: 4100}, {name: "1k", price: 4800}, {name: "2k", price: 10000}, {name: "4k", price: 60700},
	}}
	klein3 = list{unit: 900, steps: []step{
		{pixels: 768 * 768, price: 800}, {pixels: 1024 * 1024, price: 900}, {pixels: 1536 * 1536, price: 1100},
		{pixels: 2048 * 2048, price: 1400}, {pixels: 4096 * 4096, price: 3600},
	}}
	klein3Base = list{unit: 2700, steps: []step{
		{pixels: 768 * 768, price: 2400}, {pixels: 1024 * 1024, price: 2700}, {pixels: 1536 * 1536, price: 3300},
		{pixels: 2048 * 2048, price: 4200}, {pixels: 4096 * 4096, price: 10800},
	}}
	klein3LoRA = list{unit: 1200, steps: []step{{pixels: 1024 * 1024, price: 1200}, {pixels: 2048 * 2048, price: 1872}}}
	qwen3      = []step{{pixels: 2_250_000, price: 4000}, {price: 7500}}
)

// perSize are the endpoints that charge by the size of a picture in steps.
var perSize = map[string]list{
	"blackforestlabs/flux-3/text-to-image":            flux3,
	"blackforestlabs/flux-3/edit-image":               flux3,
	"blackforestlabs/flux-3/klein/text-to-image":      klein3,
	"blackforestlabs/flux-3/klein/edit-image":         klein3,
	"blackforestlabs/flux-3/klein/base/text-to-image": klein3Base,
	"blackforestlabs/flux-3/klein/text-to-image/lora": klein3LoRA,
	"blackforestlabs/flux-3/klein/edit-image/lora":    klein3LoRA,
	"alibaba/qwen-image-3/text-to-image":              {unit: 4000, steps: qwen3},
	"alibaba/qwen-image-3/edit":                       {unit: 4000, reference: 300, steps: qwen3},
}

// bill returns the units of the work by the list. What has no price there is
// billed as the last that has one.
func (l list) bill(w work) int64 {
	price := l.steps[len(l.steps)-1].price
	for _, s := range l.steps {
		if s.name != "" && s.name == w.resolution || s.name == "" && (s.pixels == 0 || w.area <= s.pixels) {
			price = s.price
			break
		}
	}
	return parts(w.outputs*price+int64(len(w.inputs))*l.reference, l.unit)
}

// parts returns amount/unit in hundred-millionths, rounded to what fal tells.
func parts(amount, unit int64) int64 { return (amount*one + unit/2) / unit }

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
	if l, ok := perSize[id]; ok {
		return decimalOf(l.bill(w))
	}
	switch {
	case e.Task == "train":
		return decimalOf(trained(id, w))
	case e.Output == "layers":
		return "1" // by request
	case e.Price == "second":
		return decimalOf(max(int64(w.seconds)/10, one/10))
	case slices.Contains(perPicture, id):
		return decimalOf(w.outputs * one)
	case strings.HasPrefix(id, "fal-ai/qwen-image-2.1"):
		return decimalOf(pixels(id, w) * (one / 1_000_000)) // a megapixel is a million here
	case id == "fal-ai/flux-pro/v1/vto":
		// $0.0375 for the first megapixel of input, $0.005 for every other one.
		return decimalOf(parts(375+50*(areas(w.inputs, 0)-1+out), 375))
	case id == "fal-ai/flux-pro/v1/erase":
		// $0.03 for the first megapixel, $0.004 for every other one; inputs are
		// three at least.
		return decimalOf(parts(30*w.outputs+4*(out-w.outputs+max(3, areas(w.inputs, 0))), 30))
	case id == "fal-ai/flux-2-pro/outpaint":
		return decimalOf(tiered(w, 15, 30, 0))
	case strings.HasPrefix(id, "fal-ai/flux-2-pro"):
		// The unit is the price of the first megapixel, $0.03; each further
		// one, of input or output, costs $0.015.
		return decimalOf(tiered(w, 15, 30, 4))
	case strings.HasPrefix(id, "fal-ai/flux-2-max"):
		return decimalOf(tiered(w, 30, 70, 4)) // $0.07 and $0.03
	case strings.HasPrefix(id, "fal-ai/flux-2-flex"):
		return decimalOf((out + areas(w.inputs, 4)) * one)
	case strings.HasPrefix(id, "fal-ai/flux-2/") || strings.HasPrefix(id, "fal-ai/flux-2-lora-gallery/"):
		return decimalOf((out + int64(len(w.inputs))) * one) // each input counts as one
	}
	return decimalOf(out * one)
}

// trained returns the steps that a training run is billed.
func trained(id string, w work) int64 {
	n := max(w.steps, minSteps[id]) * one
	var factors []int64
	switch {
	case id == "blackforestlabs/flux-3/klein/base/trainer/edit":
		factors = perReference3
	case strings.HasPrefix(id, "fal-ai/flux-2-") && strings.HasSuffix(id, "/edit"):
		factors = perReference
	default:
		return n
	}
	return n / 100 * factors[min(max(w.references, 1), int64(len(factors)))-1]
}

// areas returns the megapixels of pictures that are sent along; larger ones
// are reduced to the limit, if there is one.
func areas(pictures [][2]int, limit int64) (n int64) {
	for _, p := range pictures {
		size := megapixels(int64(p[0]) * int64(p[1]))
		if limit > 0 {
			size = min(size, limit)
		}
		n += size
	}
	return n
}

// pixels returns those that are billed where fractions of megapixels are: the
// sides of outputs are rounded to multiples of 32, and edits count what is sent
// along as it is.
func pixels(id string, w work) int64 {
	side := func(n int) int64 { return int64(max(32, (n+16)/32*32)) }
	n := w.outputs * side(w.sides[0]) * side(w.sides[1])
	if strings.HasSuffix(id, "/edit") {
		for _, p := range w.inputs {
			n += int64(p[0]) * int64(p[1])
		}
	}
	return n
}

// tiered returns 1 for the first megapixel of each output and extra/first for
// every other one, of inputs and outputs.
func tiered(w work, extra, first, limit int64) int64 {
	further := w.outputs*(megapixels(w.area)-1) + areas(w.inputs, limit)
	return w.outputs*one + parts(further*extra, first)
}

// decimalOf returns a count of hundred-millionths as a decimal.
func decimalOf(n int64) string {
	if n%one == 0 {
		return strconv.FormatInt(n/one, 10)
	}
	return strings.TrimRight(fmt.Sprintf("%d.%08d", n/one, n%one), "0")
}
