// Package site_test uses the pages of the example programs as a visitor does.
package site_test

import (
	"bufio"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// A page makes pictures through the proxy until its budget is spent.
func TestProxyPage(t *testing.T) {
	t.Parallel()
	address := start(t, "proxy", "-addr", "127.0.0.1:0", "-budget", "0.005")
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("/usr/bin/chromium"), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"))
	alloc, endAlloc := chromedp.NewExecAllocator(t.Context(), options...)
	defer endAlloc()
	tab, end := chromedp.NewContext(alloc)
	defer end()
	if err := chromedp.Do(tab, chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Done: 1024 x 768 pixels, 1 unit billed.", "No picture: the budget does not allow this request."} {
		got, err := chromedp.Run(tab, chromedp.Evaluate[string](`(async () => {
			document.querySelector("form").requestSubmit();
			const button = document.querySelector("button");
			while (button.disabled) await new Promise((resolve) => setTimeout(resolve, 20));
			return document.querySelector("[role=status]").textContent;
		})()`, chromedp.EvalAwaitPromise))
		if err != nil || got != want {
			t.Errorf("the page says %q, %v, want %q", got, err, want)
		}
	}
}

// start runs an example and returns the address that it tells.
func start(t *testing.T, name string, args ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./examples/"+name)
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	server := exec.CommandContext(t.Context(), program, args...)
	server.Env = []string{"HOME=" + t.TempDir()} // no key
	server.Dir = t.TempDir()
	server.WaitDelay = time.Second
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if address := regexp.MustCompile(`http://127\.0\.0\.1\S+`).FindString(lines.Text()); address != "" {
			go func() { _, _ = io.Copy(io.Discard, stdout) }()
			return address
		}
	}
	t.Fatal("the program told no address")
	return ""
}
