package jobs

// FieldError says which field of a definition cannot be accepted, and why. It wraps ErrInvalid.
type FieldError struct {
	// Field as the API words it: script, container.image, schedule.cron.
	Field string
	// Reason is a sentence with the remedy in it.
	Reason string
}

// Error implements error.
func (e *FieldError) Error() string { return ErrInvalid.Error() + ": " + e.Field + ": " + e.Reason }

// Unwrap gives ErrInvalid.
func (*FieldError) Unwrap() error { return ErrInvalid }
