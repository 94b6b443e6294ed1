package program

import "fmt"

// Size is a number of bytes for people: decimal units and one digit behind the point, such as 5.0 MB.
func Size(n uint64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	const units = "kMGTPE"
	v, i := float64(n)/1000, 0
	for v >= 999.95 && i < len(units)-1 { // it would be written as 1000.0
		v, i = v/1000, i+1
	}
	return fmt.Sprintf("%.1f %cB", v, units[i])
}
