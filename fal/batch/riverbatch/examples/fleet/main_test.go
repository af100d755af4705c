package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal/batch/riverbatch/internal/postgres"
)

// requireEnv has the test fail where there is no PostgreSQL. longEnv is how many items
// it has; with 300 it takes a minute or two.
const (
	requireEnv = "FALIMAGE_REQUIRE_POSTGRES"
	longEnv    = "FALIMAGE_FLEET_ITEMS"
)

// Three worker processes of which one is killed every second, a fal that loses answers,
// fails and refuses, and a PostgreSQL that crashes: for each item one job is accepted and
// one file saved, and what was spent is what fal billed. The program itself counts, and
// fails if that is not so.
func TestFleet(t *testing.T) {
	t.Parallel()
	if !postgres.Here() && os.Getenv(requireEnv) == "" {
		t.Logf("NOT TESTED: %v; with %s=1 this is a failure", postgres.ErrMissing, requireEnv)
		return
	}
	program := filepath.Join(t.TempDir(), "fleet")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	items := os.Getenv(longEnv)
	if items == "" {
		items = "60"
	}
	start := time.Now()
	out, err := exec.CommandContext(t.Context(), program, "-items", items, "-kill-every", "1s", "-crash-database", "-weather", "-timeout", "5m").CombinedOutput()
	t.Logf("%v\n%s", time.Since(start).Round(time.Second), out)
	if err != nil {
		t.Error(err)
	}
	for _, want := range []string{"accepted  " + items + " jobs", "files     " + items, "$0.00 set aside", "PostgreSQL crashes", "is killed"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the program does not say %q", want)
		}
	}
}

// What makes no sense is refused before anything is started.
func TestRefused(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "fleet")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for want, args := range map[string]string{
		"-items 0":   "-items 0",
		"-workers 0": "-workers 0",
		"-kills":     "-kills -1",
		"leave -dsn": "-dsn postgres:///x -crash-database",
		"only flags": "dance",
	} {
		out, err := exec.CommandContext(t.Context(), program, strings.Fields(args)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v\n%s", args, err, out)
		}
	}
}
