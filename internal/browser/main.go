// Command browser opens pages in a headless Chromium, at the widths of a
// telephone and of a desk, in light and dark, and tells what is wrong with
// them: errors on the console, failed requests and requests to other hosts,
// pictures that did not load or have no alt text, sideways scrolling, cut off
// text, poor contrast, overlapping entries, wrong columns, duplicate ids,
// headings out of order, and links the keyboard does not reach.
//
//	go run . [-screenshot dir] [-browser /usr/bin/chromium] page.html...
//
// It exits with 1 if something is wrong, and with 2 if it could not look.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/falimage/falimage-go/internal/browser/check"
)

// executable is the browser of Debian and its kin.
const executable = "/usr/bin/chromium"

func main() {
	shots := flag.String("screenshot", "", "`directory` to save a picture of each view in")
	path := flag.String("browser", executable, "`file` of the browser")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: browser [-screenshot dir] [-browser file] page.html...")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	wrong, err := run(ctx, *path, *shots, flag.Args())
	stop()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "browser:", err)
		os.Exit(2)
	case wrong > 0:
		os.Exit(1)
	}
}

// run checks the files, prints what is wrong, and returns how much that is.
func run(ctx context.Context, path, shots string, files []string) (int, error) {
	if shots != "" {
		if err := os.MkdirAll(shots, 0o755); err != nil {
			return 0, err
		}
	}
	b, err := check.Start(ctx, path)
	if err != nil {
		return 0, err
	}
	defer b.Close()
	wrong := 0
	for _, file := range files {
		findings, err := b.Check(file, shots)
		for _, f := range findings {
			fmt.Println(f)
		}
		if err != nil {
			return 0, err
		}
		if len(findings) == 0 {
			fmt.Printf("%s: good in %d views\n", file, len(check.Views()))
		}
		wrong += len(findings)
	}
	return wrong, nil
}
