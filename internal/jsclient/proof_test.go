// Package jsclient_test proves the local fal with a client that nobody here
// wrote: the official one for JavaScript.
package jsclient_test

import (
	"bufio"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/proxy"
	"github.com/falimage/falimage-go/flux"
)

// TestOfficialJavaScriptClient runs proof.mjs against examples/fakefal as a
// process of its own. Without Node or the installed client it is left out,
// unless FALIMAGE_REQUIRE_NODE is set; run install.sh first.
func TestOfficialJavaScriptClient(t *testing.T) {
	t.Parallel()
	node, address := start(t, "-queue", "200ms", "-run", "300ms")
	proxied := httptest.NewServer(&proxy.Handler{
		Client:    &fal.Client{Key: fal.NewKey(faltest.Key), Hosts: faltest.HostsAt(address)},
		Endpoints: []string{"fal-ai/flux/schnell", "fal-ai/flux-2-pro", "fal-ai/flux-2-pro/edit", "fal-ai/flux-lora/stream"},
		User:      proxy.Anyone, Decode: flux.Decode, Uploads: true,
	})
	defer proxied.Close()
	proof := exec.CommandContext(t.Context(), node, "--experimental-websocket", "proof.mjs", address, faltest.Key, proxied.URL)
	proof.WaitDelay = 10 * time.Second
	out, err := proof.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
	if !strings.Contains(string(out), "passed") || strings.Contains(string(out), "FAIL") {
		t.Error("the proof did not run to its end")
	}
}

// start starts examples/fakefal as a process of its own, and finds node.
func start(tb testing.TB, args ...string) (node, address string) {
	tb.Helper()
	node = nodeWith(tb, "@fal-ai/client")
	program := filepath.Join(tb.TempDir(), "fakefal")
	if out, err := exec.CommandContext(tb.Context(), "go", "build", "-o", program, "../../examples/fakefal").CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	server := exec.CommandContext(tb.Context(), program, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	stdout, err := server.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := server.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	return node, addressIn(tb, bufio.NewScanner(stdout))
}

// addressIn finds the address of the server in what it prints.
func addressIn(tb testing.TB, lines *bufio.Scanner) string {
	tb.Helper()
	for lines.Scan() {
		if _, address, ok := strings.Cut(lines.Text(), "https://fal.run        is at  "); ok {
			return strings.TrimSuffix(address, "/fal.run")
		}
	}
	tb.Fatal("the server printed no address")
	return ""
}

// nodeWith finds node, and the packages that are to be installed for it.
func nodeWith(tb testing.TB, packages ...string) string {
	tb.Helper()
	missing := tb.Skip
	if os.Getenv("FALIMAGE_REQUIRE_NODE") != "" {
		missing = tb.Fatal
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing("node is not installed")
	}
	for _, name := range packages {
		if _, err := os.Stat(filepath.Join("node_modules", filepath.FromSlash(name), "package.json")); err != nil {
			missing(name + " is not installed: run internal/jsclient/install.sh")
		}
	}
	return node
}
