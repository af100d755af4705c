package fal_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
)

func TestSaveWhereItIsAsked(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Log("links and modes are those of Unix")
		return
	}
	fetched := 0
	c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		fetched++
		_, _ = w.Write([]byte("picture"))
	})
	m := fal.Image{URL: c.Hosts.Run + "/a.png"}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	save := func(name string) {
		t.Helper()
		if err := c.Save(t.Context(), m, at(name)); err != nil {
			t.Fatal(err)
		}
	}
	mode := func(name string) fs.FileMode {
		t.Helper()
		info, err := os.Lstat(at(name))
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	content := func(name string) string {
		b, err := os.ReadFile(at(name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	write := func(name string, perm fs.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(at(name), []byte("old"), perm), os.Chmod(at(name), perm)); err != nil {
			t.Fatal(err)
		}
	}

	write("probe", 0o600)
	plain, err := os.Create(at("plain")) // with the mode that the umask leaves
	if err != nil {
		t.Fatal(err)
	}
	_ = plain.Close()
	save("new")
	if mode("new") != mode("plain") || content("new") != "picture" {
		t.Errorf("a new file has mode %v, others here %v", mode("new"), mode("plain"))
	}

	write("private", 0o600)
	save("private")
	if mode("private").Perm() != 0o600 || content("private") != "picture" {
		t.Errorf("a file of mode 0600 has %v", mode("private"))
	}

	write("target", 0o640)
	if err := errors.Join(os.Symlink("target", at("link")), os.Symlink("not-yet", at("early"))); err != nil {
		t.Fatal(err)
	}
	save("link")
	save("early")
	if mode("link")&fs.ModeSymlink == 0 || mode("early")&fs.ModeSymlink == 0 || content("target") != "picture" || content("not-yet") != "picture" || mode("target").Perm() != 0o640 {
		t.Error("a link was replaced instead of what it leads to")
	}

	save("/../../../../../../../../../../dev/null") // a device is written to, not replaced
	if info, err := os.Stat("/dev/null"); err != nil || info.Mode().IsRegular() {
		t.Fatalf("/dev/null is %v, %v", info, err)
	}

	before := fetched
	for name, want := range map[string]string{"no/such/dir/a.png": "no such", "": "directory"} {
		err := c.Save(t.Context(), m, at(name))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), at(name)) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if fetched != before {
		t.Error("it was fetched although it could not be saved")
	}
	left, err := filepath.Glob(at(".falimage*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// What was there stays if the new one does not arrive, and the error says once
// where it was to go and where it came from.
func TestSaveFailed(t *testing.T) {
	t.Parallel()
	c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	path := filepath.Join(t.TempDir(), "a.png")
	if err := os.WriteFile(path, []byte("good"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := c.Save(t.Context(), fal.Image{URL: c.Hosts.Run + "/koala/a.png?signature=abc"}, path)
	if err == nil || strings.Count(err.Error(), "fal: ") != 1 || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "/koala/a.png") || strings.Contains(err.Error(), "abc") {
		t.Errorf("error = %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, []byte("good")) {
		t.Errorf("what was there is %q, %v", b, err)
	}
}
