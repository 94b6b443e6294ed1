//go:build !linux && !darwin && !freebsd

package capture

// diskUse is not known on this system.
func diskUse(string) (total uint64, percent float64, ok bool) { return 0, 0, false }
