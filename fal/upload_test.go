package fal_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

const mib = 1 << 20

// random returns content that is the same for a seed.
func random(seed uint64, size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(b)
	return b
}

// uploader is a client of a local fal, with all that it sends looked at.
type uploader struct {
	*faltest.Server
	client *fal.Client
	// meddle may answer a request instead of the server, or change its context;
	// nil leaves it.
	meddle func(*http.Request) (*http.Response, error)

	mu    sync.Mutex
	paths []string // of what was sent, the last step of it
}

func newUploader(t *testing.T) *uploader {
	t.Helper()
	u := &uploader{Server: faltest.NewServer(t)}
	u.client = u.Client()
	u.client.Logger = slog.New(slog.DiscardHandler)
	u.client.Retry = fal.Retry{MinWait: time.Millisecond, MaxWait: time.Millisecond}
	u.client.HTTPClient = &http.Client{Transport: u}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections) //nolint:forcetypeassert // it is one
	return u
}

func (u *uploader) RoundTrip(r *http.Request) (*http.Response, error) {
	u.mu.Lock()
	path := r.URL.Path
	u.paths = append(u.paths, r.Method+" "+path[strings.LastIndexByte(path, '/')+1:])
	u.mu.Unlock()
	if u.meddle != nil {
		if resp, err := u.meddle(r); resp != nil || err != nil {
			if r.Body != nil {
				_ = r.Body.Close()
			}
			return resp, err
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (u *uploader) count(step string) (n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, p := range u.paths {
		if strings.HasPrefix(p, step) {
			n++
		}
	}
	return n
}

// get fetches what was uploaded.
func get(t *testing.T, f fal.File) []byte {
	t.Helper()
	address, _ := f.URL()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", address, resp.Status, err)
	}
	return content
}

// Of the files of one request, the others are given up when one cannot be sent.
func TestUploadsEndTogether(t *testing.T) {
	t.Parallel()
	u := newUploader(t)
	var asked atomic.Int32
	u.meddle = func(r *http.Request) (*http.Response, error) {
		if asked.Add(1) == 1 {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		return &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(`{"detail":"no"}`)), Request: r}, nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := fal.Submit(ctx, u.client, flux.Pro2Edit{Prompt: "p", ImageURLs: []fal.File{fal.Bytes(random(1, 99)), fal.Bytes(random(2, 99))}})
	if !errors.Is(err, fal.ErrUnauthorized) || !fal.NotSent(err) || ctx.Err() != nil || asked.Load() != 2 {
		t.Errorf("after %d exchanges: %v", asked.Load(), err)
	}
}

// once hides everything of a reader but that it reads.
type once struct{ io.Reader }

func (once) Close() error { return nil }

// onlyReader is a file of unknown size that can only be read in order.
func onlyReader(content []byte) fal.File {
	return fal.Open("a.bin", func() (io.ReadCloser, error) { return once{bytes.NewReader(content)}, nil })
}

func written(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.bin")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// smallParts has files sent in parts that are larger than 12 MiB. The test must
// not run beside others.
func smallParts(t *testing.T) {
	t.Helper()
	before := *fal.MaxWhole
	*fal.MaxWhole = 12 * mib
	t.Cleanup(func() { *fal.MaxWhole = before })
}

// What is larger than 90 MiB goes in parts, and up to 97 GiB goes.
func TestUploadThreshold(t *testing.T) {
	t.Parallel()
	for size, want := range map[int64]string{
		90 * mib: "POST initiate", 90*mib + 1: "POST initiate-multipart", 10_000 * 10 * mib: "POST initiate-multipart", 10_000*10*mib + 1: "",
	} {
		u := newUploader(t)
		u.meddle = func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusUnauthorized, Body: io.NopCloser(strings.NewReader(`{"detail":"no"}`))}, nil
		}
		path := written(t, []byte("x"))
		if err := os.Truncate(path, size); err != nil {
			t.Logf("%d bytes: %v", size, err) // not every file system takes them
			continue
		}
		_, err := u.client.Upload(t.Context(), fal.Path(path))
		if got := strings.Join(u.paths, ", "); err == nil || got != want {
			t.Errorf("%d bytes: %s, %v, want %s", size, got, err, want)
		}
	}
}

// What arrives is what there was, whatever its size and wherever it comes from.
func TestUploadSizes(t *testing.T) {
	smallParts(t)
	all := random(1, 25*mib+7)
	for _, tt := range []struct {
		name  string
		size  int
		file  func(content []byte) fal.File
		parts int
	}{
		{"one byte", 1, fal.Bytes, 0},
		{"the head", 64 << 10, fal.Bytes, 0},
		{"more than the head", 64<<10 + 1, fal.Bytes, 0},
		{"a path", 11 * mib, func(b []byte) fal.File { return fal.Path(written(t, b)) }, 0},
		{"the most that goes whole", 12 * mib, fal.Bytes, 0},
		{"parts from memory", 12*mib + 1, fal.Bytes, 2},
		{"parts from a path", 20 * mib, func(b []byte) fal.File { return fal.Path(written(t, b)) }, 2},
		{"parts from a file system", 20*mib + 1, func(b []byte) fal.File {
			return fal.FS(fstest.MapFS{"a.bin": {Data: b}}, "a.bin")
		}, 3},
		{"unknown and small", 1 * mib, onlyReader, 0},
		{"unknown, one byte less than a part", 10*mib - 1, onlyReader, 0},
		{"unknown, a part", 10 * mib, onlyReader, 1},
		{"unknown and large", 25*mib + 7, onlyReader, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := newUploader(t)
			content := all[:tt.size]
			f, err := u.client.Upload(t.Context(), tt.file(content))
			if err != nil {
				t.Fatal(err)
			}
			if sha256.Sum256(get(t, f)) != sha256.Sum256(content) {
				t.Error("what arrived is not what there was")
			}
			if n, err := f.Size(); n != int64(tt.size) || err != nil {
				t.Errorf("size %d, %v, want %d", n, err, tt.size)
			}
			parts := u.count("PUT ")
			if tt.parts == 0 {
				parts--
			}
			if parts != tt.parts || u.count("POST complete") != min(tt.parts, 1) {
				t.Errorf("%d parts, want %d: %v", parts, tt.parts, u.paths)
			}
		})
	}
}

// The same content is sent once, and content that only begins alike is not taken
// for the same.
func TestUploadOnce(t *testing.T) {
	t.Parallel()
	u := newUploader(t)
	a := random(1, 1*mib)
	b := append(bytes.Clone(a[:len(a)-1]), a[len(a)-1]+1) // of the same size, with the same beginning
	reads := new(atomic.Int64)
	counted := func(content []byte) fal.File {
		return fal.Open("a.bin", func() (io.ReadCloser, error) {
			return once{io.TeeReader(bytes.NewReader(content), counter{reads})}, nil
		})
	}
	var urls [3][8]string
	var wait sync.WaitGroup
	for i, content := range [][]byte{a, b, a[:len(a)-1]} {
		for j := range urls[i] {
			wait.Go(func() {
				f, err := u.client.Upload(t.Context(), counted(content))
				if err != nil {
					t.Error(err)
				}
				urls[i][j], _ = f.URL()
			})
		}
	}
	wait.Wait()
	different := map[string]bool{}
	for i := range urls {
		for j := range urls[i] {
			if urls[i][j] != urls[i][0] {
				t.Errorf("content %d is at %s and %s", i, urls[i][0], urls[i][j])
			}
		}
		different[urls[i][0]] = true
	}
	if len(different) != 3 || u.Ledger().Uploads != 3 {
		t.Errorf("%d contents at %d addresses by %d uploads, want 3", len(urls), len(different), u.Ledger().Uploads)
	}
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) { c.n.Add(int64(len(p))); return len(p), nil }

// A file is read once while it is sent, and its beginning once before.
func TestUploadReadsOnce(t *testing.T) {
	t.Parallel()
	u := newUploader(t)
	content, reads := random(2, 3*mib), new(atomic.Int64)
	f := fal.FS(countingFS{fstest.MapFS{"a.bin": {Data: content}}, reads}, "a.bin")
	if _, err := u.client.Upload(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if extra := reads.Load() - int64(len(content)); extra > 3*64<<10 { // summary, dimensions, and no more
		t.Errorf("%d bytes were read of %d", reads.Load(), len(content))
	}
}

type countingFS struct {
	fstest.MapFS
	n *atomic.Int64
}

func (c countingFS) Open(name string) (f fs.File, err error) {
	inner, err := c.MapFS.Open(name)
	return countingFile{inner, c.n}, err
}

type countingFile struct {
	fs.File
	n *atomic.Int64
}

func (c countingFile) Read(p []byte) (int, error) {
	n, err := c.File.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// Failures that pass are sat out, part by part, and progress does not go back.
func TestUploadFailures(t *testing.T) {
	smallParts(t)
	content := random(3, 35*mib)
	for name, faults := range map[string]map[faltest.Op]faltest.Fault{
		"errors":      {faltest.OpUploadPart: faltest.ServerError(503), faltest.OpUpload: faltest.ErrorPage(502)},
		"resets":      {faltest.OpUploadPart: faltest.Reset(), faltest.OpUpload: faltest.Reset()},
		"lost answer": {faltest.OpUploadPart: faltest.LostAnswer()},
		"too many":    {faltest.OpUploadPart: faltest.TooManyRequests(0)},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUploader(t)
			for op, fault := range faults {
				u.Inject(op, fault, 3)
			}
			var told []int64
			f, err := u.client.Upload(t.Context(), fal.Bytes(content).Progress(func(sent, total int64) {
				if total != int64(len(content)) {
					t.Errorf("total %d", total)
				}
				told = append(told, sent)
			}))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(get(t, f), content) {
				t.Error("what arrived is not what there was")
			}
			for i := range told {
				if i > 0 && told[i] <= told[i-1] {
					t.Fatalf("progress went from %d to %d", told[i-1], told[i])
				}
			}
			if len(told) < 10 || told[len(told)-1] != int64(len(content)) {
				t.Errorf("progress was told %d times", len(told))
			}
		})
	}
}

// An order to put the parts together whose answer was lost is not a failure.
func TestUploadCompleteLost(t *testing.T) {
	t.Parallel()
	u := newUploader(t)
	lost := false
	u.meddle = func(r *http.Request) (*http.Response, error) {
		if lost || !strings.HasSuffix(r.URL.Path, "/complete") {
			return nil, nil
		}
		lost = true
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		return nil, errors.New("connection reset")
	}
	content := random(4, 20*mib)
	f, err := u.client.Upload(t.Context(), onlyReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(get(t, f), content) || u.count("POST complete") != 2 {
		t.Errorf("%v", u.paths)
	}
}

// If one way of sending is refused, the other is tried, and the key goes to none
// of them.
func TestUploadFallback(t *testing.T) {
	t.Parallel()
	answer := func(status int) *http.Response {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"detail":"Invalid storage type"}`))}
	}
	for _, tt := range []struct {
		name   string
		size   int
		refuse string // the end of a path
		status int
		want   string // "" is for success
		direct int
	}{
		{"initiate", mib, "/initiate", 400, "", 1},
		{"initiate, small", 10, "/initiate", 404, "", 1},
		{"initiate of parts", 12 * mib, "/initiate-multipart", 400, "", 1},
		{"the address", mib, "/a.bin", 403, "", 1},
		{"parts", 12 * mib, "/1", 403, "", 1},
		{"a bad key", mib, "/initiate", 401, "401", 0},
		{"a server that is down", mib, "/initiate", 500, "500", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := newUploader(t)
			u.meddle = func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, tt.refuse) && !strings.Contains(r.URL.Path, "/multipart/") {
					return answer(tt.status), nil
				}
				return nil, nil
			}
			content := random(5, tt.size)
			f, err := u.client.Upload(t.Context(), onlyReader(content), fal.WithLifecycle(fal.Lifecycle{ExpiresAfter: time.Hour}))
			if n := u.count("POST token"); n != tt.direct {
				t.Errorf("%d tokens: %v", n, u.paths)
			}
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(get(t, f), content) {
				t.Error("what arrived is not what there was")
			}
		})
	}
	u := newUploader(t)
	u.meddle = func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/initiate") || strings.HasSuffix(r.URL.Path, "/token") {
			return answer(http.StatusBadRequest), nil
		}
		return nil, nil
	}
	if _, err := u.client.Upload(t.Context(), fal.Bytes([]byte("x"))); err == nil || !strings.Contains(err.Error(), "sent another way") {
		t.Errorf("both ways refused: %v", err)
	}
}

// Content and tokens go to the storage that fal names only if it may be fal's.
func TestUploadAddresses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ initiate, token, begun, want string }{
		"plain http":      {initiate: `{"upload_url":"http://example.com/a","file_url":"https://example.com/a"}`, want: "not https"},
		"credentials":     {initiate: `{"upload_url":"https://u:p@example.com/a","file_url":"https://example.com/a"}`, want: "not https"},
		"foreign storage": {token: `{"token":"t","token_type":"Bearer","base_url":"https://fal.media.example.com"}`, want: "not fal's"},
		"odd port":        {token: `{"token":"t","token_type":"Bearer","base_url":"https://v3.fal.media:444"}`, want: "not fal's"},
		"foreign parts":   {token: `{"token":"t","token_type":"Bearer","base_url":"https://v3.fal.media"}`, begun: `{"access_url":"https://example.com/a","uploadId":"1"}`, want: "not fal's"},
		"no token":        {token: `{}`, want: "no address"},
		"no JSON":         {token: `<html>`, want: "page of HTML"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMock()
			if tt.initiate == "" {
				m.answer(http.MethodPost, "=~/storage/upload/initiate", http.StatusBadRequest, `{"detail":"Invalid storage type"}`)
			} else {
				m.answer(http.MethodPost, "=~/storage/upload/initiate", http.StatusOK, tt.initiate)
			}
			m.answer(http.MethodPost, "=~/storage/auth/token", http.StatusOK, tt.token)
			m.answer(http.MethodPost, "https://v3.fal.media/files/upload/multipart", http.StatusOK, tt.begun)
			_, err := m.client.Upload(t.Context(), onlyReader(make([]byte, 11*mib)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// A file that changes while it is sent is an error, and does not arrive.
func TestUploadChanged(t *testing.T) {
	smallParts(t)
	for name, change := range map[string]func(path string) error{
		"written to": func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt([]byte("changed"), 5*mib)
			return errors.Join(err, f.Close(), os.Chtimes(path, time.Now(), time.Now().Add(time.Second)))
		},
		"longer": func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("more")
			return errors.Join(err, f.Close())
		},
		"shorter": func(path string) error { return os.Truncate(path, 5*mib) },
	} {
		for _, n := range []int{30 * mib, 10 * mib} {
			t.Run(name, func(t *testing.T) {
				u := newUploader(t)
				path := filepath.Join(t.TempDir(), "a.bin")
				if err := errors.Join(os.WriteFile(path, []byte("begin"), 0o600), os.Truncate(path, int64(n)), os.Chtimes(path, time.Now(), time.Now().Add(-time.Hour))); err != nil {
					t.Fatal(err)
				}
				done := false
				_, err := u.client.Upload(t.Context(), fal.Path(path).Progress(func(sent, _ int64) {
					if sent > mib && !done {
						done = true
						if err := change(path); err != nil {
							t.Error(err)
						}
					}
				}))
				if err == nil || !strings.Contains(err.Error(), "changed while") {
					t.Errorf("error %v", err)
				}
				if u.Ledger().Uploads != 0 || u.count("POST token") != 0 {
					t.Errorf("it arrived, or was sent another way: %v", u.paths)
				}
			})
		}
	}
}

// What the storage says of a part is checked.
func TestUploadETags(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ header, body, want string }{
		"header alone":   {`"abc"`, "", ""},
		"body alone":     {"", `{"partNumber":1,"etag":"abc"}`, ""},
		"both":           {`"abc"`, `{"partNumber":1,"etag":"abc"}`, ""},
		"none":           {"", "", "no ETag"},
		"empty":          {`""`, `{"partNumber":1,"etag":""}`, "no ETag"},
		"two":            {`"abc"`, `{"partNumber":1,"etag":"abd"}`, "two ETags"},
		"another number": {`"abc"`, `{"partNumber":2,"etag":"abc"}`, "part 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUploader(t)
			u.meddle = func(r *http.Request) (*http.Response, error) {
				body := tt.body
				switch {
				case strings.HasSuffix(r.URL.Path, "/complete"):
					asked, _ := io.ReadAll(r.Body)
					if !strings.Contains(string(asked), `abc`) {
						t.Errorf("completed with %s", asked)
					}
				case r.Method == http.MethodPut:
					_, _ = io.Copy(io.Discard, r.Body)
				case strings.HasSuffix(r.URL.Path, "/token"):
					return &http.Response{StatusCode: http.StatusBadRequest, Body: http.NoBody}, nil
				default:
					return nil, nil
				}
				h := http.Header{}
				if tt.header != "" {
					h.Set("ETag", tt.header)
				}
				return &http.Response{StatusCode: http.StatusOK, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
			}
			_, err := u.client.Upload(t.Context(), onlyReader(make([]byte, 10*mib)))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// Ten parts are under way, and held in memory, at a time, however many files there
// are.
func TestUploadParallel(t *testing.T) {
	u := newUploader(t)
	var now, most atomic.Int64
	u.meddle = func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodPut {
			return nil, nil
		}
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		_, _ = io.Copy(io.Discard, r.Body)
		for waited := 0; most.Load() < 10 && waited < 1000; waited++ {
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(10 * time.Millisecond) // time for an eleventh
		now.Add(-1)
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Etag": {"x"}}, Body: http.NoBody}, nil
	}
	var wait sync.WaitGroup
	for seed := range 3 {
		wait.Go(func() {
			head := random(uint64(seed), 64<<10)
			f := fal.Open("a.bin", func() (io.ReadCloser, error) {
				return once{io.MultiReader(bytes.NewReader(head), io.LimitReader(zeros{}, 70*mib))}, nil
			})
			// The parts never arrive, so that it fails in the end.
			if _, err := u.client.Upload(t.Context(), f); err == nil {
				t.Error("nothing arrived and there is no error")
			}
		})
	}
	wait.Wait()
	if most.Load() != 10 {
		t.Errorf("%d parts at a time, want 10", most.Load())
	}
}

// When the context ends an upload ends, whatever its reader does.
func TestUploadCancelled(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]func(cancel func()) fal.File{
		"a reader that hangs": func(cancel func()) fal.File {
			return fal.Open("a.bin", func() (io.ReadCloser, error) {
				return once{io.MultiReader(io.LimitReader(zeros{}, 15*mib), hanging{cancel})}, nil
			})
		},
		"parts": func(cancel func()) fal.File {
			return fal.Bytes(make([]byte, 95*mib)).Progress(func(sent, _ int64) {
				if sent > 20*mib {
					cancel()
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUploader(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if _, err := u.client.Upload(ctx, file(cancel)); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			if u.Ledger().Uploads != 0 {
				t.Error("it arrived")
			}
		})
	}
}

// hanging is a reader that never comes back.
type hanging struct{ begun func() }

func (h hanging) Read([]byte) (int, error) {
	h.begun()
	select {}
}

// Progress of a file in a request, and of one that was sent before.
func TestProgress(t *testing.T) {
	t.Parallel()
	u := newUploader(t)
	content := random(6, 3*mib)
	for i := range 2 {
		var told [][2]int64
		f := onlyReader(content).Progress(func(sent, total int64) { told = append(told, [2]int64{sent, total}) })
		if _, err := u.client.Upload(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		if i == 0 && len(told) < 3 {
			t.Errorf("told %v", told)
		}
		if i == 1 && cmp.Diff([][2]int64{{3 * mib, 3 * mib}}, told) != "" {
			t.Errorf("the second time: told %v", told)
		}
	}
	if f := fal.URL("https://example.com/a.png"); f.Progress(func(int64, int64) {}) != f {
		t.Error("a file at a URL is another one")
	}
}
