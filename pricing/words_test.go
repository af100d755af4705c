package pricing_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

// A quote in words, whole.
func TestQuoteInWords(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		usage fal.Usage
		want  string
	}{
		"exact": {fal.Usage{Endpoint: "fal-ai/flux-2-max", Outputs: 2, Size: fal.SquareHD}, `$0.14 for fal-ai/flux-2-max
  2 outputs x 1 MP: 2 x $0.07 = $0.14
  rule: $0.07 for the first megapixel of output, $0.03 for each further megapixel of output or input, each image rounded up to whole megapixels; input images over 4 megapixels count as 4
  as of 2026-08-24, confidence medium, from: model page of the endpoint, 2026-08; bfl.ai pricing page, 2026-08-24; platform pricing API, 2026-07-28; third party`},
		"larger": {fal.Usage{Endpoint: "fal-ai/flux-2-max", Outputs: 2, Size: fal.Size(2048, 1024)}, `$0.20 for fal-ai/flux-2-max
  2 outputs x 2 MP: 2 x ($0.07 + $0.03) = $0.20
  rule: $0.07 for the first megapixel of output, $0.03 for each further megapixel of output or input, each image rounded up to whole megapixels; input images over 4 megapixels count as 4
  as of 2026-08-24, confidence medium, from: model page of the endpoint, 2026-08; bfl.ai pricing page, 2026-08-24; platform pricing API, 2026-07-28; third party`},
		"in a range": {fal.Usage{Endpoint: "fal-ai/flux-2/klein/9b", Outputs: 1, Size: fal.SquareHD}, `$0.006 expected, $0.006 to $0.011 for fal-ai/flux-2/klein/9b
  1 output x 1 MP: $0.006 to $0.011, expected $0.006
  rule: $0.006 per megapixel of output, each image rounded up to whole megapixels; input images are not charged
  disputed: another source says $0.011 (platform pricing API, 2026-07-28)
  as of an unknown date, confidence medium, from: model page of the endpoint; reseller's provider notes`},
	} {
		q, err := pricing.EstimateUsage(tt.usage)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, q.String()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	if text := (pricing.Quote{Endpoint: "a/b"}).String(); text != "a/b: no price" {
		t.Errorf("printed as %q", text)
	}
}

// An unknown price says what it probably is, where anybody does.
func TestUnknownInWords(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"fal-ai/qwen-image-layered-trainer": "; it is probably $0.00425 per unit",
		"fal-ai/control-light":              ": no source gives its price or its unit",
		"blackforestlabs/flux-3/edit-image": `: no source tells that of resolution "9k"`,
		"fal-ai/flux-2/klein/realtime":      ": it is charged $0.00194 per second of computing, which nobody knows before",
	} {
		_, err := pricing.EstimateUsage(fal.Usage{Endpoint: id, Outputs: 1, Resolution: "9k"})
		if !errors.Is(err, pricing.ErrUnknown) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", id, err, want)
		}
	}
}

// What a table gives away is a copy.
func TestPricesAreCopies(t *testing.T) {
	t.Parallel()
	const id = "blackforestlabs/flux-3/text-to-image"
	before, _ := pricing.Embedded().Price(id)
	changed, _ := pricing.Embedded().Price(id)
	changed.Sources[0], changed.Alternates[0].Price, changed.History[0].Until = "", 0, ""
	table, err := pricing.Embedded().With(before)
	if err != nil {
		t.Fatal(err)
	}
	before.Sources[0], before.Alternates[0].Price, before.History[0].Until = "", 0, ""
	for _, table := range []*pricing.Table{pricing.Embedded(), table} {
		if after, _ := table.Price(id); after.Sources[0] == "" || after.Alternates[0].Price == 0 || after.History[0].Until == "" {
			t.Errorf("%+v", after)
		}
	}
}

// A picture of which one side is not known has no mismatch.
func TestMismatchOfUnknownSize(t *testing.T) {
	t.Parallel()
	q, err := pricing.EstimateUsage(fal.Usage{Endpoint: "fal-ai/qwen-image", Outputs: 2, Size: fal.SquareHD})
	if err != nil {
		t.Fatal(err)
	}
	if got := pricing.Mismatches(q, []fal.Image{{Width: 512}, {Height: 512}}); got != nil {
		t.Errorf("%v", got)
	}
	// By tiers, and by rounded sides, a picture is worth what one of its size is.
	for _, tt := range []struct {
		usage fal.Usage
		want  string
	}{
		{fal.Usage{Endpoint: "alibaba/qwen-image-3/text-to-image", Outputs: 1, Size: fal.Size(2048, 2048)}, "picture 0 is 1000x720, not 2048x2048: worth $0.04, not $0.075"},
		{fal.Usage{Endpoint: "fal-ai/qwen-image-2.1", Outputs: 1, Size: fal.Size(1280, 720)}, "picture 0 is 1000x720, not 1280x720: worth $0.01460224, not $0.0188416"},
		{fal.Usage{Endpoint: "fal-ai/control-light", Outputs: 1, Size: fal.Size(1280, 720)}, "picture 0 is 1000x720, not 1280x720"},
	} {
		q, err := pricing.EstimateUsage(tt.usage)
		if err != nil && !errors.Is(err, pricing.ErrUnknown) {
			t.Fatal(err)
		}
		if got := pricing.Mismatches(q, []fal.Image{{Width: 1000, Height: 720}}); len(got) != 1 || got[0].String() != tt.want {
			t.Errorf("%s: %v, want %s", tt.usage.Endpoint, got, tt.want)
		}
	}
	missing, err := pricing.EstimateUsage(fal.Usage{Endpoint: "fal-ai/qwen-image-2.1", Outputs: 3, Size: fal.Size(1280, 720)})
	if err != nil {
		t.Fatal(err)
	}
	if got := pricing.Mismatches(missing, nil); len(got) != 3 || got[2].Wanted != 18_841_600 || got[0].Picture != 0 || got[2].Picture != 2 {
		t.Errorf("%+v", got)
	}
}

// A table may have as many bytes as it says, and not one more.
func TestTableSize(t *testing.T) {
	t.Parallel()
	const limit = 16 << 20
	text := `{"prices": []}`
	if _, err := pricing.ReadTable(strings.NewReader(text + strings.Repeat(" ", limit-len(text)))); err != nil {
		t.Error(err)
	}
	if _, err := pricing.ReadTable(strings.NewReader(text + strings.Repeat(" ", limit-len(text)+1))); err == nil {
		t.Error("a larger one was read")
	}
}

// What is not known is said, and only that.
func TestUnknownsSaid(t *testing.T) {
	t.Parallel()
	const edit = "blackforestlabs/flux-3/klein/base/trainer/edit"
	pairs, factor := "how a set is charged", "the multiplier for this number"
	for name, tt := range map[string]struct {
		usage fal.Usage
		want  []string
	}{
		"nothing":           {fal.Usage{Endpoint: edit, Outputs: 1, Steps: 100, References: 3}, nil},
		"all the same":      {fal.Usage{Endpoint: edit, Outputs: 1, Steps: 100, References: 3, LeastReferences: 3}, nil},
		"pairs differ":      {fal.Usage{Endpoint: edit, Outputs: 1, Steps: 100, References: 3, LeastReferences: 2}, []string{pairs}},
		"no multiplier":     {fal.Usage{Endpoint: edit, Outputs: 1, Steps: 100, References: 6}, []string{factor}},
		"both":              {fal.Usage{Endpoint: edit, Outputs: 1, Steps: 100, References: 10, LeastReferences: 9}, []string{pairs, factor}},
		"how many":          {fal.Usage{Endpoint: edit, Outputs: 1, Steps: 100, LeastReferences: 3}, []string{"the number of reference pictures"}},
		"no fee of a tier":  {fal.Usage{Endpoint: "alibaba/qwen-image-3/edit", Outputs: 1, Size: fal.SquareHD, Inputs: []fal.File{fal.URL("https://x.example/a")}}, []string{"the price itself"}},
		"a fee":             {fal.Usage{Endpoint: "alibaba/qwen-image-3/edit", Outputs: 2, Size: fal.SquareHD, Inputs: []fal.File{fal.URL("https://x.example/a")}}, []string{"whether each reference is charged", "the price itself"}},
		"a tier":            {fal.Usage{Endpoint: "blackforestlabs/flux-3/klein/text-to-image", Outputs: 1, Size: fal.Size(1920, 1080)}, []string{"the price of a size between two tiers"}},
		"LoRAs of no size":  {fal.Usage{Endpoint: "fal-ai/flux-2/lora", Outputs: 1, Size: fal.SquareHD, LoRAs: 1}, []string{"the size of the LoRA weights"}},
		"a disputed price":  {fal.Usage{Endpoint: "fal-ai/flux-2/klein/4b", Outputs: 1, Size: fal.SquareHD}, []string{"the price itself"}},
		"an assumed output": {fal.Usage{Endpoint: "fal-ai/qwen-image", Outputs: 1, MatchInput: 1, MatchAssumed: true, Inputs: []fal.File{fal.URL("https://x.example/a").Sized(2048, 2048)}}, []string{"the size of the picture, which the model chooses"}},
		"a reduced size":    {fal.Usage{Endpoint: "fal-ai/qwen-image", Outputs: 1, Size: fal.Size(2048, 2048), MaxPixels: 1 << 20}, []string{"whether the size that was asked for"}},
	} {
		q, err := pricing.EstimateUsage(tt.usage)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := q.Unknowns()
		ok := len(got) == len(tt.want)
		for i := range got {
			ok = ok && strings.HasPrefix(got[i], tt.want[i])
		}
		if !ok {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// The default table is the one that was set, until none is.
func TestSetDefault(t *testing.T) { // not parallel: it is for everybody
	table, err := pricing.NewTable(pricing.Price{Endpoint: "our/model", Rule: pricing.PerImage{Price: pricing.Cent}})
	if err != nil {
		t.Fatal(err)
	}
	pricing.SetDefault(table)
	q, err := pricing.EstimateUsage(fal.Usage{Endpoint: "our/model", Outputs: 2})
	pricing.SetDefault(nil)
	if err != nil || q.Expected != 2*pricing.Cent || pricing.Default() != pricing.Embedded() {
		t.Errorf("%v, %v", q, err)
	}
}
