package router

import (
	"iter"
	"slices"
)

// losses returns what of the task the endpoint cannot do.
func (r *route) losses(m *model) []Loss {
	var out []Loss
	for f, text := range r.lacks(m) {
		out = append(out, Loss{f, r.router.policy.Losses[f], text})
	}
	return out
}

// lacks yields the features of the task that an endpoint lacks.
func (r *route) lacks(m *model) iter.Seq2[Feature, string] {
	t := r.task
	return func(yield func(Feature, string) bool) {
		for _, l := range &[...]struct { // not copied
			is      bool
			feature Feature
			text    string
		}{
			{t.Structured != nil && !m.readsJSON(), FeatureStructured, "reads no JSON: the structured prompt is written as prose"},
			{r.known.facts.has(colors) && !m.knowsHex(), FeatureColors, "exact colours are not documented for it: they stand in the prompt in words"},
			{r.known.facts.has(mentions) && m.has&hasMentions == 0, FeatureMentions, "does not know @image1: the prompt says \"image 1\" instead"},
			{t.NegativePrompt != "" && m.has&hasNegative == 0, FeatureNegative, "has no negative prompt: it is left out"},
			{t.Seed != nil && m.has&hasSeed == 0, FeatureSeed, "takes no seed: it is left out"},
			{t.Steps != 0 && m.has&hasSteps == 0, FeatureSteps, "sets its steps by itself: they are left out"},
			{t.Guidance != nil && m.has&hasGuidance == 0, FeatureGuidance, "sets its guidance by itself: it is left out"},
			{r.sized() && m.has&hasSize == 0 && m.task != "outpaint", FeatureSize, r.sizeLoss(m)},
			{m.has&hasSize != 0 && m.fit(r.size) != r.size, FeatureSize, "does not take the size: it is scaled to what it takes"},
			{t.MinPixels > 0 && r.size == "" && r.unmeasured() && m.has&hasSize != 0, FeatureSize, "the size follows the picture, which may have fewer pixels than min_pixels"},
			{r.prompts.prose != "" && !m.takesPrompt() && (m.task != "outpaint" || !r.known.extent.alone), FeaturePrompt, "takes no prompt: it is left out"},
			{r.known.facts.has(multilingual) && m.chinese() && !r.chinese(), FeatureLanguage, "is documented for Chinese and English alone"},
			{!t.Mask.IsZero() && m.task != "inpaint" && m.task != "erase", FeatureMask, "takes no mask: it is left out"},
			{t.Strength != nil && m.has&hasStrength == 0, FeatureStrength, "sets by itself how much it makes anew: the strength is left out"},
			{r.known.facts.has(transparent) && !r.known.facts.has(final) && m.has&hasAlpha == 0, FeatureAlpha, "makes no transparent background: finals have it"},
			{r.opaque && m.has&hasAlpha == 0, FeatureAlpha, "makes no transparent background, and no model that is allowed does"},
			{t.Edit == EditAngle && m.task == "edit", FeatureAngle, "turns the camera by words alone: the prompt says where it goes"},
			{slices.ContainsFunc(t.LoRAs, func(l LoRA) bool { return l.Base == "" }), FeatureLoRABase, "the task does not say which model the LoRA was trained for: it may not fit"},
			{m.doubt != "", FeatureCurrent, m.doubt},
		} {
			if l.is && !yield(l.feature, l.text) {
				return
			}
		}
	}
}

// sized reports whether the task asks for a size.
func (r *route) sized() bool { return r.size != "" || r.task.Aspect != "" }

// unmeasured reports whether the size of the first picture is not known.
func (r *route) unmeasured() bool {
	return len(r.task.Pictures) > 0 && r.task.Pictures[0].Width == 0
}

func (r *route) sizeLoss(m *model) string {
	if m.has&hasResolution != 0 {
		return "takes aspect ratios and size classes: the size is that of the nearest of them"
	}
	if len(m.aspects) > 0 {
		return "takes aspect ratios alone: the size is its own, at the nearest ratio"
	}
	return "decides the size by itself"
}

// chinese reports whether the languages of the task are Chinese and English.
func (r *route) chinese() bool {
	return !slices.ContainsFunc(r.known.languages, func(tag string) bool { return primary(tag) != "zh" && primary(tag) != "en" })
}
