package spend

import (
	"errors"
	"syscall"
)

const (
	flagDeleteOnClose     = 0x04000000
	errorSharingViolation = syscall.Errno(32)
)

// acquire opens the file at a path so that nobody else can, until release is
// called or the program ends, however it ends.
func acquire(path string) (release func(), err error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	const share = 0 // with nobody
	handle, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, share, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL|flagDeleteOnClose, 0)
	if errors.Is(err, errorSharingViolation) {
		err = ErrInUse
	}
	if err != nil {
		return nil, err
	}
	return func() { _ = syscall.CloseHandle(handle) }, nil
}
