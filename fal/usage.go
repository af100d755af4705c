package fal

// Usage is what a request will be charged for, as far as the request itself
// tells. Package pricing turns it into money. The zero Usage says nothing.
type Usage struct {
	// Endpoint is the id of the endpoint.
	Endpoint string

	// Outputs is the number of pictures asked for, layers included; at least
	// 1. Zero means that the request does not tell what it will be charged
	// for. Training counts as one output.
	Outputs int

	// Size is the size of each picture, the endpoint's default included. It
	// is zero where the endpoint decides: then MatchInput, MinPixels and
	// MaxPixels say what is known.
	Size ImageSize

	// Resolution is the size that the request names where the endpoint charges by
	// it, the endpoint's default included, such as "2k"; "" where it takes none.
	Resolution string

	// MatchInput is the 1-based number of the picture in Inputs whose size
	// the output takes, or 0. It counts only where Size is zero.
	MatchInput int
	// MatchAssumed says that no source tells so: it is what such models do.
	MatchAssumed bool

	// Wider and Higher are by how many pixels the output is wider and higher than
	// the picture of MatchInput.
	Wider, Higher int

	// MinPixels and MaxPixels bound the area of each picture where Size is
	// zero; 0 where no source gives a bound. A larger Size is reduced to
	// MaxPixels; whether the bill is too, no source tells.
	MinPixels, MaxPixels int

	// Inputs are the pictures that are sent along, in the order of the
	// request's fields. Masks and control pictures are among them.
	Inputs []File

	// Steps is the number of inference or training steps, the endpoint's
	// default included; 0 where the endpoint has none.
	Steps int

	// LoRAs is the number of LoRA weights loaded.
	LoRAs int

	// LoRABytes is the size of all of them together, or 0 where it is not
	// known. Requests know that of local files and of files from results; who
	// knows that of others sets it before asking package pricing.
	LoRABytes int64

	// References is the number of reference pictures that go with each
	// picture of a training set, or 0 where it is not known. Requests do not
	// know it; the training sets of package dataset do.
	References int
	// LeastReferences is the smallest number that a picture of the set has where
	// not all have as many as References; 0 where they have.
	LeastReferences int

	// Upscale is the factor by which sides grow, in thousandths: 2000 is
	// twice as wide and high. 0 where the endpoint does not upscale.
	Upscale int

	// Doubts are what some source doubts about the request and none forbids,
	// such as a size beyond what the model maker advises. They are logged at
	// warn level when the request is sent.
	// One about the endpoint itself, that it is gone from fal's list for example,
	// has the Field "endpoint".
	Doubts []Problem
}

const doubtEndpoint = "endpoint"
