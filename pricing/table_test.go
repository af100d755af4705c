package pricing_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
)

// Every embedded price is complete: a rule with its confidence, date and
// sources, or words on why there is none.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	units := make(map[string]int)
	undated := map[string]bool{"fal-ai/flux-2/klein/9b": true, "fal-ai/qwen-image-trainer-v2": true}
	for p := range pricing.Embedded().Prices() {
		switch {
		case p.Rule == nil:
			units["unknown"]++
			if p.Unknown == "" {
				t.Errorf("%s: no rule and no reason", p.Endpoint)
			}
		case len(p.Sources) == 0 || p.AsOf == "" && !undated[p.Endpoint] || p.Confidence == "" || p.Rounding == "":
			t.Errorf("%s: incomplete: %+v", p.Endpoint, p)
		default:
			units[p.Rule.Unit()]++
		}
		for _, a := range p.Alternates {
			if a.Where == "" || !strings.Contains(a.String(), a.Where) {
				t.Errorf("%s: alternate %v", p.Endpoint, a)
			}
		}
	}
	want := map[string]int{
		"megapixel": 128, "tiered megapixel": 7, "image": 14, "tiered image": 9, "request": 2, "step": 23, "compute second": 3, "unknown": 3,
	}
	if diff := cmp.Diff(want, units); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A table goes through its file form unchanged.
func TestTableJSON(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(pricing.Embedded())
	if err != nil {
		t.Fatal(err)
	}
	back, err := pricing.ReadTable(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for p := range pricing.Embedded().Prices() {
		got, ok := back.Price(p.Endpoint)
		if diff := cmp.Diff(p, got); !ok || diff != "" {
			t.Errorf("%s (-want +got)\n%s", p.Endpoint, diff)
		}
	}
	if back.Len() != pricing.Embedded().Len() {
		t.Errorf("%d prices, want %d", back.Len(), pricing.Embedded().Len())
	}
}

func TestReadTableRefuses(t *testing.T) {
	t.Parallel()
	for name, price := range map[string]string{
		"no JSON":          `x`,
		"no endpoint":      `{"per": "image", "price": "1"}`,
		"price of nothing": `{"endpoint": "a/b", "per": "image"}`,
		"a number":         `{"endpoint": "a/b", "per": "image", "price": 0.1}`,
		"negative":         `{"endpoint": "a/b", "per": "image", "price": "-1"}`,
		"unknown unit":     `{"endpoint": "a/b", "per": "pixel", "price": "1"}`,
		"unknown field":    `{"endpoint": "a/b", "per": "image", "price": "1", "weekends": "2"}`,
		"foreign field":    `{"endpoint": "a/b", "per": "image", "price": "1", "min_steps": 3}`,
		"unknown inputs":   `{"endpoint": "a/b", "per": "megapixel", "price": "1", "inputs": "half"}`,
		"no second price":  `{"endpoint": "a/b", "per": "tiered megapixel", "first": "1", "inputs": "rounded up"}`,
		"many multipliers": `{"endpoint": "a/b", "per": "step", "price": "1", "references": ["1","1","1","1","1","1","1","1","1","1","1"]}`,
		"no first factor":  `{"endpoint": "a/b", "per": "step", "price": "1", "references": ["0", "2"]}`,
		"lower multiplier": `{"endpoint": "a/b", "per": "step", "price": "1", "references": ["2", "3", "2", "4"]}`,
		"LoRA for nothing": `{"endpoint": "a/b", "per": "megapixel", "price": "1", "lora": {"free_gb": 2, "per_gb": "0", "max_gb": 5}}`,
		"free alternate":   `{"endpoint": "a/b", "per": "image", "price": "1", "alternates": [{"price": "0", "where": "x"}]}`,
		"twice":            `{"endpoint": "a/b", "per": "image", "price": "1"}, {"endpoint": "a/b", "per": "image", "price": "2"}`,
	} {
		table, err := pricing.ReadTable(strings.NewReader(`{"prices": [` + price + `]}`))
		if err == nil {
			t.Errorf("%s: read as %+v", name, table)
		} else if name == "lower multiplier" && !strings.Contains(err.Error(), "multiplier 3 is 2") {
			t.Error(err)
		}
	}
}

// Prices are overridden in code and by file, and the table they came from
// stays as it was.
func TestOverride(t *testing.T) {
	t.Parallel()
	usage := fal.Usage{Endpoint: "fal-ai/flux-2-pro", Outputs: 2, Size: fal.SquareHD}
	inCode, err := pricing.Embedded().With(pricing.Price{Endpoint: usage.Endpoint, Rule: pricing.PerImage{Price: pricing.Cent}, Sources: []string{"our contract"}})
	if err != nil {
		t.Fatal(err)
	}
	file, err := pricing.ReadTable(strings.NewReader(`{"as_of": "2027-01-01", "prices": [{"endpoint": "fal-ai/flux-2-pro", "per": "request", "price": "0.05"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		table *pricing.Table
		want  pricing.USD
	}{
		"embedded": {pricing.Embedded(), 6 * pricing.Cent},
		"in code":  {inCode, 2 * pricing.Cent},
		"by file":  {pricing.Embedded().Merge(file), 5 * pricing.Cent},
	} {
		if q, err := tt.table.Estimate(usage); err != nil || q.Expected != tt.want {
			t.Errorf("%s: %v, %v, want %v", name, q.Expected, err, tt.want)
		}
	}
	var none *pricing.Table
	if _, err := none.Estimate(usage); !errors.Is(err, pricing.ErrUnknown) {
		t.Errorf("no table: %v", err)
	}
	for name, p := range map[string]pricing.Price{
		"nothing":     {Endpoint: "a/b"},
		"no endpoint": {Rule: pricing.PerImage{Price: pricing.Cent}},
		"free":        {Endpoint: "a/b", Rule: pricing.PerImage{}},
	} {
		if _, err := pricing.NewTable(p); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzReadTable(f *testing.F) {
	f.Add([]byte(`{"prices": [{"endpoint": "a/b", "per": "step", "price": "0.0046", "references": ["2.11", "3.44", "5.09", "6.95"]}]}`))
	f.Add([]byte(`{"as_of": "x", "prices": [{"endpoint": "a/b", "per": "tiered megapixel", "first": "1", "extra": "9", "inputs": "rounded up", "input_cap": 4}]}`))
	f.Add([]byte(`{"prices": [{"endpoint": "a/b", "per": "step", "price": "0.01", "max_steps": 500}]}`))
	f.Add([]byte(`{"prices": [{"endpoint": "a/b", "per": "tiered megapixel", "first": "2", "extra": "1", "inputs": "rounded up", "alternates": [{"price": "9", "where": "x"}, {"price": "1", "where": "y"}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := pricing.ReadTable(bytes.NewReader(data))
		if err != nil {
			return
		}
		for p := range table.Prices() {
			for _, steps := range []int{0, 7, 5000} {
				q, err := table.Estimate(fal.Usage{Endpoint: p.Endpoint, Outputs: 3, Steps: steps, LoRAs: 1, Inputs: []fal.File{fal.URL("https://x.example/a")}})
				if err == nil && (q.Min <= 0 || q.Min > q.Expected || q.Expected > q.Max) {
					t.Errorf("%+v, %d steps: %v to %v, expected %v", p, steps, q.Min, q.Max, q.Expected)
				}
			}
		}
	})
}

// A table that cannot be meant as it stands is refused.
func TestTableRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a second table":         `{"prices":[]}{"prices":[]}`,
		"something after it":     `{"prices":[]} x`,
		"null":                   `null`,
		"nothing":                `{}`,
		"unknown with a price":   `{"prices":[{"endpoint":"a/b","unknown":"x","price":"0.01"}]}`,
		"unknown with a unit":    `{"prices":[{"endpoint":"a/b","unknown":"x","per":"image"}]}`,
		"misspelt confidence":    `{"prices":[{"endpoint":"a/b","per":"image","price":"0.01","price_confidence":"hihg"}]}`,
		"a key given twice":      `{"prices":[{"endpoint":"a/b","per":"image","price":"0.01","price":"7"}]}`,
		"a list given twice":     `{"prices":[],"prices":[]}`,
		"a key in capitals":      `{"prices":[{"endpoint":"a/b","per":"image","PRICE":"8"}]}`,
		"null for a field":       `{"prices":[{"endpoint":"a/b","per":"image","price":"8","sources":null}]}`,
		"null for a price":       `{"prices":[null]}`,
		"probable with a price":  `{"prices":[{"endpoint":"a/b","per":"image","price":"0.01","probable":"0.02"}]}`,
		"probably below zero":    `{"prices":[{"endpoint":"a/b","unknown":"x","probable":"-1"}]}`,
		"least more than most":   `{"prices":[{"endpoint":"a/b","per":"step","price":"0.01","min_steps":50,"max_steps":5}]}`,
		"less than no steps":     `{"prices":[{"endpoint":"a/b","per":"step","price":"0.01","max_steps":-1}]}`,
		"less than no minimum":   `{"prices":[{"endpoint":"a/b","per":"step","price":"0.01","min_charge":"-1"}]}`,
		"a field of another one": `{"prices":[{"endpoint":"a/b","per":"image","price":"0.01","max_steps":3}]}`,
	} {
		if _, err := pricing.ReadTable(strings.NewReader(text)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	rule := pricing.PerImage{Price: pricing.Cent}
	for name, p := range map[string]pricing.Price{
		"misspelt confidence": {Endpoint: "a/b", Rule: rule, Confidence: "hihg"},
		"misspelt rounding":   {Endpoint: "a/b", Rule: rule, Rounding: "hihg"},
		"unknown with a rule": {Endpoint: "a/b", Rule: rule, Unknown: "x"},
	} {
		if _, err := pricing.NewTable(p); err == nil {
			t.Errorf("in code: %s was accepted", name)
		}
	}
	// The same key in two objects is no other thing than it should be.
	text := `{"prices":[{"endpoint":"a/b","per":"image","price":"0.01","alternates":[{"price":"1","where":"x"},{"price":"2","where":"y"}],"sources":["price","price"]},
		{"endpoint":"a/c","per":"image","price":"0.01"}]}`
	if table, err := pricing.ReadTable(strings.NewReader(text)); err != nil || table.Len() != 2 {
		t.Errorf("%d prices, %v", table.Len(), err)
	}
}

func TestEstimateOfNilPointer(t *testing.T) {
	t.Parallel()
	if _, err := pricing.Estimate((*flux.Pro2)(nil)); !errors.Is(err, pricing.ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
}
