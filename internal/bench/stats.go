package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// series are the values of the rounds.
type series []float64

func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile returns the value below which the given share of all is, between two
// of them if need be. Without values it is not a number.
func quantile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := share * float64(len(sorted)-1)
	i := int(at)
	if i == len(sorted)-1 {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// String is the median, and between what all are.
func (s series) String() string {
	switch len(s) {
	case 0:
		return "–"
	case 1:
		return number(s[0])
	}
	return fmt.Sprintf("%s (%s–%s)", number(median(s)), number(slices.Min(s)), number(slices.Max(s)))
}

// number has three digits that say something.
func number(x float64) string {
	digits := 0
	if size := math.Abs(x); size < 99.5 {
		digits = 1
		if size < 9.95 {
			digits = 2
		}
	}
	return strconv.FormatFloat(x, 'f', digits, 64)
}
