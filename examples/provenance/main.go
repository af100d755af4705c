// Provenance writes into pictures how they were made, reads it again, and makes
// one of them once more from nothing but its file.
//
//	go run ./examples/provenance -out out
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/falimage/falimage-go/examples/internal/demo"
	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/provenance"
	"github.com/falimage/falimage-go/flux"
	"github.com/falimage/falimage-go/pricing"
)

func main() {
	prompt := flag.String("prompt", "a lighthouse in a storm", "what the picture shows")
	private := flag.Bool("private", false, "keep the prompt out of the files")
	out := flag.String("out", "out", "folder for the pictures")
	demo.Program{
		Name: "provenance",
		Plan: func() (string, error) {
			var quotes []pricing.Quote
			for _, req := range requests(*prompt) {
				q, err := pricing.Estimate(req)
				if err != nil {
					return "", err
				}
				quotes = append(quotes, q)
			}
			return demo.Cost(append(quotes, quotes[0])...) // the first is made twice
		},
		Run: func(ctx context.Context) error {
			s, stop, err := demo.Begin("provenance", *out)
			if err != nil {
				return err
			}
			defer stop()
			return mark(ctx, s, requests(*prompt), *out, *private)
		},
	}.Main()
}

// requests are for a PNG and a JPEG; WebP is marked alike.
func requests(prompt string) []flux.Schnell {
	return []flux.Schnell{
		{Prompt: prompt, ImageSize: fal.Size(512, 384), OutputFormat: fal.PNG},
		{Prompt: prompt, ImageSize: fal.Size(512, 384), OutputFormat: fal.JPEG},
	}
}

func mark(ctx context.Context, s *demo.Session, reqs []flux.Schnell, out string, private bool) error {
	var paths []string
	for i, req := range reqs {
		path, err := makeMarked(ctx, s, req, filepath.Join(out, fmt.Sprintf("provenance-%d", i+1)), private)
		if err != nil {
			return err
		}
		paths = append(paths, path)
	}
	for _, path := range paths {
		rec, err := provenance.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Printf("\n%s\n  made by  %s at %s\n  request  %s\n  cost     %s\n  prompt   %s\n", path, rec.Endpoint, rec.Time, rec.RequestID, rec.Cost, rec.Prompt)
	}
	if private {
		return s.End()
	}
	if err := repeat(ctx, s, paths[0], filepath.Join(out, "provenance-again")); err != nil {
		return err
	}
	return s.End()
}

// makeMarked makes a picture, saves it, and writes into its file how it was
// made.
func makeMarked(ctx context.Context, s *demo.Session, req fal.Request[fal.Images], path string, private bool) (string, error) {
	quote, err := pricing.Estimate(req)
	if err != nil {
		return "", err
	}
	result, err := demo.Run(ctx, s, req, func(o *fal.Images) fal.Meta { return o.Meta })
	if err != nil {
		return "", err
	}
	rec, err := provenance.Of(req, result.Meta, result.Seed)
	if err != nil {
		return "", err
	}
	if bill, err := pricing.Settle(quote, result.Meta); err == nil {
		rec.Cost = bill.Billed.String()
	}
	if private {
		rec = rec.WithoutPrompt()
	}
	path += result.Images[0].Extension()
	if err := s.Save(ctx, result.Images[0], path); err != nil {
		return "", err
	}
	return path, provenance.MarkFile(path, rec)
}

// repeat makes the picture in a file once more.
func repeat(ctx context.Context, s *demo.Session, first, path string) error {
	rec, err := provenance.ReadFile(first)
	if err != nil {
		return err
	}
	req, err := provenance.Reproduce[fal.Images](rec, nil, flux.Decode)
	if err != nil {
		return err
	}
	fmt.Printf("\nonce more: %T with seed %d\n", req, *rec.Seed)
	again, err := makeMarked(ctx, s, req, path, false)
	if err != nil {
		return err
	}
	same, err := samePicture(first, again)
	if err == nil {
		fmt.Printf("the same picture, byte for byte, beside its record: %v\n", same)
	}
	return err
}

// samePicture compares two files beside their records.
func samePicture(a, b string) (bool, error) {
	var pictures [2][]byte
	for i, path := range []string{a, b} {
		content, err := os.ReadFile(path)
		if err == nil {
			pictures[i], err = provenance.Mark(content, provenance.Record{})
		}
		if err != nil {
			return false, err
		}
	}
	return bytes.Equal(pictures[0], pictures[1]), nil
}
