package live

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/pricing"
)

// Price is a price as the platform's pricing API tells it, in its JSON
// form. It has a unit and a unit price only, not the rule behind them.
type Price struct {
	Endpoint  string      `json:"endpoint_id"`
	UnitPrice json.Number `json:"unit_price"`
	Unit      string      `json:"unit"`
	Currency  string      `json:"currency"`
}

// amount reads the unit price.
func (p Price) amount() (pricing.USD, error) {
	if p.Currency != "" && !strings.EqualFold(p.Currency, "USD") {
		return 0, fmt.Errorf("the currency is %.60s", p.Currency)
	}
	text := p.UnitPrice.String()
	amount, err := parseNumber(text)
	if err == nil && amount <= 0 {
		err = fmt.Errorf("%.60q: must be more than zero", text)
	}
	return amount, err
}

// unit returns the unit by the name that rules have for it, or as it is.
func (p Price) unit() string {
	name := strings.ToLower(strings.Join(strings.Fields(p.Unit), " "))
	switch strings.TrimSuffix(name, "s") {
	case "megapixel", "processed megapixel", "mp":
		return pricing.PerMegapixel{}.Unit()
	case "image":
		return pricing.PerImage{}.Unit()
	case "request", "generation":
		return pricing.PerRequest{}.Unit()
	case "step", "training step":
		return pricing.PerStep{}.Unit()
	case "compute second", "second":
		return pricing.PerSecond{}.Unit()
	}
	return name
}

// parseNumber reads a JSON number, which may have an exponent, as an amount.
// What is beyond the ninth decimal place is rounded up.
func parseNumber(text string) (pricing.USD, error) {
	_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	shift, err := strconv.Atoi(cmp.Or(exponent, "0"))
	number, ok := new(big.Rat), err == nil && max(shift, -shift) <= 40 && len(text) <= 80 && strings.Trim(text, "+-.0123456789eE") == ""
	if ok {
		_, ok = number.SetString(text)
	}
	if !ok {
		return 0, fmt.Errorf("%.60q: must be a number", text)
	}
	number.Mul(number, big.NewRat(int64(pricing.Dollar), 1))
	amount, rest := new(big.Int).DivMod(number.Num(), number.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		amount.Add(amount, big.NewInt(1))
	}
	if !amount.IsInt64() {
		return 0, pricing.ErrOverflow
	}
	return pricing.USD(amount.Int64()), nil
}
