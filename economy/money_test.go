package economy

import (
	"strings"
	"testing"
)

func TestPricesAreExact(t *testing.T) {
	for text, want := range map[string]uint64{
		"4": 4_000_000, "4.20": 4_200_000, "0.35": 350_000, "0.000001": 1, "1000000": 1_000_000_000_000, "0": 0, "007.5": 7_500_000,
	} {
		if got, err := ParsePrice(text); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", ".", "4.", ".5", "-1", "+1", "1e3", "4,20", "0.0000001", "1000001", "99999999999999999999", "4.2 EUR", "0x1"} {
		if got, err := ParsePrice(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
	for micros, want := range map[uint64]string{4_200_000: "4.20", 0: "0.00", 3_500: "0.0035", 1: "0.000001", 12_000_000: "12.00"} {
		if got := PriceText(micros); got != want {
			t.Errorf("%d is written %s, want %s", micros, got, want)
		}
	}
	for micros, want := range map[uint64]string{4_200_000: "4.20", 0: "0.00", 1: "0.01", 4_200_001: "4.21", 999_999: "1.00"} {
		if got := CostText(micros); got != want {
			t.Errorf("a cost of %d is written %s, want %s", micros, got, want)
		}
	}
}

func TestTariffsThatCannotBeKept(t *testing.T) {
	for want, tariff := range map[string]Tariff{
		"no currency":   {PerMB: 1},
		"three letters": {PerMB: 1, Currency: "euro"},
		"at most":       {PerMB: maxPrice + 1, Currency: "EUR"},
		"included":      {Included: 1 << 60},
	} {
		if err := CheckTariff(tariff); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := CheckTariff(Tariff{PerMB: 3_500_000, Currency: "EUR", Included: 5_000_000}); err != nil {
		t.Error(err)
	}
}
