package catalog

// Limits are the rules of an endpoint that stand in no schema.
type Limits struct {
	// Files are rules for the files of a field, by its name.
	Files map[string]FileLimit `json:"files"`
	// LoRAs is the largest number of LoRAs; 0 for any.
	LoRAs int `json:"loras"`
	// Size limits image_size.
	Size SizeLimit `json:"size"`
	// Mentions says that the prompt can refer to the pictures of image_urls
	// as @image1, @image2 and so on.
	Mentions bool `json:"mentions"`
	// Regions says that the prompt can lay out the picture by boxes, which are
	// drawn for one aspect ratio.
	Regions bool `json:"regions"`
	// Prompt limits the prompt beyond the schema.
	Prompt PromptLimit `json:"prompt"`
	// Doubts are values that some source doubts.
	Doubts []ValueDoubt `json:"doubts"`
	// Alpha says that a transparent background can be asked for in the prompt.
	Alpha bool `json:"alpha"`
	// NegativeAbove is the guidance that must be exceeded for negative_prompt
	// to count; 0 where it always does.
	NegativeAbove float64 `json:"negativeAbove"`
	// Output says how large the output is where no size is given.
	Output OutputLimit `json:"output"`
}

// FileLimit is a rule for the files of a field. Zero fields do not limit.
type FileLimit struct {
	// Min and Max are how many files there must be. If Ignored, the service
	// takes more than Max and silently uses none of the rest.
	Min     int  `json:"min"`
	Max     int  `json:"max"`
	Ignored bool `json:"ignored"`
	// WarnMin and WarnMax are numbers that no source forbids to miss but
	// some source doubts, for the reason WarnWhy.
	WarnMin int    `json:"warnMin"`
	WarnMax int    `json:"warnMax"`
	WarnWhy string `json:"warnWhy"`
	// MinSide and MaxSide bound width and height of each picture, in pixels.
	MinSide int `json:"minSide"`
	MaxSide int `json:"maxSide"`
	// MaxPixels bounds the area of each picture, MaxTotalPixels of all.
	MaxPixels      int `json:"maxPixels"`
	MaxTotalPixels int `json:"maxTotalPixels"`
	// MaxBytes bounds the size of each file.
	MaxBytes int `json:"maxBytes"`
	// Formats are the formats taken, where a source lists them.
	Formats []string `json:"formats"`
	// DataURLOnly says that only data URLs are taken.
	DataURLOnly bool `json:"dataURLOnly"`
}

// SizeLimit is a rule for image_size. Zero fields do not limit.
type SizeLimit struct {
	// Bounds of width and height, and of their product.
	MinSide int `json:"minSide"`
	MaxSide int `json:"maxSide"`
	MinArea int `json:"minArea"`
	MaxArea int `json:"maxArea"`
	// What some source advises against, though none forbids it.
	WarnMinSide int `json:"warnMinSide"`
	WarnMaxSide int `json:"warnMaxSide"`
	WarnMaxArea int `json:"warnMaxArea"`
	// PresetsOnly says that only the presets square and square_hd are taken.
	PresetsOnly bool `json:"presetsOnly"`
	// RoundTo says that sides are rounded to multiples of it; 0 if they are not.
	RoundTo int `json:"roundTo"`
	// Square is the side of the preset square where it is not 512.
	Square int `json:"square"`
}

// PromptLimit is a rule for the prompt.
type PromptLimit struct {
	// Warn is a number of characters that some source names as the most; 0
	// for none. WarnWhy says which.
	Warn    int    `json:"warn"`
	WarnWhy string `json:"warnWhy"`
}

// ValueDoubt is what some source doubts of a field, and why: the Value of an
// enum, or whole numbers that are no multiple of MultipleOf.
type ValueDoubt struct {
	Field      string `json:"field"`
	Value      string `json:"value"`
	MultipleOf int    `json:"multipleOf"`
	Why        string `json:"why"`
}

// OutputLimit says how large the output is where no size is given.
type OutputLimit struct {
	// Match is "first" or "last" where the output takes the size of the first
	// or last picture sent, else "".
	Match string `json:"match"`
	// Assumed says that no source states Match: it is what such models do.
	Assumed bool `json:"assumed"`
	// MinPixels and MaxPixels bound its area; 0 where no source does.
	MinPixels int `json:"minPixels"`
	MaxPixels int `json:"maxPixels"`
}
