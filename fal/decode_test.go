package fal_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
)

// Whatever else is odd about a result, a picture that is in it is not lost, and
// numbers are read in every form that they come in.
func TestOddResults(t *testing.T) {
	t.Parallel()
	const url = "https://x.example/a.png"
	picture := fal.Image{URL: url}
	for _, tt := range []struct {
		body string
		want fal.Images
	}{
		{`{"images":[{"url":"` + url + `"}],"seed":"18446744073709551615"}`, fal.Images{Images: []fal.Image{picture}, Seed: 18446744073709551615}},
		{`{"images":[{"url":"` + url + `"}],"seed":42.0}`, fal.Images{Images: []fal.Image{picture}, Seed: 42}},
		{`{"images":[{"url":"` + url + `"}],"seed":-1}`, fal.Images{Images: []fal.Image{picture}}},
		{`{"images":[{"url":"` + url + `"}],"seed":1.5,"prompt":["p"],"timings":[1]}`, fal.Images{Images: []fal.Image{picture}}},
		{`{"images":[{"url":"` + url + `"}],"seed":{"a":1},"prompt":"p","timings":{"inference":1.5,"steps":[1],"all":"2s"}}`, fal.Images{Images: []fal.Image{picture}, Prompt: "p", Timings: map[string]float64{"inference": 1.5}}},
		{`{"images":[{"url":"` + url + `","width":"1024","height":768.0,"file_size":"12","content_type":null,"file_name":7}]}`, fal.Images{Images: []fal.Image{{URL: url, Width: 1024, Height: 768, FileSize: 12}}}},
		{`{"images":[{"url":"` + url + `","width":1e99,"height":-5,"file_size":1e30}]}`, fal.Images{Images: []fal.Image{picture}}},
		{`{"images":[{"url":"` + url + `"}],"has_nsfw_concepts":true}`, fal.Images{Images: []fal.Image{picture}, HasNSFWConcepts: []bool{true}}},
		{`{"images":[{"url":"` + url + `"}],"has_nsfw_concepts":[null]}`, fal.Images{Images: []fal.Image{picture}, HasNSFWConcepts: []bool{false}}},
		{`{"images":[null,{"url":""},{"url":"` + url + `"},7],"has_nsfw_concepts":[false,false,true,false]}`, fal.Images{Images: []fal.Image{picture}, HasNSFWConcepts: []bool{true}}},
		{`{"image":{"url":"` + url + `"},"seed":"7"}`, fal.Images{Images: []fal.Image{picture}, Seed: 7}},
		{`{"images":{"a":1},"image":{"url":"` + url + `"}}`, fal.Images{Images: []fal.Image{picture}}},
	} {
		var got fal.Images
		if err := json.Unmarshal([]byte(tt.body), &got); err != nil {
			t.Errorf("%s: %v", tt.body, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.body, diff)
		}
	}
}

// A result that is stored as JSON keeps what is known about its call.
func TestStoredResult(t *testing.T) {
	t.Parallel()
	type own struct {
		fal.Meta
		Output string `json:"output"`
	}
	meta := fal.Meta{Endpoint: "fal-ai/x", RequestID: "r", BillableUnits: "1.5", Elapsed: 3, InferenceTime: 2}
	check := func(in, out any, same func() bool) {
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, out); err != nil || !same() {
			t.Errorf("%s became %+v, %v", b, out, err)
		}
	}
	images := fal.Images{Meta: meta, Images: []fal.Image{{URL: "u", Width: 1}}, Seed: 1 << 63, Prompt: "p"}
	var gotImages fal.Images
	check(images, &gotImages, func() bool { return cmp.Equal(images, gotImages) })
	training := fal.Training{Meta: meta, LoRA: fal.OutputFile{URL: "u"}}
	var gotTraining fal.Training
	check(training, &gotTraining, func() bool { return cmp.Equal(training, gotTraining) })
	mine := own{meta, "o"}
	var gotMine own
	check(mine, &gotMine, func() bool { return mine == gotMine })
}

// What the model says about itself is not taken for what fal says.
func TestMetaIsFals(t *testing.T) {
	t.Parallel()
	c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Fal-Request-Id", "real")
		_, _ = io.WriteString(w, `{"images":[{"url":"u"}],"meta":{"request_id":"other","billable_units":"9"},"request_id":"other"}`)
	})
	out, err := fal.Run(t.Context(), c, anyCall)
	if err != nil || out.RequestID != "real" || out.BillableUnits != "" {
		t.Errorf("%+v, %v", out, err)
	}
}

func FuzzResult(f *testing.F) {
	for _, s := range []string{`{}`, `null`, `[]`, `{"images":[{"url":"u","width":"7"}],"seed":"1"}`, `{"image":{"url":[]}}`, `{"images":7,"has_nsfw_concepts":[1,"x"]}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var images fal.Images
		if json.Unmarshal([]byte(body), &images) != nil {
			return
		}
		for _, i := range images.Images {
			if i.URL == "" || i.Width < 0 || i.Height < 0 || i.FileSize < 0 {
				t.Errorf("%s: %+v", body, i)
			}
		}
		if n := len(images.HasNSFWConcepts); n > len(images.Images) {
			t.Errorf("%s: %d flags for %d pictures", body, n, len(images.Images))
		}
	})
}
