package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
)

// hostEnv names the local fal of a child of TestKilled.
const hostEnv = "CATALOGUE_TEST_HOST"

// killed is the number of products that are made by programs that are killed.
const killed = 12

// TestMain is the program itself in a child of TestKilled.
func TestMain(m *testing.M) {
	host := os.Getenv(hostEnv)
	if host == "" {
		os.Exit(m.Run())
	}
	c := &catalogue{folder: os.Args[1], n: killed, finals: -1, budget: 10 * pricing.Dollar, parallel: 6, out: os.Stdout, lag: 200 * time.Millisecond}
	client := &fal.Client{Key: fal.NewKey(faltest.Key), Hosts: faltest.HostsAt(host)}
	for range 50 { // what was lost in a kill is in the history soon
		err := c.make(context.Background(), client)
		if err == nil {
			return
		}
		fmt.Println(err)
		time.Sleep(100 * time.Millisecond)
	}
	os.Exit(1)
}

// A program that is killed at any time pays for no picture twice, and in the end all
// are there.
func TestKilled(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(20*time.Millisecond))
	folder := t.TempDir()
	child := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], folder) //nolint:noctx // it is killed by the test
		cmd.Env = append(os.Environ(), hostEnv+"="+srv.URL())
		return cmd
	}
	for range 8 {
		cmd := child()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50*time.Millisecond + rand.N(200*time.Millisecond))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	out, err := child().CombinedOutput()
	if d, f := pictures(folder, "draft"), pictures(folder, "final"); err != nil || d != killed || f != killed || srv.Ledger().Submissions != 2*killed {
		t.Errorf("%d drafts, %d finals, %d requests: %v\n%s", d, f, srv.Ledger().Submissions, err, out)
	}
}
