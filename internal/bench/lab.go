package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/falimage/falimage-go/fal/faltest"
)

// lab has the server, in a process of its own, and the files that are uploaded.
type lab struct {
	self    string
	folder  string
	server  *exec.Cmd
	control string
}

func newLab(ctx context.Context) (*lab, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	l := &lab{self: self, folder: folder, server: exec.CommandContext(ctx, self, "serve")}
	l.server.Stderr = os.Stderr
	stdout, err := l.server.StdoutPipe()
	if err == nil {
		err = l.server.Start()
	}
	if err != nil {
		l.close()
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		l.close()
		return nil, fmt.Errorf("the server did not start: %w", err)
	}
	l.control = strings.TrimSpace(line)
	return l, nil
}

func (l *lab) close() {
	if l.server.Process != nil {
		_ = l.server.Process.Kill()
		_ = l.server.Wait()
	}
	_ = os.RemoveAll(l.folder)
}

// begin asks for a server for a point.
func (l *lab) begin(ctx context.Context, p point) (address string, err error) {
	body, err := json.Marshal(order{Job: p.job, Delay: p.delay})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.control, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the server says %s: %s: %w", resp.Status, text, err)
	}
	return string(text), nil
}

// file returns a file of so many MiB.
func (l *lab) file(size int) (string, error) {
	name := filepath.Join(l.folder, fmt.Sprintf("%d.zip", size))
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	content := make([]byte, size<<20)
	_, _ = rand.Read(content)
	return name, os.WriteFile(name, content, 0o600)
}

// measure lets the clients do all points of an experiment, in turns, and says
// how far it is.
func (l *lab) measure(ctx context.Context, e experiment, clients []client, w io.Writer) (measured, error) {
	m := measured{experiment: e, Values: make([][][]series, len(e.Measures))}
	for i := range m.Values {
		m.Values[i] = make([][]series, len(e.points))
		for j := range m.Values[i] {
			m.Values[i][j] = make([]series, len(clients))
		}
	}
	for j, p := range e.points {
		var err error
		if p.size > 0 {
			if p.task.File, err = l.file(p.size); err != nil {
				return m, err
			}
		}
		for round := range p.rounds {
			for k := range clients {
				k = (k + round) % len(clients) // nobody is always the first
				c := clients[k]
				if p.task.Kind != "subscribe" && c.kind == "polling" || c.node && p.most > 0 && p.task.Jobs > p.most {
					continue
				}
				o, err := l.once(ctx, p, c)
				if err != nil {
					return m, fmt.Errorf("%s, %s, %s: %w", e.Name, p.Label, c.Name, err)
				}
				for i, measure := range e.Measures {
					m.Values[i][j][k] = append(m.Values[i][j][k], measure.of(p, o))
				}
			}
		}
		fmt.Fprintf(w, "%-14s %-14s", e.Name, p.Label)
		for k := range clients {
			fmt.Fprintf(w, "  %14s", m.Values[0][j][k])
		}
		fmt.Fprintln(w)
	}
	return m, nil
}

// once lets one client do one task, on a server of its own.
func (l *lab) once(ctx context.Context, p point, c client) (outcome, error) {
	var o outcome
	t := p.task
	t.Client = c.kind
	var err error
	if t.URL, err = l.begin(ctx, p); err != nil {
		return o, err
	}
	text, err := json.Marshal(t)
	if err != nil {
		return o, err
	}
	process := exec.CommandContext(ctx, l.self, "work", string(text))
	if c.node {
		process = exec.CommandContext(ctx, "node", filepath.Join(jsFolder, "bench.mjs"), string(text), faltest.Key)
	}
	var stdout, stderr bytes.Buffer
	process.Stdout, process.Stderr = &stdout, &stderr
	began := time.Now()
	if err := process.Run(); err != nil {
		return o, fmt.Errorf("%w\n%s", err, stderr.String())
	}
	o.wall = time.Since(began)
	if err := json.Unmarshal(stdout.Bytes(), &o); err != nil {
		return o, fmt.Errorf("%w in %.200s", err, stdout.String())
	}
	if len(o.MS) != t.Jobs {
		return o, errors.New("it did not do all")
	}
	o.cpu = process.ProcessState.UserTime() + process.ProcessState.SystemTime()
	return o, nil
}
