//go:build unix

package spend_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/falimage/falimage-go/pricing/spend"
)

// A pipe is not waited for.
func TestLedgerIsNoPipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := spend.OpenLedger(path); err == nil {
		t.Error("opened a pipe")
	}
}
