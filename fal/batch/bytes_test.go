package batch_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/faltest"
)

// What is no UTF-8 in a result is kept as what every journal can keep, and the rest of
// it byte by byte.
func TestBytes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ body, want string }{
		"bytes":          {"{\"a\":\"x\xff\xfey\",\"b\":1.50}", `{"a":"x` + "\ufffd" + `y","b":1.50}`},
		"valid":          {`{"z":"ä\u0000\ud83d","a":[1e3,0.10,18446744073709551615]}`, `{"z":"ä\u0000\ud83d","a":[1e3,0.10,18446744073709551615]}`},
		"has it already": {`{"a":"` + "\ufffd" + `"}`, `{"a":"` + "\ufffd" + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := faltest.NewServer(t)
			srv.Inject(faltest.OpResult, faltest.Answer(200, tt.body, "Content-Type", "application/json"), 1)
			run := &batch.Runner{Client: quick(srv), Journal: batch.Memory()}
			it := batch.Item[json.RawMessage]{Key: "a", Request: fal.Call[json.RawMessage]{ID: "fal-ai/flux/schnell", Input: map[string]any{"prompt": "a mug"}}}
			res, err := batch.Step(t.Context(), run, it)
			if err != nil || res.State != batch.Done || !utf8.Valid(res.Result) || string(res.Result) != tt.want {
				t.Errorf("%s %q, want %q: %v", res.State, res.Result, tt.want, err)
			}
			again, err := batch.Step(t.Context(), run, it)
			if err != nil || !again.Kept || string(*again.Out) != tt.want {
				t.Errorf("again: %q: %v", *again.Out, err)
			}
		})
	}
}
