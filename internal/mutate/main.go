// Command mutate changes a package in small ways, one at a time, and says which
// changes its tests do not notice:
//
//	go run ./internal/mutate [-n 120] [-seed 1] [-at file.go:12] PKG [TESTPKG ...]
//
// A change that no test notices is either a test that is missing or one that
// changes nothing; who reads the list decides. The tests of PKG decide, and
// those of each TESTPKG.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, w io.Writer) error {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	n := flags.Int("n", 120, "changes to try")
	seed := flags.Uint64("seed", 1, "which changes are picked")
	at := flags.String("at", "", "only changes whose place contains this")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("name a package, such as ./fal")
	}
	changes, err := changesOf(ctx, flags.Arg(0))
	if err != nil {
		return err
	}
	if *at != "" {
		changes = keep(changes, func(c change) bool { return strings.Contains(c.String(), *at) })
	}
	began := time.Now()
	out, err := goTest(ctx, 10*time.Minute, "", flags.Args())
	if err != nil {
		return fmt.Errorf("the tests fail before anything is changed: %w\n%s", err, out)
	}
	limit := 20*time.Second + 4*time.Since(began)

	order := rand.New(rand.NewPCG(*seed, 0))
	order.Shuffle(len(changes), func(i, k int) { changes[i], changes[k] = changes[k], changes[i] })
	killed, survived := 0, 0
	for _, c := range changes {
		if killed+survived == *n {
			break
		}
		noticed, built, err := try(ctx, c, limit, flags.Args())
		switch {
		case err != nil:
			return err
		case !built: // such as a variable that is no longer used
		case noticed:
			killed++
		default:
			survived++
			fmt.Fprintln(w, c)
		}
	}
	if killed+survived == 0 {
		return errors.New("nothing to change there")
	}
	fmt.Fprintf(w, "%d of %d changes noticed (%d%%)\n", killed, killed+survived, 100*killed/(killed+survived))
	return nil
}

// changesOf lists the changes to the files of a package that are written by
// hand.
func changesOf(ctx context.Context, pkg string) ([]change, error) {
	const format = `{{range .GoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}`
	out, err := exec.CommandContext(ctx, "go", "list", "-f", format, pkg).Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pkg, err)
	}
	var all []change
	for file := range strings.FieldsSeq(string(out)) {
		src, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		changes, err := changesIn(file, src)
		if err != nil {
			return nil, err
		}
		all = append(all, changes...)
	}
	return all, nil
}

// try tests one change. The file on disk stays as it is: the compiler is given
// another one in its place.
func try(ctx context.Context, c change, limit time.Duration, pkgs []string) (noticed, built bool, err error) {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return false, false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	changed := filepath.Join(dir, "changed.go")
	overlay := filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{c.file: changed}})
	if err != nil {
		return false, false, err
	}
	err = errors.Join(os.WriteFile(changed, c.apply(), 0o600), os.WriteFile(overlay, replace, 0o600))
	if err != nil {
		return false, false, err
	}
	out, err := goTest(ctx, limit, overlay, pkgs)
	if ctx.Err() != nil {
		return false, false, ctx.Err()
	}
	return err != nil, !bytes.Contains(out, []byte("[build failed]")), nil
}

func goTest(ctx context.Context, limit time.Duration, overlay string, pkgs []string) ([]byte, error) {
	args := []string{"test", "-failfast", "-vet=off", "-timeout=" + limit.String()}
	if overlay == "" {
		args = append(args, "-count=1") // timed, so not from the cache
	} else {
		args = append(args, "-overlay="+overlay)
	}
	return exec.CommandContext(ctx, "go", append(args, pkgs...)...).CombinedOutput()
}

func keep(changes []change, want func(change) bool) []change {
	var kept []change
	for _, c := range changes {
		if want(c) {
			kept = append(kept, c)
		}
	}
	return kept
}
