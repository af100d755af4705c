package pricing

import (
	"fmt"

	"github.com/falimage/falimage-go/fal"
)

// Mismatch is a picture of another size than asked for. The bill may be for
// the size that was asked for: keep the request id to claim the difference.
type Mismatch struct {
	// Picture is the number of the picture in the result, from 0.
	Picture int
	// Width and Height are those of the picture, the others those asked for.
	Width, Height             int
	WantedWidth, WantedHeight int
	// Wanted and Got are what the picture asked for and the picture that came
	// cost by the rule of the quote, alone and without inputs.
	Wanted, Got USD
}

func (m Mismatch) String() string {
	text := fmt.Sprintf("picture %d is %dx%d, not %dx%d", m.Picture, m.Width, m.Height, m.WantedWidth, m.WantedHeight)
	if m.Wanted != m.Got {
		text += fmt.Sprintf(": worth %v, not %v", m.Got, m.Wanted)
	}
	return text
}

// Mismatches compares the pictures of a result with the size that was asked
// for. Pictures of unknown size, and requests that left the size to the model,
// have no mismatch.
func Mismatches(q Quote, pictures []fal.Image) []Mismatch {
	width, height, ok := q.wanted.Dimensions()
	if !ok || q.card == nil {
		return nil
	}
	var found []Mismatch
	for i, p := range pictures {
		if p.Width <= 0 || p.Height <= 0 || (p.Width == width && p.Height == height) {
			continue
		}
		m := Mismatch{Picture: i, Width: p.Width, Height: p.Height, WantedWidth: width, WantedHeight: height}
		// What has no price is worth 0 here: that there is a mismatch matters more.
		m.Wanted, _ = q.worth(width, height)
		m.Got, _ = q.worth(p.Width, p.Height)
		found = append(found, m)
	}
	return found
}

// worth returns what one picture costs by the rule of the quote.
func (q Quote) worth(width, height int) (USD, error) {
	area, err := areaOf(width, height)
	if err != nil || q.card.Rule == nil {
		return 0, err
	}
	one := Quote{card: q.card, quantities: quantities{outputs: 1, size: exactly(megapixels(area))}}
	return one.sum(likely)
}
