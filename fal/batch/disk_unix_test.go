//go:build unix

package batch_test

import (
	"os/signal"
	"strconv"
	"syscall"
	"testing"
)

const limitsFiles = true

// limitFiles lets no file grow beyond so many bytes: to a program that is a full disk.
func limitFiles(t *testing.T, bytes string) {
	t.Helper()
	n, err := strconv.ParseUint(bytes, 10, 64)
	if err == nil {
		signal.Ignore(syscall.SIGXFSZ) // so that writes fail instead
		limit := syscall.Rlimit{}
		if err = syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err == nil {
			setCur(&limit.Cur, n)
			err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// setCur sets a field that has another type on some systems.
func setCur[T int64 | uint64](cur *T, n uint64) { *cur = T(n) }
