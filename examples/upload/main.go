// Upload uploads a file, of any size, and shows how far it has come. Without a
// file it makes one that is too large for one piece.
//
//	go run ./examples/upload -file training.zip
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
)

func main() {
	path := flag.String("file", "", "the file; by default one is made up")
	size := flag.Int("mb", 120, "size of the file that is made up, in MB, 1 to 1000")
	demo.Program{
		Name: "upload",
		Plan: func() (string, error) {
			if *size < 1 || *size > 1000 {
				return "", fmt.Errorf("-mb %d: must be 1 to 1000", *size)
			}
			if *path != "" {
				return "", demo.Readable(*path)
			}
			if demo.HasKey() {
				return "", errors.New("with a key only a file of yours is uploaded: name it with -file")
			}
			return "", nil // uploads cost nothing
		},
		Run: func(ctx context.Context) error {
			client, simulated, stop := demo.Client()
			defer stop()
			if simulated {
				fmt.Println(demo.Note)
			}
			file := fal.Path(*path)
			if *path == "" {
				file = madeUp(int64(*size) * 1e6)
			}
			return upload(ctx, client, file)
		},
	}.Main()
}

// madeUp returns a file that is nowhere as a whole: it is made while it is read,
// the same each time. So only the parts under way are held in memory.
func madeUp(size int64) fal.File {
	return fal.Open("made-up.bin", func() (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(rand.NewChaCha8([32]byte{}), size)), nil
	})
}

func upload(ctx context.Context, client *fal.Client, file fal.File) error {
	start, told := time.Now(), time.Time{}
	remote, err := client.Upload(ctx, file.Progress(func(sent, total int64) {
		if now := time.Now(); now.Sub(told) > 100*time.Millisecond || sent == total {
			told = now
			show(sent, total, time.Since(start))
		}
	}))
	if err != nil {
		return err
	}
	address, _ := remote.URL()
	fmt.Printf("\nit is at %s\n", address)

	// The same content is not sent a second time.
	start = time.Now()
	again, err := client.Upload(ctx, file)
	if err != nil {
		return err
	}
	fmt.Printf("once more, in %v: the same address: %v\n", time.Since(start).Round(time.Millisecond), again == remote)
	return nil
}

// show writes over the line before.
func show(sent, total int64, took time.Duration) {
	rate := float64(sent) / 1e6 / max(took.Seconds(), 1e-3)
	of := "of what is not known yet"
	if total > 0 {
		of = fmt.Sprintf("of %.0f MB (%d %%)", float64(total)/1e6, 100*sent/total)
	}
	fmt.Fprintf(os.Stdout, "\r%.0f MB %s, %.0f MB/s    ", float64(sent)/1e6, of, rate)
}
