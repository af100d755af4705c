package pricing

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// ErrOverflow says that an amount is too large to be held exactly: more than
// some 9.2 billion.
var ErrOverflow = errors.New("pricing: the amount is too large")

// places is the number of decimal places of money and units, and billion is
// how many of the smallest part make a whole.
const (
	places  = 9
	billion = 1_000_000_000
)

// parseDecimal reads a decimal number as a count of billionths. It accepts
// digits with an optional sign and fraction. What needs more than nine
// decimal places is an error, as is everything else.
func parseDecimal(s string) (int64, error) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, fraction, hasPoint := strings.Cut(digits, ".")
	if whole == "" || (hasPoint && fraction == "") || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, fmt.Errorf("%.60q: must be a decimal number such as 0.045", s)
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > places {
		return 0, fmt.Errorf("%.60q: at most %d decimal places are accepted", s, places)
	}
	if negative {
		whole = "-" + whole
	}
	// The sign stays with the digits, so that the lowest number can be read.
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", places-len(fraction)), 10, 64)
	if err != nil {
		return 0, ErrOverflow
	}
	return n, nil
}

// appendDecimal appends a count of billionths as a decimal number with at
// least the given number of decimal places.
func appendDecimal(dst []byte, n int64, least int) []byte {
	u := uint64(n)
	if n < 0 {
		dst = append(dst, '-')
		u = -u // right for the lowest number too
	}
	dst = strconv.AppendUint(dst, u/billion, 10)
	fraction := u % billion
	if fraction == 0 && least == 0 {
		return dst
	}
	dst = append(dst, '.')
	for place, unit := 1, uint64(billion/10); unit > 0; place, unit = place+1, unit/10 {
		if fraction == 0 && place > least {
			break
		}
		dst = append(dst, byte('0'+fraction/unit))
		fraction %= unit
	}
	return dst
}

// rounding says what to do with a part smaller than a billionth.
type rounding int

const (
	roundUp rounding = iota // towards more
	roundNearest
)

// mulDiv returns a*b/c without losing anything in between. A and b are not
// negative, c is positive.
func mulDiv(a, b, c int64, how rounding) (int64, error) {
	if a < 0 || b < 0 || c <= 0 {
		return 0, fmt.Errorf("pricing: %d x %d / %d: negative amounts cannot be scaled", a, b, c)
	}
	high, low := bits.Mul64(uint64(a), uint64(b))
	if high >= uint64(c) {
		return 0, ErrOverflow
	}
	q, rest := bits.Div64(high, low, uint64(c))
	if (how == roundUp && rest > 0) || (how == roundNearest && rest >= uint64(c)-rest) {
		q++
	}
	if q > math.MaxInt64 {
		return 0, ErrOverflow
	}
	return int64(q), nil
}

// mul returns a*b, or [ErrOverflow].
func mul(a, b int64) (int64, error) {
	if a == 0 || b == 0 {
		return 0, nil
	}
	product := a * b
	if product/b != a || (b == -1 && a == math.MinInt64) {
		return 0, ErrOverflow
	}
	return product, nil
}
