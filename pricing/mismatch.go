package pricing

import (
	"fmt"

	"github.com/falimage/falimage-go/fal"
)

// Mismatch is a picture that was asked for and did not come, or came in another
// size. The bill may be for what was asked for: keep the request id to claim
// the difference.
type Mismatch struct {
	// Picture is the number of the picture in the result, from 0.
	Picture int
	// Missing says that there is no such picture in the result.
	Missing bool
	// Width and Height are those of the picture, the others those asked for;
	// zero where the picture is missing, or its size was left to the model.
	Width, Height             int
	WantedWidth, WantedHeight int
	// Wanted and Got are what the picture asked for and the picture that came
	// cost by the rule of the quote, alone and without inputs. Where the
	// request is charged as a whole, a missing picture among others is worth
	// nothing.
	Wanted, Got USD
}

func (m Mismatch) String() string {
	text := fmt.Sprintf("picture %d is %dx%d, not %dx%d", m.Picture, m.Width, m.Height, m.WantedWidth, m.WantedHeight)
	if m.Missing {
		text = fmt.Sprintf("picture %d is missing", m.Picture)
	}
	if m.Wanted != m.Got {
		text += fmt.Sprintf(": worth %v, not %v", m.Got, m.Wanted)
	}
	return text
}

// Mismatches compares the pictures of a result with what was asked for: their
// sizes, and how many they are. Pictures of unknown size, and those of which
// the request left the size to the model, have no mismatch of size. A quote
// without a price tells of sizes only; training makes no pictures.
func Mismatches(q Quote, pictures []fal.Image) []Mismatch {
	if q.card == nil {
		return nil
	}
	width, height, sized := q.wanted.Dimensions()
	var found []Mismatch
	for i, p := range pictures {
		if !sized || p.Width <= 0 || p.Height <= 0 || (p.Width == width && p.Height == height) {
			continue
		}
		m := Mismatch{Picture: i, Width: p.Width, Height: p.Height, WantedWidth: width, WantedHeight: height}
		// What has no price is worth 0 here: that there is a mismatch matters more.
		m.Wanted, _ = q.worth(width, height)
		m.Got, _ = q.worth(p.Width, p.Height)
		found = append(found, m)
	}
	return append(found, q.missing(len(pictures))...)
}

// missing returns the pictures that were asked for after the ones that came.
func (q Quote) missing(came int) []Mismatch {
	if _, training := q.card.Rule.(PerStep); training || int64(came) >= q.quantities.outputs {
		return nil
	}
	// More than this no endpoint makes, and no caller can read.
	last := int(min(q.quantities.outputs, int64(came)+1000))
	width, height, _ := q.wanted.Dimensions()
	one := Quote{card: q.card, quantities: quantities{outputs: 1, counting: q.quantities.counting, size: q.quantities.size}}
	worth, _ := one.sum(likely)
	_, whole := q.card.Rule.(PerRequest)
	found := make([]Mismatch, 0, last-came)
	for i := came; i < last; i++ {
		m := Mismatch{Picture: i, Missing: true, WantedWidth: width, WantedHeight: height, Wanted: worth}
		if whole && i > 0 { // the first stands for the request
			m.Wanted = 0
		}
		found = append(found, m)
	}
	return found
}

// worth returns what one picture costs by the rule of the quote.
func (q Quote) worth(width, height int) (USD, error) {
	counting := q.quantities.counting
	area, err := areaOf(counting.side(width), counting.side(height))
	if err != nil || q.card.Rule == nil {
		return 0, err
	}
	one := Quote{card: q.card, quantities: quantities{outputs: 1, counting: counting}}
	if r, ok := q.card.Rule.(PerTieredImage); ok {
		one.quantities.size = exactly(int64(max(0, r.tierOf(area))))
	} else {
		one.quantities.size = exactly(counting.of(area))
	}
	return one.sum(likely)
}
