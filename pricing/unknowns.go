package pricing

// unknowns are what is not known of a request before it is sent.
type unknowns uint16

const (
	unknownInput unknowns = 1 << iota
	unknownOutput
	unknownLoRAs
	unknownSteps
	unknownMinSteps
	unknownReferences
	unknownPairs
	unknownMultiplier
	unknownTier
	unknownFee
)

// unknownWords say what each of them is, and what makes it known.
var unknownWords = []string{
	"the size of a picture that is sent along (tell it by File.Sized, or have it measured)",
	"the size of the picture, which the model chooses (ask for one)",
	"the size of the LoRA weights (tell it as Usage.LoRABytes)",
	"the number of steps (ask for one)",
	"the least number of steps that is charged, which no source tells",
	"the number of reference pictures of the training set (tell it as Usage.References)",
	"how a set is charged whose pictures have different numbers of references",
	"the multiplier for this number of references, which was not published",
	"the price of a size between two tiers, which no source tells for sure",
	"whether each reference is charged once or for each picture",
}

// Unknowns says in words why Min and Max are not the same, and what would bring
// them together. It is nil where they are.
func (q Quote) Unknowns() []string {
	if q.Min == q.Max {
		return nil
	}
	var words []string
	for i, w := range unknownWords {
		if q.quantities.unknowns&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	if q.card.disputed {
		words = append(words, "the price itself, in which sources disagree")
	}
	if words == nil { // a size that is scaled down
		words = []string{"whether the size that was asked for or the one that is made is charged"}
	}
	return words
}
