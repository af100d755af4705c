package fal_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
)

func TestTraining(t *testing.T) {
	t.Parallel()
	want := fal.Training{
		LoRA:   fal.OutputFile{URL: "https://example.com/lora.safetensors", FileSize: 7},
		Config: fal.OutputFile{URL: "https://example.com/config.json"},
	}
	for _, name := range []string{"diffusers_lora_file", "lora_file"} {
		text := `{"` + name + `":{"url":"https://example.com/lora.safetensors","file_size":7},` +
			`"config_file":{"url":"https://example.com/config.json"},"debug_preprocessed_output":null}`
		var got fal.Training
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	var odd fal.Training
	if err := json.Unmarshal([]byte(`{"config_file":[],"lora_file":{"url":"u","file_size":"7"}}`), &odd); err != nil || odd.LoRA != (fal.OutputFile{URL: "u", FileSize: 7}) {
		t.Errorf("%+v, %v: a list in place of a file costs the weights", odd, err)
	}
}
