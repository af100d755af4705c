package demo

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/plan"
)

// Program is what the example programs have in common: they check their flags
// before anything is paid, say what it costs, and ask.
type Program struct {
	Name string
	// Args says that arguments beside the flags are taken.
	Args bool
	// Plan checks what the flags say and tells what it costs; "" if nothing is
	// paid. It sends nothing.
	Plan func() (string, error)
	// Run does it.
	Run func(ctx context.Context) error
}

// Main runs the program until it ends or Ctrl-C is pressed. The exit status is 2
// if it did not begin: for wrong flags, or if the plan was not agreed to. An
// error of Run can have another one than 1 by a method ExitStatus.
func (p Program) Main() {
	yes := flag.Bool("yes", false, "do not ask before money is spent")
	flag.Parse()
	if err := p.begin(os.Stderr, os.Stdin, flag.Args(), *yes); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := p.Run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
		status := 1
		if e, ok := errors.AsType[interface {
			error
			ExitStatus() int
		}](err); ok {
			status = e.ExitStatus()
		}
		os.Exit(status)
	}
}

func (p Program) begin(w io.Writer, in io.Reader, args []string, yes bool) error {
	if len(args) > 0 && !p.Args {
		return fmt.Errorf("%q: there are only flags, see -help", args[0])
	}
	cost, err := p.Plan()
	if err != nil {
		return err
	}
	if cost == "" || !HasKey() {
		return nil
	}
	fmt.Fprintf(w, "This will be paid:\n%s", cost)
	if yes {
		return nil
	}
	return Ask(w, in)
}

// Ask asks a person at a terminal whether to go on.
func Ask(w io.Writer, in io.Reader) error {
	if f, ok := in.(*os.File); ok {
		if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
			return errors.New("nobody can be asked, since this is no terminal: add -yes to go on without a question")
		}
	}
	fmt.Fprintf(w, "Go on? [y/N] ")
	answer, _ := bufio.NewReader(in).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was sent; -yes goes on without a question")
}

// HasKey reports whether there is an API key, so that it is real.
func HasKey() bool { return os.Getenv("FAL_KEY") != "" || os.Getenv("FAL_KEY_ID") != "" }

// Cost puts into words what quotes add up to.
func Cost(quotes ...pricing.Quote) (string, error) {
	p, err := plan.Sum(quotes...)
	if err != nil {
		return "", err
	}
	return p.String(), nil
}

// Readable returns an error if a file cannot be read.
func Readable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder, not a picture", path)
	}
	return errors.Join(err, f.Close())
}
