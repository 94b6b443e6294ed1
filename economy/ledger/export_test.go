package ledger

import (
	"context"
	"time"
)

// Prune drops what is older than is kept at now.
func (l *Ledger) Prune(ctx context.Context, now time.Time) error { return l.prune(ctx, now) }
