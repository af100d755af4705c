package pricing_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"math"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/pricing"
)

func pngFile(t testing.TB, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUSDText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0.045": "$0.045", "0.03": "$0.03", "0": "$0.00", "5": "$5.00", "1234.5": "$1234.50", "0.000000001": "$0.000000001",
		"9223372036.854775807": "$9223372036.854775807", "-0.5": "-$0.50",
	} {
		v, err := pricing.ParseUSD(text)
		if err != nil || v.String() != want {
			t.Errorf("ParseUSD(%q) = %v, %v, want %s", text, v, err, want)
		}
		b, err := json.Marshal(map[pricing.USD]pricing.USD{v: v})
		var back map[pricing.USD]pricing.USD
		if err != nil || json.Unmarshal(b, &back) != nil || back[v] != v {
			t.Errorf("%s went through JSON as %s", text, b)
		}
	}
	for _, bad := range []string{"", ".", "1.", ".5", "1e3", "0x1", "1_000", "NaN", "0.0000000001", "9223372036.854775808", "--1", "1,5", "$"} {
		if v, err := pricing.ParseUSD(bad); err == nil {
			t.Errorf("ParseUSD(%q) = %v", bad, v)
		}
	}
}

func TestUSDArithmetic(t *testing.T) {
	t.Parallel()
	const most, least = pricing.USD(math.MaxInt64), pricing.USD(math.MinInt64)
	fails := func(name string, err error) {
		if !errors.Is(err, pricing.ErrOverflow) {
			t.Errorf("%s: %v, want ErrOverflow", name, err)
		}
	}
	_, err := most.Add(1)
	fails("Add", err)
	_, err = least.Add(-1)
	fails("Add below", err)
	_, err = least.Sub(1)
	fails("Sub", err)
	_, err = most.Mul(2)
	fails("Mul", err)
	_, err = least.Mul(-1)
	fails("Mul of the least", err)
	_, err = most.Scale(3, 2)
	fails("Scale", err)
	// Scaling rounds up: 10 billionths by a third are 4.
	if v, err := pricing.USD(10).Scale(1, 3); v != 4 || err != nil {
		t.Errorf("Scale = %d, %v, want 4", int64(v), err)
	}
	if v, err := most.Scale(7, 7); v != most || err != nil {
		t.Errorf("Scale by one = %v, %v", v, err)
	}
	if _, err := pricing.USD(1).Scale(1, 0); err == nil {
		t.Error("scaled by a fraction of nothing")
	}
}

func FuzzParseUSD(f *testing.F) {
	for _, s := range []string{"0.045", "-1", "9223372036.854775807", "1e9", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := pricing.ParseUSD(s)
		if err != nil {
			return
		}
		text, err := v.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := pricing.ParseUSD(string(text)); err != nil || again != v {
			t.Errorf("%q became %s, which became %v, %v", s, text, again, err)
		}
	})
}

func TestUSDFromJSON(t *testing.T) {
	t.Parallel()
	var got struct{ A, B pricing.USD }
	got.B = pricing.Cent
	if err := json.Unmarshal([]byte(`{"A":"$0.25","B":null}`), &got); err != nil || got.A != 25*pricing.Cent || got.B != pricing.Cent {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{`0.25`, `"x"`, `true`, `["1"]`} {
		if err := json.Unmarshal([]byte(`{"A":`+bad+`}`), &got); err == nil || !strings.Contains(err.Error(), "pricing: amount") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
