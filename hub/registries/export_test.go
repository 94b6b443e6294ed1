package registries

import "time"

// SetPatience sets how long reading about one image may take.
func (b *Book) SetPatience(d time.Duration) { b.patience = d }
