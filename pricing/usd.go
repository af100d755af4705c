package pricing

import (
	"encoding/json"
	"fmt"
	"strings"
)

// USD is an amount of money in billionths of a US dollar, exact. It compares
// with == and <, can be the key of a map and, like a time.Duration, is best
// written as a multiple of a constant: 25 * pricing.Dollar. The zero value is
// no money. It can hold some 9.2 billion dollars, and debts of as much.
type USD int64

// Amounts to write others with.
const (
	Cent   USD = 10_000_000
	Dollar USD = 100 * Cent
)

// ParseUSD reads an amount such as "0.045", "$0.045" or "-$2". More than nine
// decimal places, unless they are zero, are an error, as are exponents and
// separators between thousands.
func ParseUSD(s string) (USD, error) {
	digits, negative := strings.CutPrefix(s, "-")
	digits = strings.TrimPrefix(digits, "$")
	if strings.HasPrefix(digits, "-") {
		return 0, fmt.Errorf("pricing: amount %.60q: must be like 0.045 or $0.045", s)
	}
	if negative {
		digits = "-" + digits
	}
	n, err := parseDecimal(digits)
	if err != nil {
		return 0, fmt.Errorf("pricing: amount %w", err)
	}
	return USD(n), nil
}

// String returns the amount with all its digits and at least two decimal
// places, such as "$0.045", "$30.00" or "-$0.015".
func (a USD) String() string {
	var buf [32]byte
	text := appendDecimal(buf[:0], int64(a), 2)
	if a < 0 {
		return "-$" + string(text[1:])
	}
	return "$" + string(text)
}

// MarshalText returns the amount as a decimal number, such as "0.045": also
// the form of an amount in JSON, where it is a string.
func (a USD) MarshalText() ([]byte, error) { return appendDecimal(nil, int64(a), 2), nil }

// UnmarshalJSON reads a string as [ParseUSD] does. A number is an error: what
// wrote it may have kept money in floating point. Null leaves the amount as it
// is.
func (a *USD) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var text string
	if json.Unmarshal(data, &text) != nil {
		return fmt.Errorf("pricing: amount %.60s: must be a string, such as \"0.25\"", data)
	}
	return a.UnmarshalText([]byte(text))
}

// UnmarshalText reads what [ParseUSD] reads.
func (a *USD) UnmarshalText(text []byte) error {
	v, err := ParseUSD(string(text))
	if err != nil {
		return err
	}
	*a = v
	return nil
}

// Add returns a + b, or [ErrOverflow].
func (a USD) Add(b USD) (USD, error) {
	sum := a + b
	if (sum > a) != (b > 0) && b != 0 {
		return 0, ErrOverflow
	}
	return sum, nil
}

// Sub returns a - b, or [ErrOverflow].
func (a USD) Sub(b USD) (USD, error) {
	difference := a - b
	if (difference < a) != (b > 0) && b != 0 {
		return 0, ErrOverflow
	}
	return difference, nil
}

// Mul returns a times n, or [ErrOverflow].
func (a USD) Mul(n int64) (USD, error) {
	product, err := mul(int64(a), n)
	return USD(product), err
}

// RoundCents returns the amount in whole cents, as invoices have it: to the
// nearest, and half a cent away from zero. Round sums, not what they are made of.
// The error is [ErrOverflow].
func (a USD) RoundCents() (USD, error) { return a.cents(Cent / 2) }

// RoundUpCents returns the amount in whole cents, with each started cent as one:
// what surely pays a debt. The error is [ErrOverflow].
func (a USD) RoundUpCents() (USD, error) { return a.cents(Cent - 1) }

// cents cuts off what is less than a cent after adding to the size of an amount.
// Below zero, so much is taken away that a started cent of credit is none.
func (a USD) cents(add USD) (USD, error) {
	if a < 0 && add == Cent/2 {
		add = -add
	} else if a < 0 {
		add = 0
	}
	sum, err := a.Add(add)
	if err != nil {
		return 0, err
	}
	return sum / Cent * Cent, nil
}

// Scale returns a times numerator / denominator, rounded up to the next
// billionth of a dollar. All three must not be negative, and the denominator
// not zero.
func (a USD) Scale(numerator, denominator int64) (USD, error) {
	n, err := mulDiv(int64(a), numerator, denominator, roundUp)
	return USD(n), err
}
