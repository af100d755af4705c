// Package router turns a need into a request: which FLUX or Qwen Image model,
// why, at what price, and what else.
//
//	routing, err := router.Route(router.Task{
//		Prompt: "a sign reading 'OPEN' on a glass door",
//	})
//	best := routing.Best() // Qwen Image, $0.02
//	out, err := fal.Subscribe(ctx, client, best.Request)
//
// Routing is a pure function: it sends nothing, opens no file, and gives the
// same answer each time. What needs a client is not in here: package studio does
// what was chosen, with fallbacks, drafts and comparisons, and package sheet
// shows it.
//
// # How models are chosen
//
// A [Task] says what is needed. What it does not say is detected in the prompt:
// text in quotes, the script of a language, words such as "infographic" or
// "shot on". [Routing.Facts] lists what was understood, and why.
//
// Models that cannot meet the needs are refused, each with its reasons. The
// others are ranked by points: for quality, speed and price, each times its
// weight, and by rules. What a task would lose on a model, such as a negative
// prompt on FLUX.2, costs it points and is listed; what must not be lost is
// named in [Task.Require].
//
// Where no model meets a need alone, or two do it better, a candidate takes two
// steps: a transparent background, layers of a prompt, more pixels than a model
// makes, a poster with exact lettering over a photo. [Candidate.Then] is the second; the price is
// that of both. [Task.Require] with [FeatureOneStep] refuses that.
//
// The points, weights and rules are data: a [Policy], which can be read,
// changed and written. [ArticlePolicy] is the advice of the article "FLUX vs. Qwen
// Image" of 2026-03-17: photorealism, speed, in-context editing and prompt
// control go to FLUX; text, other languages, many elements, layers, removal and
// camera angles to Qwen Image; drafts to FLUX.1 [schnell] and FLUX.2 [flash]. The
// [DefaultPolicy] is that with the models of today: those that fal has withdrawn
// are refused unless a task names them, those that are gone from its list come
// last, and [Routing.Article] says where that makes a difference and why.
//
// Models that the package does not know are added by [Policy.Models].
//
// Prices come from package pricing. Models whose price no source tells are
// refused unless the task allows them.
package router
