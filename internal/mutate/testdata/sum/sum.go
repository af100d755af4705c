// Package sum is changed by the test of mutate.
package sum

// Positive adds what is positive.
func Positive(list []int) int {
	sum := 0
	for _, v := range list {
		if v > 0 {
			sum += v
		}
	}
	return sum
}
