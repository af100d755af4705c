// Package falimage is the overview of a module for making images with the FLUX
// and Qwen Image model families on fal. It holds no code: import the packages.
//
//   - [github.com/falimage/falimage-go/fal] is the client: it submits requests,
//     follows, resumes and cancels jobs, uploads and downloads files.
//   - [github.com/falimage/falimage-go/flux] and
//     [github.com/falimage/falimage-go/qwen] have one request type for each
//     model.
//   - [github.com/falimage/falimage-go/fal/dataset] packs pictures and captions for
//     the LoRA trainers.
//   - [github.com/falimage/falimage-go/pricing] knows what a request will
//     cost, and what it did cost, in exact money.
//   - [github.com/falimage/falimage-go/router] turns a need into the right
//     request: which model, why, at what price, and what to do when it fails.
//   - [github.com/falimage/falimage-go/fal/faltest] is a local fal, for tests
//     and for trying everything without a key.
//
// # Five promises
//
// It never pays twice: a request that fal may have accepted is never sent
// again. The price is known before and proved after. Wrong requests do not
// compile, or are refused before they cost anything. Nothing is lost: every
// error after a job was accepted carries its id, and [fal.Resume] takes it up
// again. Everything can be tried and tested without a key.
//
// [fal.Resume]: https://pkg.go.dev/github.com/falimage/falimage-go/fal#Resume
package falimage
