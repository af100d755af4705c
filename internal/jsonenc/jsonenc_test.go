package jsonenc_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/falimage/falimage-go/internal/jsonenc"
)

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "quote \" back \\ slash", "a\nb\tc\rd\be\ff\x00\x1f\x7f", "<b>&</b>",
		"Grüße 世界 🎨", "bad \xff\xfe utf8 \xe4\xb8", "line\u2028sep\u2029", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := jsonenc.AppendString([]byte("x"), s); string(got) != "x"+string(want) {
			t.Errorf("AppendString(%q) = %s, want %s", s, got[1:], want)
		}
	})
}

func FuzzAppendFloat(f *testing.F) {
	for _, v := range []float64{0, math.Copysign(0, -1), 1, 3.5, -2.25, 1e-6, 9.99e-7, 1e20, 1e21, 5e-5, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.NaN()} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v float64) {
		want, wantErr := json.Marshal(v)
		got, err := jsonenc.AppendFloat(nil, v)
		if (err != nil) != (wantErr != nil) {
			t.Fatalf("AppendFloat(%v) error = %v, encoding/json says %v", v, err, wantErr)
		}
		if err == nil && string(got) != string(want) {
			t.Errorf("AppendFloat(%v) = %s, want %s", v, got, want)
		}
	})
}
