package main

import (
	"slices"

	"github.com/falimage/falimage-go/fal/faltest"
)

// inject changes what the local fal tells, in each of the ways that fal itself
// may: what is to be found is in [injected].
func inject(srv *faltest.Server) {
	srv.ChangeModels(func(models []map[string]any) []map[string]any {
		models = slices.DeleteFunc(models, func(m map[string]any) bool { return m["endpoint_id"] == "fal-ai/flux-lora" })
		for _, m := range models {
			switch m["endpoint_id"] {
			case "fal-ai/flux/schnell":
				object(m, "metadata")["status"] = "deprecated"
			case "fal-ai/flux-2-pro":
				input := object(m, "openapi", "components", "schemas", "Pro2Input")
				delete(object(input, "properties"), "safety_tolerance")
				object(input, "properties")["mood"] = map[string]any{"type": "string"}
				object(input, "properties")["seed"] = map[string]any{"type": "string"}
				input["required"] = []string{"prompt", "image_size"}
			case "fal-ai/flux/dev":
				properties := object(m, "openapi", "components", "schemas", "DevInput", "properties")
				object(properties, "num_inference_steps")["default"] = 30
				object(properties, "num_images")["maximum"] = 8
				object(properties, "output_format")["enum"] = []string{"jpeg", "png", "avif"}
			}
		}
		return append(models, map[string]any{
			"endpoint_id": "fal-ai/qwen-image-edit-trainer", "metadata": map[string]any{"status": "active", "category": "training"},
		}, map[string]any{
			"endpoint_id": "blackforestlabs/flux-9", "metadata": map[string]any{"status": "active", "category": "text-to-image", "display_name": "FLUX 9"},
		})
	})
	srv.SetPrice("fal-ai/qwen-image", "0.03", "megapixels")
	srv.SetPrice("fal-ai/flux-pro/v1.1", "0.04", "compute seconds")
}

// object returns the object inside another at the end of a path; an empty one
// where there is none.
func object(m map[string]any, path ...string) map[string]any {
	for _, name := range path {
		inner, ok := m[name].(map[string]any)
		if !ok {
			return map[string]any{}
		}
		m = inner
	}
	return m
}
