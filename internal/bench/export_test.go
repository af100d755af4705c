package main

// What the tests use.
var (
	Dispatch     = dispatch
	Run          = run
	Quantile     = quantile
	Number       = number
	Chart        = chart
	ReplaceTable = replaceTable
)

// Series are the values of the rounds.
type Series = series
