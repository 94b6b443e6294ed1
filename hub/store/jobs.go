package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
)

// Buckets of jobs. The sequence of the first one gives ids, so that none is used again.
const (
	bucketJobs        = "jobs"          // by id
	bucketJobVersions = "jobs.versions" // by job id and number
	bucketJobRuns     = "jobs.runs"     // by job id, device and run
	bucketJobOutput   = "jobs.output"   // by job id, device, run, stream and offset
)

func jobAt(id uint64) place { return place{bucket: bucketJobs, version: 1, key: number(id)} }

func jobVersionAt(job, n uint64) place {
	return place{bucket: bucketJobVersions, version: 1, key: append(number(job), number(n)...)}
}

func runKey(k dispatch.RunKey) []byte {
	return append(append(number(k.Job), k.Device...), number(k.Run)...)
}

func jobRunAt(k dispatch.RunKey) place {
	return place{bucket: bucketJobRuns, version: 1, key: runKey(k)}
}

// jobOutputAt is where all output of a run is.
func jobOutputAt(k dispatch.RunKey) place {
	return place{bucket: bucketJobOutput, version: 1, key: runKey(k)}
}

func jobStreamAt(k dispatch.RunKey, stream uint8) place {
	at := jobOutputAt(k)
	at.key = append(at.key, stream)
	return at
}

// jobOwner is how a version of a job owns its script.
func jobOwner(job, n uint64) string { return fmt.Sprintf("job/%d/%d", job, n) }

// LoadJobs implements dispatch.Store.
func (s *Store) LoadJobs() (saved dispatch.Saved, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return errors.Join(
			all(tx, place{bucket: bucketJobs, version: 1}, &saved.Jobs),
			all(tx, place{bucket: bucketJobVersions, version: 1}, &saved.Versions),
			all(tx, place{bucket: bucketJobRuns, version: 1}, &saved.Runs),
		)
	})
	return saved, err
}

// ApplyJob implements dispatch.Store.
func (s *Store) ApplyJob(c dispatch.Change) (jobs.Job, error) {
	job := c.Job
	err := s.update(func(tx *bbolt.Tx) error {
		if job.ID == 0 {
			b, err := tx.CreateBucketIfNotExists([]byte(bucketJobs))
			if err != nil {
				return err
			}
			if job.ID, err = b.NextSequence(); err != nil {
				return err
			}
		}
		w := writer{tx: tx}
		w.put(jobAt(job.ID), job)
		if c.Version != nil {
			v := *c.Version
			v.Job = job.ID
			w.put(jobVersionAt(job.ID, v.Number), v)
			if v.Script.Path != "" && w.err == nil {
				w.err = ownBlob(tx, jobOwner(job.ID, v.Number), v.Script.Hash, c.Script)
			}
		}
		for _, n := range c.Drop {
			if w.err == nil {
				w.err = dropJobVersion(tx, job.ID, n)
			}
		}
		return w.err
	})
	return job, err
}

func dropJobVersion(tx *bbolt.Tx, job, n uint64) error {
	v, err := get[jobs.Version](tx, jobVersionAt(job, n))
	if err != nil {
		return fmt.Errorf("version %d: %w", n, err)
	}
	if v.Script.Path != "" {
		if err := disownBlob(tx, jobOwner(job, n), v.Script.Hash); err != nil {
			return err
		}
	}
	return remove(tx, jobVersionAt(job, n))
}

// DeleteJob implements dispatch.Store.
func (s *Store) DeleteJob(id uint64) error {
	return s.update(func(tx *bbolt.Tx) error {
		var versions []jobs.Version
		if err := all(tx, place{bucket: bucketJobVersions, version: 1, key: number(id)}, &versions); err != nil {
			return err
		}
		for _, v := range versions {
			if err := dropJobVersion(tx, id, v.Number); err != nil {
				return err
			}
		}
		w := writer{tx: tx}
		w.removeAll(place{bucket: bucketJobRuns, version: 1, key: number(id)})
		w.removeAll(place{bucket: bucketJobOutput, version: 1, key: number(id)})
		w.remove(jobAt(id))
		return w.err
	})
}

// PutJobRun implements dispatch.Store. Calls at the same time share a transaction, as with all that follows.
func (s *Store) PutJobRun(r jobs.RunRecord, drop []dispatch.RunKey) error {
	return s.batch(func(tx *bbolt.Tx) error {
		if b := tx.Bucket([]byte(bucketJobs)); b == nil || b.Get(number(r.Job)) == nil {
			return fmt.Errorf("job %d: %w", r.Job, jobs.ErrNotFound)
		}
		w := writer{tx: tx}
		w.put(jobRunAt(keyOf(&r)), r)
		w.dropRuns(drop)
		return w.err
	})
}

func keyOf(r *jobs.RunRecord) dispatch.RunKey {
	return dispatch.RunKey{Job: r.Job, Device: r.Device, Run: r.ID}
}

func (w *writer) dropRuns(keys []dispatch.RunKey) {
	for _, k := range keys {
		w.remove(jobRunAt(k))
		w.removeAll(jobOutputAt(k))
	}
}

// DropJobRuns implements dispatch.Store.
func (s *Store) DropJobRuns(keys []dispatch.RunKey) error {
	return s.batch(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		w.dropRuns(keys)
		return w.err
	})
}

// PutJobOutput implements dispatch.Store.
func (s *Store) PutJobOutput(r jobs.RunRecord, p dispatch.Piece) error {
	k := keyOf(&r)
	return s.batch(func(tx *bbolt.Tx) error {
		if b := tx.Bucket([]byte(bucketJobRuns)); b == nil || b.Get(runKey(k)) == nil {
			return fmt.Errorf("run %d: %w", r.ID, jobs.ErrNotFound)
		}
		w := writer{tx: tx}
		w.put(jobRunAt(k), r)
		at, have := jobStreamAt(k, p.Stream), r.Stdout
		if p.Stream == protocol.StreamStderr {
			have = r.Stderr
		}
		switch {
		case p.Anew:
			w.removeAll(jobOutputAt(k))
		case p.Fresh:
			w.removeAll(at)
		default:
			w.removeBefore(at, have.From)
		}
		if len(p.Data) > 0 {
			w.put(place{bucket: bucketJobOutput, version: 1, key: append(at.key, number(p.Offset)...)}, p.Data)
		}
		return w.err
	})
}

// removeBefore removes pieces of a stream that end at an offset or before.
func (w *writer) removeBefore(at place, offset uint64) {
	if w.err != nil || offset == 0 {
		return
	}
	var old [][]byte
	w.err = each(w.tx, at, func(key []byte, data []byte) error {
		if begin := beginOf(key); begin+uint64(len(data)) <= offset {
			old = append(old, append([]byte{}, key...))
		}
		return nil
	})
	for _, k := range old {
		w.remove(place{bucket: at.bucket, version: 1, key: k})
	}
}

// DropJobOutput implements dispatch.Store.
func (s *Store) DropJobOutput(runs []jobs.RunRecord) error {
	return s.batch(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		for i := range runs {
			k := keyOf(&runs[i])
			if b := tx.Bucket([]byte(bucketJobRuns)); b == nil || b.Get(runKey(k)) == nil {
				continue
			}
			w.put(jobRunAt(k), runs[i])
			w.removeAll(jobOutputAt(k))
		}
		return w.err
	})
}

// JobRun implements dispatch.Store.
func (s *Store) JobRun(k dispatch.RunKey) (r jobs.RunRecord, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		r, err = get[jobs.RunRecord](tx, jobRunAt(k))
		return err
	})
	return r, notFound(err, jobs.ErrNotFound, fmt.Sprintf("run %d", k.Run))
}

// JobOutput implements dispatch.Store.
func (s *Store) JobOutput(k dispatch.RunKey, stream uint8) (out []dispatch.Piece, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return each(tx, jobStreamAt(k, stream), func(key []byte, data []byte) error {
			out = append(out, dispatch.Piece{Stream: stream, Offset: beginOf(key), Data: data})
			return nil
		})
	})
	return out, err
}

// beginOf is the offset at the end of a piece's key.
func beginOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }
