// Package pricing tells what a request will cost before it is sent, and what
// it did cost afterwards, in exact money.
//
//	quote, err := pricing.Estimate(req) // $0.045: first MP $0.03, 1 extra MP at $0.015
//	bill, err := pricing.Settle(quote, out.Meta)
//
// There is no floating-point number in this package. Money is a [USD], a whole
// number of billionths of a dollar; adding and multiplying it tells of
// overflow.
//
// # Rules
//
// Each endpoint has its own [Rule]: per megapixel, per megapixel with a dearer
// first one, per image, per image by a tier of sizes, per request, per training
// step or per second of computing. A megapixel (MP) is 1,048,576 pixels, and
// every image is rounded up to whole megapixels on its own, to at least one,
// unless the rule says otherwise. The rules, where they come from and how sure
// they are is data, embedded in this package; see [Table] for how to read and
// override it.
//
// # Ranges
//
// Where a size is not known, because the model decides it or it is that of a
// picture behind a URL, a [Quote] spans from what the smallest allowed size
// costs to what the largest costs. The expected amount then takes a picture
// that comes from elsewhere to have 4 MP, as photographs do, and a picture
// whose size the model chooses to have 1 MP, as the models' presets do, within
// the limits of the endpoint. [Measure] looks up the sizes of remote pictures.
// Where no source says that an output takes the size of a picture sent along,
// and such models only usually do, the quote spans from 1 MP to that size and
// expects it. A size that the endpoint scales down spans from the size that it
// becomes to the one that was asked for, which is expected: no source says which
// of the two is charged. Where sources disagree on a price and none of them
// settles it, the quote spans the prices, and budgets book by the dearest.
// What cannot be priced at all is [ErrUnknown], never nothing and never zero.
//
// # Units
//
// Fal reports what it billed as a number of units. A unit is what the unit
// price of the rule buys:
//
//	per megapixel         one megapixel of output, or of input where inputs count
//	per tiered megapixel  as much as the first megapixel of an output costs
//	per image             one image
//	per tiered image      one image of the tier that is the endpoint's default
//	per request           one request
//	per step              one training step
//	per compute second    one second
//
// So a FLUX.2 [pro] picture of 2 MP is 1.5 units: the second megapixel costs
// half of the first. No source confirms this reading of units for the tiered
// rule; where whole units are billed [Settle] keeps the other reading beside it,
// in which a unit is a megapixel. Surcharges, minimum charges and multipliers count in
// the same unit: a charge is always units times the unit price. Fal's units
// have 8 decimal places at most, so an amount that does not divide evenly is
// settled to the nearest billionth of a dollar.
//
// A bill may be for the size that was asked for although the picture came out
// smaller: [Mismatches] compares the two.
//
// # What a request does not know
//
// The number of reference pictures in a training set and the size of LoRA
// weights change prices but stand in no request. Who knows them sets them:
//
//	u := trainer.Usage()
//	u.References = set.References()
//	quote, err := pricing.EstimateUsage(u)
//
// # Next door
//
// This package is about what one request costs. Budgets and the ledger of what
// was spent are in package spend, what many pictures would cost is in plan, and
// the prices of today, against this table, are in live.
package pricing
