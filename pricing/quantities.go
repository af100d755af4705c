package pricing

import (
	"errors"
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/schema"
)

// MegapixelArea is the number of pixels in a megapixel, as fal counts.
const MegapixelArea = schema.Megapixel

const (
	// likelySide is the expected side of a picture that comes from elsewhere,
	// which then has 4 megapixels.
	likelySide = 2048
	// likelyOutput is the expected area where the model chooses the size.
	likelyOutput = MegapixelArea
	// likelySteps is the expected length of a training where the endpoint
	// chooses it: the default of most trainers.
	likelySteps = 1000
	// largestMinSteps is the largest minimum of steps of any trainer.
	largestMinSteps = 1000
)

// which is one of the three cases that are priced.
type which int

const (
	least which = iota
	likely
	most
)

// span is a number in the three cases.
type span [3]int64

func exactly(n int64) span { return span{n, n, n} }

// clamp keeps each case within low and high; 0 means no bound.
func (s span) clamp(low, high int64) span {
	for i := range s {
		if high > 0 {
			s[i] = min(s[i], high)
		}
		s[i] = max(s[i], low)
	}
	return s
}

// quantities are what a request is charged for, in the three cases.
type quantities struct {
	outputs    int64
	counting   counting
	size       span   // of each output as it is counted; for training its steps, for tiers which of them
	inputs     []span // of each input as it is counted; nil if they do not matter
	inputCount int64
	loras      int64
	loraGB     span // of all LoRAs, as far as they are charged
	references span // of each picture of a training set
	between    bool // the least is between two tiers
	open       bool // the three cases are not the same
	unknowns   unknowns
}

// counting says how pixels become what is charged for.
type counting struct {
	pixels    int64 // of a megapixel
	fractions bool  // pixels are counted themselves
	sidesTo   int64 // what the sides of outputs are rounded to a multiple of
}

var wholeMegapixels = counting{pixels: MegapixelArea}

func (c counting) of(area int64) int64 {
	if c.fractions {
		return area
	}
	return (area-1)/c.pixels + 1
}

// fractions returns the megapixels that are expected, with 8 decimal places. They
// were priced before, so that nothing overflows.
func (n *quantities) fractions() Units {
	pixels := n.outputs * n.size[likely]
	for _, in := range n.inputs {
		pixels += in[likely]
	}
	u, _ := mulDiv(pixels, billion/10, n.counting.pixels, roundNearest)
	return Units(10 * u)
}

// side returns a side of an output as it is counted.
func (c counting) side(n int) int {
	to := int(c.sidesTo)
	if to == 0 || n < 1 || n > math.MaxInt-to {
		return n
	}
	return max(to, (n+to/2)/to*to)
}

// measurer tells the size of a picture.
type measurer func(fal.File) (width, height int, err error)

// set fills in what the request is charged for under a rule. It looks only at
// what the rule needs, so that a quote does not open files for nothing.
func (n *quantities) set(u *fal.Usage, rule Rule, size measurer) (err error) {
	if u.Outputs < 0 || u.LoRAs < 0 || u.LoRABytes < 0 || u.References < 0 || u.LeastReferences < 0 || u.Steps < 0 || u.Upscale < 0 || u.Wider < 0 || u.Higher < 0 {
		return errors.New("the request has a negative number of outputs, LoRAs, references, steps, upscaling or pixels more")
	}
	if u.LoRABytes > 0 && u.LoRAs == 0 {
		return errors.New("the request has LoRA weights of some size, and none")
	}
	n.outputs, n.inputCount, n.loras = int64(u.Outputs), int64(len(u.Inputs)), 0
	n.counting = wholeMegapixels
	switch r := rule.(type) {
	case PerMegapixel:
		n.counting = counting{r.area(), r.Fractions, r.SidesTo}
		if (r.LoRA != LoRASurcharge{}) {
			err = n.setLoRAs(u, r.LoRA)
		}
		if err == nil && (r.Inputs == InputsRoundedUp || r.Inputs == InputsOwnSize) {
			err = n.setInputs(u.Inputs, size)
		}
		if err == nil {
			err = n.setSize(u, size)
		}
	case PerTieredMegapixel:
		err = n.setInputs(u.Inputs, size)
		if err == nil {
			err = n.setSize(u, size)
		}
	case PerTieredImage:
		err = n.setTier(u, r, size)
	case PerStep:
		n.size = exactly(int64(u.Steps))
		if u.Steps == 0 {
			if r.MaxSteps == 0 {
				return &UnknownError{Endpoint: u.Endpoint, Reason: "the request does not tell its number of steps"}
			}
			n.size = span{1, min(likelySteps, r.MaxSteps), r.MaxSteps}
			n.unknowns |= unknownSteps
		}
		if r.MinStepsUnknown {
			n.unknowns |= unknownMinSteps
			n.size[most] = max(n.size[most], largestMinSteps)
		}
		if r.mostReferences() > 0 {
			err = n.setReferences(u, r)
		}
	}
	n.open = n.open || n.size[least] != n.size[most]
	return err
}

// setLoRAs finds how much of the LoRAs is charged. Whether a gigabyte has 10^9
// or 2^30 bytes no source tells.
func (n *quantities) setLoRAs(u *fal.Usage, r LoRASurcharge) error {
	if u.LoRAs == 0 {
		return nil
	}
	n.loras = int64(u.LoRAs)
	limit := r.MaxGB - r.FreeGB
	n.loraGB = span{0, 0, limit} // most are small
	if u.LoRABytes == 0 {
		n.unknowns |= unknownLoRAs
	} else {
		n.loraGB = span{(u.LoRABytes-1)>>30 + 1, (u.LoRABytes-1)/1e9 + 1, (u.LoRABytes-1)/1e9 + 1}
		if n.loraGB[least] > r.MaxGB {
			return fmt.Errorf("LoRA weights of %d bytes together: the endpoint takes %d GB at most", u.LoRABytes, r.MaxGB)
		}
		for i, gb := range n.loraGB {
			n.loraGB[i] = min(max(0, gb-r.FreeGB), limit)
		}
	}
	n.open = n.loraGB[least] != n.loraGB[most]
	return nil
}

// setReferences finds the number of references of each picture to learn from.
// Where a number has no multiplier it is between the numbers around it.
func (n *quantities) setReferences(u *fal.Usage, r PerStep) error {
	limit := r.mostReferences()
	count, fewest := u.References, u.LeastReferences
	if fewest == 0 || count == 0 {
		fewest = count
	}
	switch {
	case count > limit:
		return fmt.Errorf("%d reference pictures: at most %d have a price", count, limit)
	case fewest > count:
		return fmt.Errorf("at least %d and at most %d reference pictures", fewest, count)
	case count == 0:
		n.references = span{1, 1, int64(limit)}
		n.unknowns |= unknownReferences
	default:
		low, high := fewest, count
		for r.References[low-1] == 0 {
			low--
		}
		for r.References[high-1] == 0 {
			high++
		}
		n.references = span{int64(low), int64(high), int64(high)}
		if fewest < count {
			n.unknowns |= unknownPairs
		}
		if low < fewest || high > count {
			n.unknowns |= unknownMultiplier
		}
	}
	n.open = n.references[least] != n.references[most]
	return nil
}

// setTier finds the tier of the outputs.
func (n *quantities) setTier(u *fal.Usage, r PerTieredImage, size measurer) error {
	unknown := func(format string, args ...any) error {
		return &UnknownError{Endpoint: u.Endpoint, Reason: fmt.Sprintf(format, args...)}
	}
	tiers := r.tiers()
	if n.open = n.outputs > 1 && n.inputCount > 0 && r.Reference > 0; n.open {
		n.unknowns |= unknownFee
	}
	if r.named() {
		i := slices.IndexFunc(tiers, func(t Tier) bool { return t.Name == u.Resolution })
		if i < 0 || tiers[i].Price == 0 {
			return unknown("no source tells that of resolution %.60q", u.Resolution)
		}
		n.size = exactly(int64(i))
		return nil
	}
	area, err := n.areaOfOutput(u, size)
	if err != nil {
		return err
	}
	if _, _, given := u.Size.Dimensions(); !given && u.MaxPixels == 0 && tiers[len(tiers)-1].Price > 0 {
		area = area.clamp(1, tiers[len(tiers)-1].MaxPixels) // the list is complete, and the model chooses within it
	}
	for c, pixels := range area {
		i := r.tierOf(pixels)
		if i < 0 || tiers[i].Price == 0 {
			return unknown("a picture may have %d pixels, for which no source tells it; ask for a smaller one", pixels)
		}
		n.size[c] = int64(i)
	}
	if t := tiers[n.size[least]]; t.Least > 0 && t.Least < t.Price && area[least] < t.MaxPixels {
		n.between, n.open = true, true
		n.unknowns |= unknownTier
	}
	return nil
}

// tierOf returns the number of the tier of an image by its size, from 0, or -1.
func (r PerTieredImage) tierOf(pixels int64) int {
	return slices.IndexFunc(r.tiers(), func(t Tier) bool { return t.MaxPixels == 0 || pixels <= t.MaxPixels })
}

// setSize finds the size of the outputs as it is counted.
func (n *quantities) setSize(u *fal.Usage, size measurer) error {
	area, err := n.areaOfOutput(u, size)
	for i, a := range area {
		n.size[i] = n.counting.of(a)
	}
	return err
}

// areaOfOutput finds the number of pixels of each output.
func (n *quantities) areaOfOutput(u *fal.Usage, size measurer) (span, error) {
	if width, height, ok := u.Size.Dimensions(); ok {
		area, err := areaOf(n.counting.side(width), n.counting.side(height))
		pixels := exactly(area)
		if reduced := int64(u.MaxPixels); reduced > 0 && reduced < area {
			pixels[least] = reduced
		}
		return pixels, err
	}
	area := span{1, likelyOutput, schema.MaxSide * schema.MaxSide}
	if u.MatchInput >= 1 && u.MatchInput <= len(u.Inputs) {
		var err error
		if area, err = n.areaOfFile(u.Inputs[u.MatchInput-1], size, u.Wider, u.Higher); err != nil {
			return area, fmt.Errorf("input %d: %w", u.MatchInput, err)
		}
		if area, err = upscale(area, int64(u.Upscale)); err != nil {
			return area, err
		}
		if u.MatchAssumed {
			n.unknowns |= unknownOutput
			area[least] = min(area[least], likelyOutput)
		}
	} else {
		n.unknowns |= unknownOutput
	}
	smallest := max(int64(u.MinPixels), n.counting.sidesTo*n.counting.sidesTo, 1)
	return area.clamp(smallest, int64(u.MaxPixels)), nil
}

// upscale returns an area whose sides grow by a factor in thousandths.
func upscale(area span, factor int64) (span, error) {
	if factor == 0 {
		return area, nil
	}
	square, err := mul(factor, factor)
	for i := range area {
		if err == nil {
			area[i], err = mulDiv(area[i], square, 1_000_000, roundUp)
		}
	}
	return area, err
}

// setInputs finds the sizes of the inputs.
func (n *quantities) setInputs(files []fal.File, size measurer) error {
	if len(files) == 0 {
		return nil
	}
	n.inputs = make([]span, len(files))
	for i, f := range files {
		area, err := n.areaOfFile(f, size, 0, 0)
		if err != nil {
			return fmt.Errorf("input %d: %w", i+1, err)
		}
		for c, a := range area {
			n.inputs[i][c] = n.counting.of(a)
		}
		n.open = n.open || area[least] != area[most]
	}
	return nil
}

// areaOfFile returns the number of pixels of a picture, or of one that is wider
// and higher than it. Pictures behind URLs and in formats that are not known here
// may have any size.
func (n *quantities) areaOfFile(f fal.File, size measurer, wider, higher int) (area span, err error) {
	width, height, err := size(f)
	if errors.Is(err, fal.ErrRemote) || errors.Is(err, image.ErrFormat) {
		n.unknowns |= unknownInput
		for c, side := range [3]int{1, likelySide, schema.MaxSide} {
			if area[c], err = areaOf(side+wider, side+higher); err != nil {
				return area, err
			}
		}
		return area, nil
	}
	if err != nil {
		return area, err
	}
	pixels, err := areaOf(width+wider, height+higher)
	return exactly(pixels), err
}

func areaOf(width, height int) (int64, error) {
	if width < 1 || height < 1 {
		return 0, fmt.Errorf("a size of %dx%d: both sides must be at least 1", width, height)
	}
	return mul(int64(width), int64(height))
}
