package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/router"
)

// hostEnv names the local fal of a child of TestKilled.
const hostEnv = "CATALOGUE_TEST_HOST"

// TestMain is the program itself in a child of TestKilled.
func TestMain(m *testing.M) {
	host := os.Getenv(hostEnv)
	if host == "" {
		os.Exit(m.Run())
	}
	client := &fal.Client{Key: fal.NewKey(faltest.Key), Hosts: faltest.HostsAt(host)}
	err := work(context.Background(), os.Stdout, &catalogue{client: client, folder: os.Args[1], finals: -1},
		options{n: killed, finals: -1, budget: 10 * pricing.Dollar, parallel: 6})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// killed is the number of products that are made by programs that are killed.
const killed = 12

// pictures returns how many pictures are ready, and how many requests of unknown
// fate are on file.
func pictures(t *testing.T, folder string) (ready, unknown int) {
	t.Helper()
	for _, stage := range stages {
		for _, name := range files(t, folder, stage) {
			if strings.HasSuffix(name, ".jpg") && name[0] != '.' {
				ready++
			} else {
				t.Errorf("%s was left", name)
			}
		}
	}
	notes, _ := filepath.Glob(filepath.Join(folder, "under-way", "*.json"))
	for _, path := range notes {
		if b, err := os.ReadFile(path); err == nil && !strings.Contains(string(b), "request_id") {
			unknown++
		}
	}
	return ready, unknown
}

// A program that is killed at any time pays for no picture twice: what was sent
// is taken up by the next one, and what nobody knows of is told and left alone.
func TestKilled(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(40*time.Millisecond))
	folder := t.TempDir()
	child := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], folder) //nolint:noctx // it is killed by the test
		cmd.Env = append(os.Environ(), hostEnv+"="+srv.URL())
		return cmd
	}
	for range 12 {
		cmd := child()
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "budget:") && !strings.Contains(lines.Text(), "an earlier run") {
			continue // until it works
		}
		go func() { // so that it can go on writing
			for lines.Scan() {
				continue
			}
		}()
		time.Sleep(time.Duration(rand.IntN(120)) * time.Millisecond)
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
	}
	out, _ := child().CombinedOutput()
	ready, unknown := pictures(t, folder)
	l := srv.Ledger()
	t.Logf("%d pictures, %d requests of unknown fate, %d submissions", ready, unknown, l.Submissions)
	if l.Submissions > ready+unknown || l.Submissions < ready {
		t.Errorf("%d submissions for %d pictures and %d of unknown fate\n%s", l.Submissions, ready, unknown, out)
	}
	if ready+2*unknown < 2*killed {
		t.Errorf("%d pictures, %d of unknown fate: something was left out\n%s", ready, unknown, out)
	}
	if unknown > 0 && !strings.Contains(string(out), "it is unknown whether fal accepted") {
		t.Errorf("it is not told:\n%s", out)
	}
}

// A program that is stopped by Ctrl-C at any time loses nothing: what may have
// been sent is waited for. Of a request that got its connection at the moment
// at which it was stopped nobody knows, which is told as after a kill.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.RunTime(30*time.Millisecond))
	folder := t.TempDir()
	var b strings.Builder
	o := options{n: killed, finals: -1, budget: 10 * pricing.Dollar, parallel: 6}
	for range 12 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(20+rand.IntN(120))*time.Millisecond)
		_ = work(ctx, &b, &catalogue{client: srv.Client(), folder: folder, finals: -1}, o)
		cancel()
	}
	err := work(t.Context(), &b, &catalogue{client: srv.Client(), folder: folder, finals: -1}, o)
	ready, unknown := pictures(t, folder)
	if unknown == 0 && err != nil || unknown > 0 && !strings.Contains(b.String(), "it is unknown whether fal accepted") {
		t.Errorf("%v\n%s", err, &b)
	}
	if l := srv.Ledger(); l.Submissions < ready || l.Submissions > ready+unknown || ready+2*unknown < 2*killed || unknown > 2 {
		t.Errorf("%d submissions, %d pictures, %d of unknown fate\n%s", l.Submissions, ready, unknown, &b)
	}
}

// A picture that was flagged is kept, told, and not paid once more.
func TestFlaggedOnce(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	srv.Inject(faltest.OpSubmit, faltest.NSFW(), 1)
	folder := t.TempDir()
	o := options{n: 1, finals: 0, budget: pricing.Dollar}
	if _, err := small(t, srv, folder, o); err == nil || !strings.Contains(err.Error(), ".flagged.jpg") {
		t.Errorf("got %v", err)
	}
	out, err := small(t, srv, folder, o)
	if err != nil || srv.Ledger().Submissions != 1 || len(files(t, folder, router.StageDraft)) != 1 {
		t.Errorf("%d submissions, %v\n%s", srv.Ledger().Submissions, err, out)
	}
}

// What cannot be saved is saved by the next run.
func TestSavedLater(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t)
	folder := t.TempDir()
	client := srv.Client()
	srv.Inject(faltest.OpDownload, faltest.Answer(404, "gone"), 1)
	o := options{n: 1, finals: 0, budget: pricing.Dollar, parallel: 1}
	var b strings.Builder
	if err := work(t.Context(), &b, &catalogue{client: client, folder: folder, finals: 0}, o); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("a picture that is not there was saved: %v", err)
	}
	out, err := small(t, srv, folder, o)
	if err != nil || srv.Ledger().Submissions != 1 || !strings.Contains(out, "taken up and saved") {
		t.Errorf("%d submissions, %v\n%s", srv.Ledger().Submissions, err, out)
	}
}
