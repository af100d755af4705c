package pricing

import (
	"errors"
	"fmt"
	"image"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/schema"
)

// MegapixelArea is the number of pixels in a megapixel, as fal counts.
const MegapixelArea = schema.Megapixel

const (
	// likelyInput is the expected area of a picture that comes from elsewhere.
	likelyInput = 4 * MegapixelArea
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
	size       span   // of each output, in megapixels; for training its steps
	inputs     []span // of each input, in megapixels; nil if they do not matter
	inputCount int64
	loras      int64
	loraGB     span // of all LoRAs, as far as they are charged
	references span // of each picture of a training set
	open       bool // the three cases are not the same
	unknowns   unknowns
}

// measurer tells the size of a picture.
type measurer func(fal.File) (width, height int, err error)

// set fills in what the request is charged for under a rule. It looks only at
// what the rule needs, so that a quote does not open files for nothing.
func (n *quantities) set(u *fal.Usage, rule Rule, size measurer) (err error) {
	if u.Outputs < 0 || u.LoRAs < 0 || u.LoRABytes < 0 || u.References < 0 || u.Steps < 0 || u.Upscale < 0 {
		return errors.New("the request has a negative number of outputs, LoRAs, references, steps or upscaling")
	}
	if u.LoRABytes > 0 && u.LoRAs == 0 {
		return errors.New("the request has LoRA weights of some size, and none")
	}
	n.outputs, n.inputCount, n.loras = int64(u.Outputs), int64(len(u.Inputs)), 0
	switch r := rule.(type) {
	case PerMegapixel:
		if (r.LoRA != LoRASurcharge{}) {
			err = n.setLoRAs(u, r.LoRA)
		}
		if err == nil && r.Inputs == InputsRoundedUp {
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
		if r.References != [4]Units{} {
			err = n.setReferences(u, int64(len(r.References)))
		}
	}
	n.open = n.open || n.size[least] != n.size[most]
	return err
}

// setLoRAs finds how much of the LoRAs is charged. Whether a gigabyte has 10^9
// or 2^30 bytes no source tells.
func (n *quantities) setLoRAs(u *fal.Usage, r LoRASurcharge) error {
	n.loras = int64(u.LoRAs)
	limit, err := mul(n.loras, r.MaxGB-r.FreeGB)
	if err != nil {
		return err
	}
	n.loraGB = span{0, 0, limit} // most are small
	if u.LoRABytes == 0 && n.loras > 0 {
		n.unknowns |= unknownLoRAs
	}
	if u.LoRABytes > 0 {
		n.loraGB = span{(u.LoRABytes-1)>>30 + 1, (u.LoRABytes-1)/1e9 + 1, (u.LoRABytes-1)/1e9 + 1}
		for i, gb := range n.loraGB {
			n.loraGB[i] = min(max(0, gb-r.FreeGB), limit)
		}
	}
	n.open = n.loraGB[least] != n.loraGB[most]
	return nil
}

// setReferences finds the number of references of each picture to learn from.
func (n *quantities) setReferences(u *fal.Usage, limit int64) error {
	switch count := int64(u.References); {
	case count > limit:
		return fmt.Errorf("%d reference pictures: at most %d have a price", count, limit)
	case count > 0:
		n.references = exactly(count)
	default:
		n.references = span{1, 1, limit}
		n.open = true
		n.unknowns |= unknownReferences
	}
	return nil
}

// setSize finds the size of the outputs.
func (n *quantities) setSize(u *fal.Usage, size measurer) error {
	if width, height, ok := u.Size.Dimensions(); ok {
		area, err := areaOf(width, height)
		n.size = exactly(megapixels(area))
		if reduced := int64(u.MaxPixels); reduced > 0 && reduced < area {
			n.size[least] = megapixels(reduced)
		}
		return err
	}
	area := span{1, likelyOutput, schema.MaxSide * schema.MaxSide}
	if u.MatchInput >= 1 && u.MatchInput <= len(u.Inputs) {
		var err error
		if area, err = n.areaOfFile(u.Inputs[u.MatchInput-1], size); err != nil {
			return fmt.Errorf("input %d: %w", u.MatchInput, err)
		}
		if area, err = upscale(area, int64(u.Upscale)); err != nil {
			return err
		}
		if u.MatchAssumed {
			n.unknowns |= unknownOutput
			area[least] = min(area[least], likelyOutput)
		}
	}
	if u.MatchInput < 1 || u.MatchInput > len(u.Inputs) {
		n.unknowns |= unknownOutput
	}
	area = area.clamp(int64(max(u.MinPixels, 1)), int64(u.MaxPixels))
	for i, a := range area {
		n.size[i] = megapixels(a)
	}
	return nil
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
		area, err := n.areaOfFile(f, size)
		if err != nil {
			return fmt.Errorf("input %d: %w", i+1, err)
		}
		for c, a := range area {
			n.inputs[i][c] = megapixels(a)
		}
		n.open = n.open || area[least] != area[most]
	}
	return nil
}

// areaOfFile returns the number of pixels of a picture. Pictures behind URLs
// and in formats that are not known here may have any size.
func (n *quantities) areaOfFile(f fal.File, size measurer) (span, error) {
	width, height, err := size(f)
	if errors.Is(err, fal.ErrRemote) || errors.Is(err, image.ErrFormat) {
		n.unknowns |= unknownInput
		return span{1, likelyInput, schema.MaxSide * schema.MaxSide}, nil
	}
	if err != nil {
		return span{}, err
	}
	area, err := areaOf(width, height)
	return exactly(area), err
}

func areaOf(width, height int) (int64, error) {
	if width < 1 || height < 1 {
		return 0, fmt.Errorf("a size of %dx%d: both sides must be at least 1", width, height)
	}
	return mul(int64(width), int64(height))
}

// megapixels rounds an area up to whole megapixels.
func megapixels(area int64) int64 { return (area-1)/MegapixelArea + 1 }
