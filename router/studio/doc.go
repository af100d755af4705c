// Package studio does the tasks that package router chooses models for.
//
//	outcome, err := studio.Do(ctx, client, router.Task{Prompt: "a mug on marble, photo"})
//
// [Do] does a task and falls back on other models, [Draft] makes cheap variants
// and then better ones of those you pick, [Compare] does a task with several
// models at once. A task that takes two steps, such as a transparent picture by a
// model that makes none, is done in both. What they cost is known before ([PlanDrafts],
// [PlanComparison]), bounded by the task, and told after. What was made can be
// shown on a contact sheet of package sheet.
//
// How models are chosen is not in here but in package router, and how pictures
// are laid out in package sheet.
//
// The functions choose by the default policy; a [Studio] with a router of your
// own has them as methods.
package studio
