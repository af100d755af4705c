package demo

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
)

// Session is one run of a program that makes several requests one after the
// other. One that is stopped is gone on with by the next run with the same
// arguments: what is paid is taken up, not paid again.
type Session struct {
	Client *fal.Client
	// Notes is the beginning of the names of the files that tell of its
	// requests; "" keeps none.
	Notes string

	paths []string
}

// Begin begins the session of this program, of the given name, which keeps its
// files in a folder. End it when everything is saved. Without a key it is
// simulated, and nothing is left for another run.
func Begin(name, folder string) (s *Session, stop func(), err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, nil, err
	}
	client, simulated, stop := Client()
	if simulated {
		fmt.Println(Note)
	}
	return &Session{Client: client, Notes: Notes(name, folder, simulated)}, stop, nil
}

// Notes returns the beginning of the names of the files that tell of the requests
// of a program with the arguments that it has; "" for a simulation, which the
// next run cannot go on with.
func Notes(name, folder string, simulated bool) string {
	if simulated {
		return ""
	}
	return filepath.Join(folder, fmt.Sprintf(".%s-%s", name, fingerprint(os.Args[1:])))
}

// fingerprint tells arguments, and the files that they name, from others.
func fingerprint(args []string) string {
	h := fnv.New64a()
	for _, a := range args {
		if a == "-yes" || a == "--yes" {
			continue
		}
		fmt.Fprintf(h, "%q", a)
		if info, err := os.Stat(a); err == nil && !info.IsDir() {
			fmt.Fprintf(h, "%d %d", info.Size(), info.ModTime().UnixNano())
		}
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// Save saves a result. What is paid is saved though the program is told to stop.
func (s *Session) Save(ctx context.Context, m fal.Media, path string) error {
	ctx, stop := Unstopped(ctx)
	defer stop()
	if err := s.Client.Save(ctx, m, path); err != nil {
		return err
	}
	fmt.Println("saved", path)
	return nil
}

// End forgets the requests, of which everything is saved.
func (s *Session) End() error {
	var errs []error
	for _, path := range s.paths {
		errs = append(errs, Forget(path))
	}
	return errors.Join(errs...)
}

// Run quotes a request, runs it or takes it up, and settles the bill.
func Run[Out any](ctx context.Context, s *Session, req fal.Request[Out], meta func(*Out) fal.Meta) (*Out, error) {
	quote, err := pricing.Estimate(req)
	if err != nil {
		return nil, err
	}
	path := ""
	if s.Notes != "" {
		path = fmt.Sprintf("%s-%d.json", s.Notes, len(s.paths)+1)
		s.paths = append(s.paths, path)
	}
	out, err := Once(ctx, s.Client, path, req)
	if err != nil {
		return nil, err
	}
	bill, err := pricing.Settle(quote, meta(out))
	billed := bill.Billed.String()
	if err != nil {
		billed = "what is not known" // no reason to lose what was made
	}
	most := ""
	if !quote.Exact() {
		most = fmt.Sprintf(" (at most %v)", quote.Max)
	}
	fmt.Printf("%-32s quoted %v%s, billed %s, request %s\n", req.Endpoint(), quote.Expected, most, billed, meta(out).RequestID)
	return out, nil
}

// Images is Run for a request that makes pictures.
func Images(ctx context.Context, s *Session, req fal.Request[fal.Images]) ([]fal.Image, error) {
	out, err := Run(ctx, s, req, func(o *fal.Images) fal.Meta { return o.Meta })
	if err != nil {
		return nil, err
	}
	if len(out.Images) == 0 {
		return nil, fmt.Errorf("%s: the result has no picture (request %s)", req.Endpoint(), out.RequestID)
	}
	for _, w := range out.Warnings {
		fmt.Printf("%-32s %v\n", req.Endpoint(), w)
	}
	return out.Images, nil
}
