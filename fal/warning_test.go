package fal_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/flux"
)

// What comes is held against what was asked for, in each way of asking.
func TestWarnings(t *testing.T) {
	t.Parallel()
	const first, second = `{"url":"a","width":1024,"height":1024}`, `{"url":"b","width":768,"height":1024}`
	req := flux.Dev{Prompt: "p", NumImages: 2, ImageSize: fal.SquareHD}
	for _, tt := range []struct {
		name, body string
		want       []fal.Warning
	}{
		{"as asked", `{"images":[` + first + `,` + first + `]}`, nil},
		{"size not told", `{"images":[` + first + `,{"url":"b"}]}`, nil},
		{"fewer", `{"images":[` + first + `]}`, []fal.Warning{{Kind: fal.FewerPictures, Picture: -1}}},
		{"other size", `{"images":[` + first + `,` + second + `]}`, []fal.Warning{{Kind: fal.OtherSize, Picture: 1}}},
		{"flagged", `{"images":[` + first + `,` + first + `],"has_nsfw_concepts":[false,true]}`, []fal.Warning{{Kind: fal.FlaggedByFal, Picture: 1}}},
		{"all of it", `{"images":[` + second + `],"has_nsfw_concepts":[true]}`, []fal.Warning{
			{Kind: fal.FewerPictures, Picture: -1}, {Kind: fal.OtherSize}, {Kind: fal.FlaggedByFal},
		}},
	} {
		var log bytes.Buffer
		m := newMock()
		m.client.Logger = slog.New(slog.NewTextHandler(&log, nil))
		m.answer(http.MethodPost, "=~^https://fal.run/", http.StatusOK, tt.body)
		m.answer(http.MethodPost, "=~^https://queue.fal.run/", http.StatusOK, `{"request_id":"job-1"}`)
		m.answer(http.MethodGet, "=~/requests/job-1/status", http.StatusOK, `{"status":"COMPLETED"}`)
		m.answer(http.MethodGet, "=~/requests/job-1$", http.StatusOK, tt.body)
		ran, err := fal.Run(t.Context(), m.client, req)
		if err != nil {
			t.Fatal(err)
		}
		queued, err := fal.Subscribe(t.Context(), m.client, req)
		if err != nil {
			t.Fatal(err)
		}
		for call, got := range map[string]*fal.Images{"Run": ran, "Subscribe": queued} {
			if diff := cmp.Diff(tt.want, got.Warnings, cmpopts.IgnoreFields(fal.Warning{}, "Message")); diff != "" {
				t.Errorf("%s, %s (-want +got)\n%s", tt.name, call, diff)
			}
		}
		if n := strings.Count(log.String(), "fal result warning"); n != 2*min(len(tt.want), 1) { // one line for all
			t.Errorf("%s: %d lines in the log\n%s", tt.name, n, &log)
		}
	}
}

// Who does not want flagged pictures gets an error that says that they were
// paid, and the pictures all the same.
func TestRefuseFlagged(t *testing.T) {
	t.Parallel()
	shade := func(c color.Color) []byte {
		m := image.NewRGBA(image.Rect(0, 0, 8, 8))
		for i := range 64 {
			m.Set(i%8, i/8, c)
		}
		m.Set(3, 3, color.Black)
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	pictures := map[string][]byte{"black": shade(color.Gray{4}), "grey": shade(color.Gray{60})}
	for _, tt := range []struct {
		name, result string
		flagged      bool
	}{
		{"fine", `{"images":[{"url":"%[1]s/grey"}],"has_nsfw_concepts":[false]}`, false},
		{"told", `{"images":[{"url":"%[1]s/grey"}],"has_nsfw_concepts":[true]}`, true},
		{"told that it is not", `{"images":[{"url":"%[1]s/black"}],"has_nsfw_concepts":[false]}`, false},
		{"not told, black", `{"images":[{"url":"%[1]s/grey"},{"url":"%[1]s/black"}]}`, true},
		{"not told, not black", `{"images":[{"url":"%[1]s/grey"}]}`, false},
		{"not told, gone", `{"images":[{"url":"%[1]s/gone"}]}`, false},
	} {
		var c *fal.Client
		c, guard := answering(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				w.Header().Set("X-Fal-Request-Id", "rid")
				_, _ = io.WriteString(w, fmt.Sprintf(tt.result, c.Hosts.Run))
				return
			}
			if content := pictures[r.URL.Path[1:]]; content != nil {
				_, _ = w.Write(content)
				return
			}
			w.WriteHeader(http.StatusNotFound)
		})
		out, err := fal.Run(t.Context(), c, anyCall, fal.RefuseFlagged())
		if errors.Is(err, fal.ErrFlagged) != tt.flagged || (err != nil) != tt.flagged || out == nil || len(out.Images) == 0 {
			t.Errorf("%s: %+v, %v", tt.name, out, err)
		}
		if tt.flagged && (fal.Charged(err) != fal.Billed || fal.NotSent(err) || fal.RequestID(err) != "rid") {
			t.Errorf("%s: the error says %v of its charge", tt.name, fal.Charged(err))
		}
		if guard.fate != "settled " {
			t.Errorf("%s: the reservation was %q", tt.name, guard.fate)
		}
	}
}
