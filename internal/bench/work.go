package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/flux"
)

// outcome is what a process tells of its task, and what is known of it besides.
type outcome struct {
	MS      []float64 // of each job, upload, call; the lateness of each event
	All     float64   // of all together, in ms
	PeakKiB int       // of memory, as the system says

	wall, cpu time.Duration
}

// doer is a client that can do what tasks are about. Each job, upload or call is
// reported with the milliseconds it took, each event with those it was late.
type doer interface {
	subscribe(ctx context.Context) error
	upload(ctx context.Context, file string) error
	stream(ctx context.Context, events int, late func(sent float64)) error
	inline(ctx context.Context) error
}

// work is a process of a client in Go.
func work(ctx context.Context, text string, out io.Writer) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	var d doer = ours{&fal.Client{Key: fal.NewKey(faltest.Key), Hosts: faltest.HostsAt(t.URL)}}
	if t.Client == "bare" {
		d = bare{t.URL, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: t.InFlight}}}
	}
	if !t.Cold {
		if err := d.subscribe(ctx); err != nil {
			return err
		}
	}
	o := outcome{MS: make([]float64, 0, t.Jobs)}
	began := now()
	if t.Kind == "stream" {
		err := d.stream(ctx, t.Jobs, func(sent float64) { o.MS = append(o.MS, now()-sent) })
		if err != nil {
			return err
		}
	} else if err := repeat(ctx, d, t, func(took float64) { o.MS = append(o.MS, took) }); err != nil {
		return err
	}
	o.All = now() - began
	o.PeakKiB = peakOfSelf()
	if len(o.MS) != t.Jobs {
		return fmt.Errorf("%d of %d done", len(o.MS), t.Jobs)
	}
	return json.NewEncoder(out).Encode(o)
}

// repeat does a task many times, some at once.
func repeat(ctx context.Context, d doer, t task, done func(float64)) error {
	do := map[string]func(context.Context) error{
		"subscribe": d.subscribe,
		"upload":    func(ctx context.Context) error { return d.upload(ctx, t.File) },
		"inline":    d.inline,
	}[t.Kind]
	var mu sync.Mutex
	var failed error
	var all sync.WaitGroup
	places := make(chan struct{}, t.InFlight)
	for range t.Jobs {
		places <- struct{}{}
		all.Go(func() {
			began := now()
			err := do(ctx)
			took := now() - began
			mu.Lock()
			if done(took); err != nil {
				failed = err
			}
			mu.Unlock()
			<-places
		})
	}
	all.Wait()
	return failed
}

// peakOfSelf returns the most memory that this process had, in KiB, and 0 where
// the system does not tell. What is known of a process that ended would count
// what its parent had.
func peakOfSelf() int {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, line, _ := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(fields[0])
	return n
}

// ours works with this module.
type ours struct{ client *fal.Client }

func (o ours) subscribe(ctx context.Context) error {
	_, err := fal.Subscribe(ctx, o.client, flux.Pro2{Prompt: "a mug", Seed: fal.Seed(7)})
	return err
}

func (o ours) upload(ctx context.Context, file string) error {
	_, err := o.client.Upload(ctx, fal.Path(file))
	return err
}

func (o ours) stream(ctx context.Context, events int, late func(float64)) error {
	type event struct {
		fal.Meta `json:"-"`

		Images []fal.Image `json:"images"`
		Sent   float64     `json:"sent"`
	}
	for e, err := range fal.Stream(ctx, o.client, fal.Call[event]{ID: streamEndpoint, Input: map[string]any{"events": events}}) {
		if err != nil {
			return err
		}
		late(e.Sent)
	}
	return nil
}

func (o ours) inline(ctx context.Context) error {
	_, err := fal.Run(ctx, o.client, fal.Call[fal.Images]{ID: inlineEndpoint, Input: map[string]any{"prompt": "a mug"}})
	return err
}

// bare works with net/http alone, as one writes it by hand: no check, no second
// try, a poll each 100 ms.
type bare struct {
	url  string
	http *http.Client
}

type bareImages struct {
	Images []struct {
		URL    string `json:"url"`
		Width  int    `json:"width"`
		Height int    `json:"height"`
	} `json:"images"`
	Seed uint64 `json:"seed"`
}

func (b bare) do(ctx context.Context, method, address string, body io.Reader, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Key "+faltest.Key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := b.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s: %s", address, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

func (b bare) subscribe(ctx context.Context) error {
	var job struct {
		Status string `json:"status"`
		At     string `json:"status_url"`
		Result string `json:"response_url"`
	}
	if err := b.do(ctx, http.MethodPost, b.url+"/queue.fal.run/fal-ai/flux-2-pro", strings.NewReader(`{"prompt":"a mug","seed":7}`), &job); err != nil {
		return err
	}
	for {
		if err := b.do(ctx, http.MethodGet, job.At, nil, &job); err != nil {
			return err
		}
		if job.Status == "COMPLETED" {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return b.do(ctx, http.MethodGet, job.Result, nil, new(bareImages))
}

func (b bare) upload(ctx context.Context, name string) error {
	var to struct {
		Address string `json:"upload_url"`
	}
	if err := b.do(ctx, http.MethodPost, b.url+"/rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3", strings.NewReader(`{"content_type":"application/zip","file_name":"a.zip"}`), &to); err != nil {
		return err
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, to.Address, file) // which closes the file
	if err != nil {
		return err
	}
	req.ContentLength = info.Size()
	req.Header.Set("Content-Type", "application/zip")
	resp, err := b.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("upload: %s", resp.Status)
	}
	return nil
}

func (b bare) stream(ctx context.Context, events int, late func(float64)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+"/fal.run/"+streamEndpoint, strings.NewReader(fmt.Sprintf(`{"events":%d}`, events)))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Key "+faltest.Key)
	resp, err := b.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok {
			continue
		}
		var e struct {
			bareImages

			Sent float64 `json:"sent"`
		}
		if err := json.Unmarshal(data, &e); err != nil {
			return err
		}
		late(e.Sent)
	}
	return lines.Err()
}

func (b bare) inline(ctx context.Context) error {
	return b.do(ctx, http.MethodPost, b.url+"/fal.run/"+inlineEndpoint, strings.NewReader(`{"prompt":"a mug"}`), new(bareImages))
}
