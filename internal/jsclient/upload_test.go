package jsclient_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
)

// BenchmarkUpload uploads the same files with this module and with the official
// client, in turn, to one server in a process of its own. What it reports are
// the medians of both, in milliseconds, and how they compare. It says little
// unless there are several rounds: -benchtime 7x.
func BenchmarkUpload(b *testing.B) {
	node, address := start(b)
	for _, size := range []int{1, 80, 200} {
		b.Run(fmt.Sprintf("%dMiB", size), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "a.zip")
			content := make([]byte, size<<20)
			_, _ = rand.Read(content)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				b.Fatal(err)
			}
			var ours, theirs []float64
			for b.Loop() {
				client := &fal.Client{Key: fal.NewKey(faltest.Key), Hosts: faltest.HostsAt(address)}
				if _, err := client.Upload(b.Context(), fal.Bytes([]byte("warm"))); err != nil {
					b.Fatal(err)
				}
				begun := time.Now()
				if _, err := client.Upload(b.Context(), fal.Path(path)); err != nil {
					b.Fatal(err)
				}
				ours = append(ours, float64(time.Since(begun).Microseconds())/1e3)

				out, err := exec.CommandContext(b.Context(), node, "upload.mjs", address, faltest.Key, path).Output()
				if err != nil {
					b.Fatal(err)
				}
				var took, cpu, memory float64
				if _, err := fmt.Sscan(string(out), &took, &cpu, &memory); err != nil {
					b.Fatal(err)
				}
				theirs = append(theirs, took)
			}
			slices.Sort(ours)
			slices.Sort(theirs)
			b.ReportMetric(ours[len(ours)/2], "ours-ms")
			b.ReportMetric(theirs[len(theirs)/2], "javascript-ms")
			b.ReportMetric(ours[len(ours)/2]/theirs[len(theirs)/2], "ratio")
		})
	}
}
