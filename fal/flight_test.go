//go:build unix

package fal_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// serveFlights is set in the environment of the process that is the server of
// BenchmarkThousandJobs.
const serveFlights = "FAL_TEST_SERVE_FLIGHTS"

// TestServeFlights is the server of BenchmarkThousandJobs, and else nothing.
func TestServeFlights(t *testing.T) {
	if os.Getenv(serveFlights) == "" {
		return
	}
	srv := httptest.NewServer(quickFal(500 * time.Millisecond))
	defer srv.Close()
	if _, err := os.Stdout.WriteString(srv.URL + "\n"); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark is over
}

// BenchmarkThousandJobs compares the processor time that a thousand jobs in
// flight take, with fal.Subscribe and with a loop over net/http. The server is
// another process.
func BenchmarkThousandJobs(b *testing.B) {
	const jobs = 1000
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestServeFlights$")
	cmd.Env = append(os.Environ(), serveFlights+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _, _ = stdin.Close(), cmd.Wait() }()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	url := strings.TrimSpace(line)

	transport := func() *http.Transport { return &http.Transport{MaxIdleConnsPerHost: jobs} }
	bare := &http.Client{Transport: transport()}
	client := &fal.Client{
		Key: fal.NewKey(secret), Logger: slog.New(slog.DiscardHandler), HTTPClient: &http.Client{Transport: transport()},
		Hosts: fal.Hosts{Run: url, Queue: url, REST: url},
	}
	for name, job := range map[string]func() error{
		"bare net/http": func() error { return bareSubscribe(bare, url, newPlain()) },
		"fal.Subscribe": func() error {
			_, err := fal.Subscribe(context.Background(), client, benchRequest)
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			all := func() {
				var wait sync.WaitGroup
				for range jobs {
					wait.Go(func() {
						if err := job(); err != nil {
							b.Error(err)
						}
					})
				}
				wait.Wait()
			}
			all() // connects
			before := processorTime(b)
			for b.Loop() {
				all()
			}
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N*jobs), "cpu-us/job")
		})
	}
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
