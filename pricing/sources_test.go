package pricing_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/internal/catalog"
	"github.com/falimage/falimage-go/pricing"
)

// The examples that pages and notes of 2026 give, and what follows from their
// words.
func TestExamplesOfSources(t *testing.T) {
	t.Parallel()
	const (
		flux3  = "blackforestlabs/flux-3/"
		klein3 = "blackforestlabs/flux-3/klein/"
		qwen3  = "alibaba/qwen-image-3/"
	)
	sized := func(width, height int) fal.File { return fal.URL("https://x.example/a.png").Sized(width, height) }
	hd := sized(1024, 1024)
	for name, tt := range map[string]struct {
		usage            fal.Usage
		min, likely, max string
	}{
		// FLUX 3: a price for each resolution, half of it until 2026-10-08 and
		// in one account after it.
		"flux 3, 1k":                {fal.Usage{Endpoint: flux3 + "text-to-image", Outputs: 1, Resolution: "1k"}, "$0.024", "$0.048", "$0.048"},
		"flux 3, 1k, 3 references":  {fal.Usage{Endpoint: flux3 + "edit-image", Outputs: 1, Resolution: "1k", Inputs: []fal.File{hd, hd, hd}}, "$0.024", "$0.048", "$0.048"},
		"flux 3, 768sq":             {fal.Usage{Endpoint: flux3 + "text-to-image", Outputs: 1, Resolution: "768sq"}, "$0.0205", "$0.041", "$0.041"},
		"flux 3, 4k":                {fal.Usage{Endpoint: flux3 + "text-to-image", Outputs: 1, Resolution: "4k"}, "$0.3035", "$0.607", "$0.607"},
		"qwen 3, 1K":                {fal.Usage{Endpoint: qwen3 + "text-to-image", Outputs: 1, Size: fal.Size(1024, 1024)}, "$0.04", "$0.04", "$0.04"},
		"qwen 3, two of 2K":         {fal.Usage{Endpoint: qwen3 + "text-to-image", Outputs: 2, Size: fal.Size(2048, 2048)}, "$0.15", "$0.15", "$0.15"},
		"qwen 3, 2,250,000 pixels":  {fal.Usage{Endpoint: qwen3 + "text-to-image", Outputs: 1, Size: fal.Size(1500, 1500)}, "$0.04", "$0.04", "$0.04"},
		"qwen 3, a pixel more":      {fal.Usage{Endpoint: qwen3 + "text-to-image", Outputs: 1, Size: fal.Size(2250001, 1)}, "$0.04", "$0.075", "$0.075"},
		"qwen 3, where it begins":   {fal.Usage{Endpoint: qwen3 + "text-to-image", Outputs: 1, Size: fal.Size(1536, 1536)}, "$0.04", "$0.075", "$0.075"},
		"qwen 3, just after":        {fal.Usage{Endpoint: qwen3 + "text-to-image", Outputs: 1, Size: fal.Size(2359297, 1)}, "$0.075", "$0.075", "$0.075"},
		"qwen 3 edit, 1 reference":  {fal.Usage{Endpoint: qwen3 + "edit", Outputs: 1, Size: fal.Size(1024, 1024), Inputs: []fal.File{hd}}, "$0.04", "$0.043", "$0.043"},
		"qwen 3 edit, 2 of 2":       {fal.Usage{Endpoint: qwen3 + "edit", Outputs: 2, Size: fal.Size(1024, 1024), Inputs: []fal.File{hd, hd}}, "$0.08", "$0.086", "$0.092"},
		"qwen 3 edit, no size":      {fal.Usage{Endpoint: qwen3 + "edit", Outputs: 1, MinPixels: 512 * 512, MaxPixels: 2048 * 2048, Inputs: []fal.File{hd}}, "$0.04", "$0.043", "$0.078"},
		"qwen 2.1, a square":        {fal.Usage{Endpoint: "alibaba/qwen-image-2.1/text-to-image", Outputs: 1, Size: fal.Size(1024, 1024)}, "$0.02097152", "$0.02097152", "$0.02097152"},
		"qwen 2.1, sides rounded":   {fal.Usage{Endpoint: "fal-ai/qwen-image-2.1", Outputs: 1, Size: fal.Size(1280, 720)}, "$0.0188416", "$0.0188416", "$0.0188416"},
		"qwen 2.1, the least side":  {fal.Usage{Endpoint: "fal-ai/qwen-image-2.1", Outputs: 1, Size: fal.Size(1, 47)}, "$0.00002048", "$0.00002048", "$0.00002048"},
		"qwen 2.1, up at the half":  {fal.Usage{Endpoint: "fal-ai/qwen-image-2.1", Outputs: 1, Size: fal.Size(1, 48)}, "$0.00004096", "$0.00004096", "$0.00004096"},
		"qwen 2.1 edit, a million":  {fal.Usage{Endpoint: "fal-ai/qwen-image-2.1/edit", Outputs: 1, Size: fal.Size(800, 1248), Inputs: []fal.File{sized(16, 100), sized(1000, 1000)}}, "$0.073333334", "$0.073333334", "$0.073333334"},
		"klein 3, 1K":               {fal.Usage{Endpoint: klein3 + "text-to-image", Outputs: 1, Size: fal.Size(1024, 1024)}, "$0.009", "$0.009", "$0.009"},
		"klein 3, 2K":               {fal.Usage{Endpoint: klein3 + "text-to-image", Outputs: 1, Size: fal.Size(2048, 2048)}, "$0.014", "$0.014", "$0.014"},
		"klein 3, two":              {fal.Usage{Endpoint: klein3 + "text-to-image", Outputs: 2, Size: fal.Size(1024, 1024)}, "$0.018", "$0.018", "$0.018"},
		"klein 3, between":          {fal.Usage{Endpoint: klein3 + "text-to-image", Outputs: 1, Size: fal.Size(1920, 1080)}, "$0.009", "$0.011", "$0.011"},
		"klein 3 edit, 1.5K":        {fal.Usage{Endpoint: klein3 + "edit-image", Outputs: 1, Size: fal.Size(1536, 1536), Inputs: []fal.File{hd}}, "$0.011", "$0.011", "$0.011"},
		"klein 3 edit, no size":     {fal.Usage{Endpoint: klein3 + "edit-image", Outputs: 1, Inputs: []fal.File{hd}}, "$0.008", "$0.009", "$0.036"},
		"klein 3 base, 768":         {fal.Usage{Endpoint: klein3 + "base/text-to-image", Outputs: 1, Size: fal.Size(768, 768)}, "$0.024", "$0.024", "$0.024"},
		"klein 3 base, 2K":          {fal.Usage{Endpoint: klein3 + "base/text-to-image", Outputs: 1, Size: fal.Size(2048, 2048)}, "$0.042", "$0.042", "$0.042"},
		"klein 3 LoRA, 1K":          {fal.Usage{Endpoint: klein3 + "text-to-image/lora", Outputs: 1, Size: fal.Size(1024, 1024), LoRAs: 3}, "$0.012", "$0.012", "$0.012"},
		"klein 3 LoRA, small":       {fal.Usage{Endpoint: klein3 + "text-to-image/lora", Outputs: 1, Size: fal.Size(512, 512)}, "$0.012", "$0.012", "$0.012"},
		"klein 3 LoRA edit, 2K":     {fal.Usage{Endpoint: klein3 + "edit-image/lora", Outputs: 1, Size: fal.Size(2048, 2048), Inputs: []fal.File{hd}}, "$0.01872", "$0.01872", "$0.01872"},
		"klein 3 LoRA, between":     {fal.Usage{Endpoint: klein3 + "text-to-image/lora", Outputs: 1, Size: fal.Size(1536, 1536)}, "$0.012", "$0.01872", "$0.01872"},
		"klein 3 trainer":           {fal.Usage{Endpoint: klein3 + "base/trainer", Outputs: 1, Steps: 1000}, "$4.30", "$4.30", "$4.30"},
		"klein 3 trainer, few":      {fal.Usage{Endpoint: klein3 + "base/trainer", Outputs: 1, Steps: 10}, "$0.43", "$0.43", "$0.43"},
		"klein 3 edit trainer, 1":   {fal.Usage{Endpoint: klein3 + "base/trainer/edit", Outputs: 1, Steps: 1000, References: 1}, "$4.22", "$4.22", "$4.22"},
		"klein 3 edit trainer, 4":   {fal.Usage{Endpoint: klein3 + "base/trainer/edit", Outputs: 1, Steps: 1000, References: 4}, "$13.90", "$13.90", "$13.90"},
		"klein 3 edit trainer, 5":   {fal.Usage{Endpoint: klein3 + "base/trainer/edit", Outputs: 1, Steps: 1000, References: 5}, "$13.90", "$46.88", "$46.88"},
		"klein 3 edit trainer, 9":   {fal.Usage{Endpoint: klein3 + "base/trainer/edit", Outputs: 1, Steps: 1000, References: 9}, "$13.90", "$46.88", "$46.88"},
		"klein 3 edit trainer, 10":  {fal.Usage{Endpoint: klein3 + "base/trainer/edit", Outputs: 1, Steps: 1000, References: 10}, "$46.88", "$46.88", "$46.88"},
		"klein 3 edit trainer, any": {fal.Usage{Endpoint: klein3 + "base/trainer/edit", Outputs: 1, Steps: 1000}, "$4.22", "$4.22", "$46.88"},
		"klein 3 edit trainer, 1-3": {fal.Usage{Endpoint: klein3 + "base/trainer/edit", Outputs: 1, Steps: 1000, References: 3, LeastReferences: 1}, "$4.22", "$10.18", "$10.18"},
		"klein 3 edit trainer, 2-6": {fal.Usage{Endpoint: klein3 + "base/trainer/edit", Outputs: 1, Steps: 1000, References: 6, LeastReferences: 2}, "$6.88", "$46.88", "$46.88"},
		"try-on":                    {fal.Usage{Endpoint: "fal-ai/flux-pro/v1/vto", Outputs: 1, Size: fal.Size(1024, 1024), Inputs: []fal.File{hd, hd}}, "$0.0475", "$0.0475", "$0.0475"},
		"try-on, larger":            {fal.Usage{Endpoint: "fal-ai/flux-pro/v1/vto", Outputs: 1, Size: fal.Size(2048, 1024), Inputs: []fal.File{sized(1024, 1025), hd}}, "$0.0575", "$0.0575", "$0.0575"},
		"erase":                     {fal.Usage{Endpoint: "fal-ai/flux-pro/v1/erase", Outputs: 1, Size: fal.Size(1024, 1024), Inputs: []fal.File{hd}}, "$0.042", "$0.042", "$0.042"},
		"erase, with mask, 4 MP":    {fal.Usage{Endpoint: "fal-ai/flux-pro/v1/erase", Outputs: 1, Size: fal.Size(2048, 2048), Inputs: []fal.File{sized(2048, 2048), sized(2048, 2048)}}, "$0.074", "$0.074", "$0.074"},
		"outpaint, input uncounted": {fal.Usage{Endpoint: "fal-ai/flux-2-pro/outpaint", Outputs: 1, Size: fal.Size(512, 512)}, "$0.03", "$0.03", "$0.03"},
		"outpaint":                  {fal.Usage{Endpoint: "fal-ai/flux-2-pro/outpaint", Outputs: 1, Size: fal.Size(2048, 1024), Inputs: []fal.File{hd}}, "$0.06", "$0.06", "$0.06"},
		"outpaint of a picture":     {fal.Usage{Endpoint: "fal-ai/flux-2-pro/outpaint", Outputs: 1, MatchInput: 1, Wider: 1, Higher: 1024, Inputs: []fal.File{hd}}, "$0.075", "$0.075", "$0.075"},
		"redux, first name":         {fal.Usage{Endpoint: "fal-ai/flux/dev/redux", Outputs: 1, Size: fal.Size(1024, 1024)}, "$0.025", "$0.025", "$0.025"},
		"LoRAs of 4.5 GB":           {fal.Usage{Endpoint: "fal-ai/flux-2/lora", Outputs: 1, Size: fal.Size(1024, 1024), LoRAs: 2, LoRABytes: 45e8}, "$0.0525", "$0.0525", "$0.0525"},
		"LoRAs and an input":        {fal.Usage{Endpoint: "fal-ai/flux-2/lora/edit", Outputs: 1, Size: fal.Size(1024, 1024), Inputs: []fal.File{hd}, LoRAs: 1, LoRABytes: 25e8}, "$0.063", "$0.063", "$0.063"},
		"klein 4B edit, LoRA":       {fal.Usage{Endpoint: "fal-ai/flux-2/klein/4b/edit/lora", Outputs: 1, Size: fal.Size(1024, 1024), Inputs: []fal.File{sized(512, 512)}, LoRAs: 1}, "$0.02", "$0.02", "$0.02"},
		"klein 4B, LoRA":            {fal.Usage{Endpoint: "fal-ai/flux-2/klein/4b/lora", Outputs: 1, Size: fal.Size(1024, 1024), LoRAs: 1}, "$0.01", "$0.01", "$0.01"},
		"klein 4B base edit, LoRA":  {fal.Usage{Endpoint: "fal-ai/flux-2/klein/4b/base/edit/lora", Outputs: 1, Size: fal.Size(1024, 1024), Inputs: []fal.File{sized(512, 512)}, LoRAs: 1}, "$0.032", "$0.032", "$0.032"},
		"trainer v2":                {fal.Usage{Endpoint: "fal-ai/flux-2-trainer-v2", Outputs: 1, Steps: 500}, "$3.20", "$3.20", "$3.20"},
		"klein 9B edit trainer":     {fal.Usage{Endpoint: "fal-ai/flux-2-klein-9b-base-trainer/edit", Outputs: 1, Steps: 1000, References: 1}, "$4.22", "$4.22", "$4.22"},
		"an old price no dispute":   {fal.Usage{Endpoint: "fal-ai/flux-2-trainer-v2/edit", Outputs: 1, Steps: 1000, References: 1}, "$11.816", "$11.816", "$11.816"},
		"second name of a trainer":  {fal.Usage{Endpoint: "fal-ai/qwen-image-edit-plus-trainer", Outputs: 1, Steps: 10}, "$0.40", "$0.40", "$0.40"},
	} {
		q, err := pricing.EstimateUsage(tt.usage)
		if got := [3]string{q.Min.String(), q.Expected.String(), q.Max.String()}; err != nil || got != [3]string{tt.min, tt.likely, tt.max} {
			t.Errorf("%s: %v, want %s, %s and %s at most\n%v, %v", name, got, tt.min, tt.likely, tt.max, err, q)
		}
		if q.Exact() != (len(q.Unknowns()) == 0) {
			t.Errorf("%s: not known is %q", name, q.Unknowns())
		}
		if sum := slices.Collect(q.Lines()); len(sum) == 0 {
			t.Errorf("%s: no lines", name)
		}
	}
	for name, tt := range map[string]struct {
		usage fal.Usage
		lines string
	}{
		"a tier by name":      {fal.Usage{Endpoint: flux3 + "text-to-image", Outputs: 1, Resolution: "2k"}, "1 output at 2k: $0.05 to $0.10, expected $0.10"},
		"several of a tier":   {fal.Usage{Endpoint: qwen3 + "text-to-image", Outputs: 3, Size: fal.Size(1024, 1024)}, "3 outputs up to 2250000 pixels: 3 x $0.04 = $0.12"},
		"the largest tier":    {fal.Usage{Endpoint: qwen3 + "text-to-image", Outputs: 1, Size: fal.Size(2048, 2048)}, "1 output of more than 2359297 pixels: $0.075"},
		"any tier":            {fal.Usage{Endpoint: qwen3 + "edit", Outputs: 1, Inputs: []fal.File{hd, hd}}, "1 output up to 2250000 pixels or of more than 2359297 pixels: $0.04 to $0.075, expected $0.04; 2 inputs: $0.00 to $0.006, expected $0.006"},
		"a tier of both":      {fal.Usage{Endpoint: klein3 + "text-to-image", Outputs: 1, Size: fal.Size(1024, 1024)}, "1 output at 1k (up to 1048576 pixels): $0.009"},
		"fractions":           {fal.Usage{Endpoint: "fal-ai/qwen-image-2.1/edit", Outputs: 2, Size: fal.Size(1280, 720), Inputs: []fal.File{sized(1000, 500)}}, "2 outputs x 0.94208 MP: $0.069085867; input 1 x 0.5 MP: $0.018333334"},
		"fractions of a span": {fal.Usage{Endpoint: "fal-ai/qwen-image-2.1", Outputs: 1, MaxPixels: 2_000_000}, "1 output x 0.001024 to 2 MP: $0.00002048 to $0.04, expected $0.02097152"},
		"inputs first":        {fal.Usage{Endpoint: "fal-ai/flux-pro/v1/vto", Outputs: 2, Size: fal.Size(2048, 1024), Inputs: []fal.File{sized(2000, 2000), hd}}, "2 outputs x 2 MP: 4 x $0.005 = $0.02; input 1 x 4 MP: $0.0375 + 3 x $0.005 = $0.0525; input 2 x 1 MP: $0.005"},
		"inputs at least":     {fal.Usage{Endpoint: "fal-ai/flux-pro/v1/erase", Outputs: 1, Size: fal.Size(1024, 1024), Inputs: []fal.File{hd}}, "1 output x 1 MP: $0.03; input 1 x 1 MP: $0.004; up to the minimum charge: $0.008"},
		"a surcharge":         {fal.Usage{Endpoint: "fal-ai/flux-2/lora/edit", Outputs: 2, Size: fal.SquareHD, LoRAs: 2, LoRABytes: 45e8, Inputs: []fal.File{hd, hd}}, "2 outputs x 1 MP: 2 x $0.021 = $0.042; 2 inputs x 1 MP: 2 x $0.021 = $0.042; 2 x large LoRA weights: $0.126"},
	} {
		q, err := pricing.EstimateUsage(tt.usage)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var lines []string
		for l := range q.Lines() {
			lines = append(lines, l.String())
			if each := strings.HasPrefix(l.String(), "input ") || l.Item == pricing.ItemMinimum; l.Count < 1 || each != (l.Count == 1 && !strings.HasPrefix(l.String(), "1 ")) {
				t.Errorf("%s: %d on the line %v", name, l.Count, l)
			}
		}
		if got := strings.Join(lines, "; "); got != tt.lines {
			t.Errorf("%s: %s\nwant %s", name, got, tt.lines)
		}
	}
	for name, u := range map[string]fal.Usage{
		"the refused resolution": {Endpoint: flux3 + "text-to-image", Outputs: 1, Resolution: "512sq"},
		"no such resolution":     {Endpoint: flux3 + "text-to-image", Outputs: 1, Resolution: "8k"},
		"no resolution":          {Endpoint: flux3 + "text-to-image", Outputs: 1, Size: fal.SquareHD},
		"LoRA past 2K":           {Endpoint: klein3 + "text-to-image/lora", Outputs: 1, Size: fal.Size(2049, 2048)},
		"LoRA of any size":       {Endpoint: klein3 + "edit-image/lora", Outputs: 1, Inputs: []fal.File{hd}},
		"past 4K":                {Endpoint: klein3 + "text-to-image", Outputs: 1, Size: fal.Size(4097, 4096)},
	} {
		if _, err := pricing.EstimateUsage(u); err == nil || !isUnknown(err) {
			t.Errorf("%s: %v, want ErrUnknown", name, err)
		}
	}
	for name, u := range map[string]fal.Usage{
		"eleven references": {Endpoint: klein3 + "base/trainer/edit", Outputs: 1, Steps: 1000, References: 11},
		"LoRAs of 6 GB":     {Endpoint: "fal-ai/flux-2/lora", Outputs: 1, Size: fal.SquareHD, LoRAs: 2, LoRABytes: 6e9},
	} {
		if _, err := pricing.EstimateUsage(u); err == nil || isUnknown(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func isUnknown(err error) bool { return errors.Is(err, pricing.ErrUnknown) }

// Second names of an endpoint share its price, and no price cites a source that
// says otherwise.
func TestSourcesAgree(t *testing.T) {
	t.Parallel()
	for _, e := range catalog.All() {
		first, ok := pricing.Embedded().Price(e.ID)
		if !ok {
			t.Errorf("no price of %s", e.ID)
		}
		for _, id := range e.Aliases {
			second, _ := pricing.Embedded().Price(id)
			second.Endpoint = e.ID
			if diff := cmp.Diff(first, second); diff != "" {
				t.Errorf("%s (-first +second)\n%s", id, diff)
			}
		}
	}
	for p := range pricing.Embedded().Prices() {
		for _, a := range p.Alternates {
			for _, s := range p.Sources {
				if a.Per == "" && (strings.HasPrefix(a.Where, s) || strings.HasPrefix(s, a.Where)) {
					t.Errorf("%s: %s is cited for it, and says %v", p.Endpoint, s, a)
				}
			}
		}
		if p.AsOf > "2026-11-26" || p.AsOf == "2026-11-23" {
			t.Errorf("%s: as of %s, which no source is of", p.Endpoint, p.AsOf)
		}
	}
}
