package hub

import (
	"syscall"

	"github.com/farshore/farshore/hub/api"
)

// storage tells how the data folder does.
func (h *Hub) storage() api.Storage {
	writes := h.store.Writes()
	out := api.Storage{
		Bytes: uint64(max(h.store.Size(), 0)), Writes: writes.Count, WriteTime: writes.Total, WritesWithin: writes.Within,
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(h.cfg.Data, &disk); err == nil {
		out.Free, out.Disk = disk.Bavail*uint64(disk.Bsize), disk.Blocks*uint64(disk.Bsize)
	}
	return out
}
