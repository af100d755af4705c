// Route explains which model fits a need, why, and what it costs. It needs no
// key and sends nothing.
//
//	go run ./examples/route
//	go run ./examples/route -prompt "a sign reading 'OPEN'" -size 1920x1080 -n 4 -max '$0.50'
//	go run ./examples/route -prompt "put the mug of @image1 on the desk of @image2" -pictures mug.png,https://example.com/desk.jpg
//	go run ./examples/route -edit background -prompt "a beach" -pictures mug.png -licence apache -refused
//	go run ./examples/route -prompt "a red mug" -transparent -only flux
//	go run ./examples/route -f task.json -stage draft -json
//
// A task in a file is a router.Task as JSON, such as
//
//	{"prompt": "a red mug", "size": "1920x1080", "count": 4, "colors": ["#C0392B"], "max_price": "0.50"}
//
// Flags change what the file says; "-f -" reads it from the standard input.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/falimage/falimage-go/router"
)

func main() {
	err := run(os.Args[1:], os.Stdin, os.Stdout)
	_, wrong := errors.AsType[usageError](err)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case wrong:
		complain(os.Stderr, err)
		os.Exit(2)
	case err != nil:
		complain(os.Stderr, err)
		os.Exit(1)
	}
}

// usageError is about the arguments.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run explains the task that the arguments describe.
func run(args []string, in io.Reader, out io.Writer) error {
	o, err := parse(args, in, os.Stderr)
	if err != nil {
		return usageError{err}
	}
	routing, err := router.Route(o.task)
	switch {
	case o.asJSON:
		return errors.Join(writeJSON(out, routing, err), err)
	case err != nil:
		return err
	}
	return explain(out, routing, o.top, o.refused)
}

// complain prints an error, with a line for each thing that is wrong.
func complain(w io.Writer, err error) {
	if e, ok := errors.AsType[*router.TaskError](err); ok {
		fmt.Fprintln(w, "route: the task is wrong:")
		for _, p := range e.Problems {
			fmt.Fprintf(w, "  %v\n", p)
		}
		return
	}
	e, ok := errors.AsType[*router.NoModelError](err)
	if !ok {
		fmt.Fprintln(w, "route:", err)
		return
	}
	fmt.Fprintln(w, "route: no model can do all of this together:")
	for _, need := range e.Conflict {
		fmt.Fprintln(w, "  "+need)
	}
	if len(e.Nearest) > 0 {
		fmt.Fprintln(w, "The nearest choices:")
	}
	for _, n := range e.Nearest {
		fmt.Fprintf(w, "  %v\n", n)
	}
}
