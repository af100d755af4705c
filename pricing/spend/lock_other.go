//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package spend

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// acquire makes a file at a path that must not be there. Here the system does
// not remove it when the program ends by itself.
func acquire(path string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%w; if none is running, remove %s", ErrInUse, path)
	}
	if err != nil {
		return nil, err
	}
	return func() { _, _ = f.Close(), os.Remove(path) }, nil
}
