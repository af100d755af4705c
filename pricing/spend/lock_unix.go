//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package spend

import (
	"errors"
	"os"
	"syscall"
)

// acquire locks the file at a path for this ledger, until release is called or
// the program ends, however it ends.
func acquire(path string) (release func(), err error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		for {
			err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
			if !errors.Is(err, syscall.EINTR) {
				break
			}
		}
		if err != nil {
			_ = f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				err = ErrInUse
			}
			return nil, err
		}
		// Who had it before may have removed it between the two steps.
		at, errAt := os.Stat(path)
		ours, errOurs := f.Stat()
		if errAt == nil && errOurs == nil && os.SameFile(at, ours) {
			return func() { _, _ = os.Remove(path), f.Close() }, nil
		}
		_ = f.Close()
	}
}
