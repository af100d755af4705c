package fal

import (
	"cmp"
	"encoding/json"
)

// Training is the result of an endpoint that trains a LoRA.
type Training struct {
	Meta `json:"meta,omitzero"`

	// LoRA is the trained weights. Its URL is the Path of the LoRA in a
	// request: flux.LoRA{File: out.LoRA.File()}.
	LoRA OutputFile `json:"diffusers_lora_file"`
	// Config is the configuration that the weights were trained with.
	Config OutputFile `json:"config_file"`
	// DebugPreprocessedOutput is the training pictures as they were prepared;
	// few endpoints report it.
	DebugPreprocessedOutput OutputFile `json:"debug_preprocessed_output,omitzero"`
}

// UnmarshalJSON reads the result of every trainer: some call the weights
// lora_file. Fields of another type than documented are left out.
func (t *Training) UnmarshalJSON(data []byte) error {
	type plain Training // without this method
	old := struct {
		*plain
		LoRAFile OutputFile `json:"lora_file"`
	}{plain: (*plain)(t)}
	if err := json.Unmarshal(data, &old); !tolerant(err) {
		return err
	}
	t.LoRA = cmp.Or(t.LoRA, old.LoRAFile)
	return nil
}
