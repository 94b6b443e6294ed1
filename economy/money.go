package economy

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// maxPrice is the most millionths of a currency that a megabyte may cost.
const maxPrice = 1_000_000_000_000

// ParsePrice reads an amount of money such as 4, 0.35 or 4.20 in millionths, exactly.
func ParsePrice(text string) (micros uint64, err error) {
	whole, part, point := strings.Cut(text, ".")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	if !digits(whole) || point && !digits(part) || len(part) > 6 || len(whole) > 7 {
		return 0, fmt.Errorf("price %.40q: want a number such as 4.20, with a point and at most six digits behind it", text)
	}
	micros, err = strconv.ParseUint(whole+part+strings.Repeat("0", 6-len(part)), 10, 64)
	if err == nil && micros > maxPrice {
		err = fmt.Errorf("price %.40q: want at most %d", text, uint64(maxPrice/1_000_000))
	}
	return micros, err
}

// PriceText writes millionths of a currency as people write money: 4.20, with more digits only where they say something
// of a price, as 0.0035 does.
func PriceText(micros uint64) string {
	text := fmt.Sprintf("%d.%06d", micros/1_000_000, micros%1_000_000)
	return text[:max(len(strings.TrimRight(text, "0")), len(text)-4)]
}

// CostText writes an amount of money to the hundredth, rounded up, so that what costs something is not shown as free.
func CostText(micros uint64) string {
	const hundredth = 10_000
	n := micros / hundredth
	if micros%hundredth != 0 {
		n++
	}
	return fmt.Sprintf("%d.%02d", n/100, n%100)
}

// CheckTariff reports the first thing about a tariff that cannot be kept.
func CheckTariff(t Tariff) error {
	letters := len(t.Currency) == 3 && strings.Trim(t.Currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
	switch {
	case t.PerMB > maxPrice:
		return fmt.Errorf("a price of %s by the megabyte: want at most %d", PriceText(t.PerMB), uint64(maxPrice/1_000_000))
	case t.Currency != "" && !letters:
		return fmt.Errorf("currency %.20q: want its three letters, such as EUR", t.Currency)
	case t.PerMB != 0 && t.Currency == "":
		return fmt.Errorf("a price of %s by the megabyte in no currency: name it, such as EUR", PriceText(t.PerMB))
	case t.Included > maxHard:
		return fmt.Errorf("%d bytes included: want at most %d", t.Included, uint64(maxHard))
	}
	return nil
}

// Sum adds without going round: what is too much stays the most there is.
func Sum(a, b uint64) uint64 {
	if a+b < a {
		return math.MaxUint64
	}
	return a + b
}
