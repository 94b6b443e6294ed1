package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/farshore/farshore/internal/boltfile"
	"github.com/farshore/farshore/internal/durable"
)

// damagedPrefix begins the name of a database that was set aside; what follows is the Unix time.
const damagedPrefix = FileName + ".damaged-"

// openFile opens the database's file for bbolt, which trusts what it finds there: damage has to be found before. A
// damaged file is set aside while this process holds its lock.
func (d *disk) openFile(name string, flag int, perm os.FileMode) (*os.File, error) {
	f, err := boltfile.Open(name, flag, perm)
	if errors.Is(err, boltfile.ErrDamaged) {
		return nil, errors.Join(fmt.Errorf("%s %w: %w", FileName, ErrDamaged, err), d.setAside(), f.Close())
	}
	return f, err
}

// setAside renames the damaged database, in place of one that was set aside before. The reserve is given up with it,
// so that there is room to begin anew.
func (d *disk) setAside() error {
	old, err := filepath.Glob(filepath.Join(d.dir, damagedPrefix+"*"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove what was set aside before: %w", err)
		}
	}
	d.aside = fmt.Sprintf("%s%d", damagedPrefix, time.Now().Unix())
	if err := os.Rename(filepath.Join(d.dir, FileName), filepath.Join(d.dir, d.aside)); err != nil {
		return fmt.Errorf("set the damaged database aside: %w", err)
	}
	d.releaseReserve()
	return durable.Sync(d.dir)
}

// read checks the schema and fills the mirror. What the file's medium cannot give back is damage too, where the system
// would end the process.
func (d *disk) read(into *data) (device string, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s %w: %v", FileName, ErrDamaged, r)
		}
	}()
	if err := d.checkSchema(); err != nil {
		return "", err
	}
	return d.load(into)
}

// lost says for people what became of the database, or "".
func (d *disk) lost(cause error) string {
	if d.aside == "" {
		return "The agent's database was missing. The device goes on as itself; it does not know any more which commands ran."
	}
	return fmt.Sprintf("The agent's database was damaged and was set aside as %s. The device goes on as itself; it does not know any more which commands ran, and what had not been reported is lost: %v",
		d.aside, cause)
}
