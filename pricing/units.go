package pricing

import (
	"errors"
	"fmt"
)

// Units is a number of billed units in billionths of a unit, exact: 1.5 units
// are 1_500_000_000. What a unit is depends on the endpoint; see the package
// comment. Fal sends units as a decimal number with up to 8 places.
type Units int64

// One is one unit.
const One Units = billion

// ParseUnits reads a decimal number such as "1.5", not negative and with nine
// decimal places at most.
func ParseUnits(s string) (Units, error) {
	n, err := parseDecimal(s)
	if err == nil && n < 0 {
		err = fmt.Errorf("%.60q: must not be negative", s)
	}
	if err != nil {
		return 0, fmt.Errorf("pricing: units %w", err)
	}
	return Units(n), nil
}

// String returns the units as a decimal number, such as "1.5".
func (u Units) String() string { return string(appendDecimal(nil, int64(u), 0)) }

// MarshalText returns what String returns.
func (u Units) MarshalText() ([]byte, error) { return appendDecimal(nil, int64(u), 0), nil }

// UnmarshalText reads what [ParseUnits] reads.
func (u *Units) UnmarshalText(text []byte) error {
	v, err := ParseUnits(string(text))
	if err != nil {
		return err
	}
	*u = v
	return nil
}

// At returns what the units cost at the given price of one, to the nearest
// billionth of a dollar.
func (u Units) At(price USD) (USD, error) {
	n, err := mulDiv(int64(u), int64(price), billion, roundNearest)
	return USD(n), err
}

// unitsOf returns how many units an amount is at the given price of one, with
// 8 decimal places as fal reports them. At of the result is the amount again
// as long as the price is below 10 cents.
func unitsOf(amount, price USD) (Units, error) {
	if price <= 0 {
		return 0, errors.New("pricing: units have no price")
	}
	n, err := mulDiv(int64(amount), billion/10, int64(price), roundNearest)
	if err != nil {
		return 0, err
	}
	n, err = mul(n, 10)
	return Units(n), err
}
