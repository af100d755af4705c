package fal_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
)

// eventsOf reads a stream, with "name=data" for each event and its error last.
func eventsOf(r io.Reader, most, total int64) (all []string) {
	fal.ReadEvents(context.Background(), r, most, total, func(name string, data []byte, err error) bool {
		if err != nil {
			all = append(all, "error: "+err.Error())
			return true
		}
		all = append(all, name+"="+string(data))
		return true
	})
	return all
}

func TestEvents(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"data: a\n\n", []string{"=a"}},
		{"data: a\r\n\r\ndata: b\r\n\r\n", []string{"=a", "=b"}},
		{"data: a\r\rdata: b\r\r", []string{"=a", "=b"}},
		{"data: a\n\r\ndata: b\r\n\ndata: c\r\n\r", []string{"=a", "=b", "=c"}},
		{"\ufeffdata:a\n\n\ufeffdata: b\n\n", []string{"=a"}},
		{"data: a\ndata:  b\ndata\ndata:c\n\n", []string{"=a\n b\n\nc"}},
		{"event: e\nid: 7\nretry: 3\n: hello\nother: x\ndata: a\n\ndata: b\n\n", []string{"e=a", "=b"}},
		{"event: e\n\ndata: a\n\n", []string{"=a"}},
		{"data\n\ndata:\n\n: ping\n\n\n\n", []string{"=", "="}},
		{"data: a\n\ndata: b\n", []string{"=a", "=b"}},
		{"data: a\n\ndata: b", []string{"=a", "=b"}},
		{"data: a\n\ndata: b\r", []string{"=a", "=b"}},
		{"data: a\n\nevent: e\n", []string{"=a"}},
		{"datax: a\n\nx:data: b\n\n", nil},
		{"data: " + strings.Repeat("x", 60) + "\n\n", []string{"error: the answer is too long: an event of the stream has more than the 50 bytes that are read"}},
		{strings.Repeat("data: x\n", 40), []string{"error: the answer is too long: an event of the stream has more than the 50 bytes that are read"}},
		{strings.Repeat(": x\n", 51), []string{"error: the answer is too long: the stream has more than the 200 bytes that are read"}},
	} {
		for name, r := range map[string]io.Reader{
			"whole": strings.NewReader(tt.text), "byte by byte": iotest.OneByteReader(strings.NewReader(tt.text)),
			"with its end": iotest.DataErrReader(strings.NewReader(tt.text)),
		} {
			if tt.want != nil && strings.HasPrefix(tt.want[0], "error") && name != "byte by byte" {
				continue // how much comes at a time decides which limit it meets
			}
			if diff := cmp.Diff(tt.want, eventsOf(r, 50, 200)); diff != "" {
				t.Errorf("%q, %s: -want +got\n%s", tt.text, name, diff)
			}
		}
	}
	broken := io.MultiReader(strings.NewReader("data: a\n\ndata: b"), iotest.ErrReader(errors.New("reset")))
	if diff := cmp.Diff([]string{"=a", "=b", "error: reset"}, eventsOf(broken, 50, 200)); diff != "" {
		t.Errorf("broken off: -want +got\n%s", diff)
	}
}

// Reading ends with its consumer, and with its context whatever comes.
func TestEventsEnd(t *testing.T) {
	t.Parallel()
	n := 0
	fal.ReadEvents(t.Context(), strings.NewReader(strings.Repeat("data: x\n\n", 9)), 50, 200, func(string, []byte, error) bool {
		n++
		return n < 2
	})
	if n != 2 {
		t.Errorf("%d events after the second", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n = 0
	var last error
	fal.ReadEvents(ctx, iotest.OneByteReader(strings.NewReader(strings.Repeat("data: x\n\n", 9))), 50, 200, func(_ string, _ []byte, err error) bool {
		n++
		cancel()
		last = err
		return true
	})
	if n != 2 || !errors.Is(last, context.Canceled) {
		t.Errorf("%d events, the last %v", n, last)
	}
}

// An event that arrives in pieces costs time by its length alone.
func TestEventsInPieces(t *testing.T) {
	t.Parallel()
	const size = 64 << 20
	start := time.Now()
	got := 0
	text := io.MultiReader(strings.NewReader("data: "), &pieces{left: size}, strings.NewReader("\n\n"))
	fal.ReadEvents(t.Context(), text, size+10, 2*size, func(_ string, data []byte, _ error) bool {
		got = len(data)
		return true
	})
	if took := time.Since(start); got != size || took > 10*time.Second {
		t.Errorf("%d bytes in %v", got, took)
	}
}

// pieces gives letters, 16 kB at a time.
type pieces struct{ left int }

func (r *pieces) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), r.left, 16<<10)
	r.left -= n
	for i := range p[:n] {
		p[i] = 'x'
	}
	return n, nil
}

// However a stream is cut into pieces, its events are the same; and whichever
// way lines end.
func FuzzEvents(f *testing.F) {
	f.Add("event: e\r\ndata: a\rdata: b\n\n: c\n\ndata", uint8(3))
	f.Add("\ufeffdata:1\n\ndata:2", uint8(1))
	f.Fuzz(func(t *testing.T, text string, piece uint8) {
		const most = 1 << 20
		whole := eventsOf(strings.NewReader(text), most, most)
		cut := eventsOf(&cutUp{text, int(piece)%7 + 1}, most, most)
		if diff := cmp.Diff(whole, cut); diff != "" {
			t.Errorf("%q: -whole +cut\n%s", text, diff)
		}
		if !strings.Contains(text, "\r") {
			if diff := cmp.Diff(whole, eventsOf(strings.NewReader(strings.ReplaceAll(text, "\n", "\r")), most, most)); diff != "" && !strings.Contains(diff, `\n`) {
				t.Errorf("%q: -LF +CR\n%s", text, diff)
			}
		}
	})
}

type cutUp struct {
	text string
	size int
}

func (r *cutUp) Read(p []byte) (int, error) {
	if r.text == "" {
		return 0, io.EOF
	}
	n := copy(p, r.text[:min(r.size, len(r.text))])
	r.text = r.text[n:]
	return n, nil
}
