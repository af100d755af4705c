package batch_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/batch"
	"github.com/falimage/falimage-go/fal/batch/journal"
	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/fal/platform"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

const (
	// roleEnv says what the test binary is to be: a server or the program that is
	// killed. killsEnv is how often it is killed; more than a few take minutes.
	roleEnv  = "FALIMAGE_BATCH_ROLE"
	killsEnv = "FALIMAGE_BATCH_KILLS"
	baseEnv  = "FALIMAGE_BATCH_SERVER"
	// diskEnv is how large files may become before the program's disk is full, and
	// clockEnv how wrong its clock is.
	diskEnv  = "FALIMAGE_BATCH_DISK"
	clockEnv = "FALIMAGE_BATCH_CLOCK"
)

// killItems is how many items a batch has: 300, or fewer where it is killed a few
// times only.
func killItems() int {
	if os.Getenv(killsEnv) == "" {
		return 60
	}
	return 300
}

// A batch is killed at random points and started again until it is done, against a
// local fal in a process of its own that loses answers, fails, refuses, falls silent
// and forgets results; its disk is full at times, its clock wrong, and the ends of its
// files torn. For each item one job is accepted and one file saved, and what was spent is
// what fal billed.
func TestKilled(t *testing.T) {
	role := os.Getenv(roleEnv)
	if role != "" {
		go func() { // with the test that started it, if that is killed, it ends too
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(3)
		}()
	}
	switch role {
	case "server":
		serve(t)
		return
	case "program":
		program(t)
		return
	}
	t.Parallel()
	kills := 4
	if text := os.Getenv(killsEnv); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	batches, done := 0, 0
	for start := time.Now(); done < kills; batches++ {
		done += killBatch(t, kills-done)
		if kills > 10 {
			t.Logf("%d kills in %d batches, %v", done, batches+1, time.Since(start).Round(time.Second))
		}
		if t.Failed() {
			return
		}
	}
}

// again starts the test binary in a role.
func again(t *testing.T, dir, role string, env ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestKilled$", "-test.timeout=1h")
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), roleEnv+"="+role), env...)
	log, err := os.Create(filepath.Join(dir, role+".log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	cmd.Stderr = log
	if _, err := cmd.StdinPipe(); err != nil { // held open as long as this process lives
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// killBatch kills one batch as often as it can and is to be, and holds what came of
// it against the server's books.
func killBatch(t *testing.T, most int) (kills int) {
	t.Helper()
	dir := t.TempDir()
	server, said := again(t, dir, "server")
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}()
	base := ""
	for base == "" && said.Scan() {
		base, _ = strings.CutPrefix(said.Text(), "at ")
	}
	behind := false // was the clock of the program that was killed last
	for ended := false; !ended; {
		if behind {
			// What it noted looks older than it is, and so as if the history had it by now.
			time.Sleep(historyLag)
		}
		if kills > 0 && rand.IntN(4) == 0 {
			tear(t, dir)
		}
		clock := wrong[rand.IntN(len(wrong))]
		behind = strings.HasPrefix(clock, "-")
		env := []string{baseEnv + "=" + base, clockEnv + "=" + clock}
		if kills < most && rand.IntN(6) == 0 {
			env = append(env, diskEnv+"="+strconv.Itoa(rand.IntN(200<<10)))
		}
		cmd, lines := again(t, dir, "program", env...)
		for lines.Scan() && lines.Text() != "begun" {
		}
		if kills < most {
			go func() {
				longest := 120 * time.Millisecond
				if rand.IntN(10) == 0 {
					longest = 5 * time.Second // else what is silent for 3 seconds would never come
				}
				time.Sleep(rand.N(longest))
				_ = cmd.Process.Kill()
			}()
		}
		for lines.Scan() {
			ended = ended || lines.Text() == "ended"
		}
		err := cmd.Wait()
		switch exit := new(exec.ExitError); {
		case ended || err == nil || errors.As(err, &exit) && exit.ExitCode() == diskFull:
		default:
			kills++
		}
		if kills > most {
			t.Errorf("the program ended by itself: %v", err)
			break
		}
	}
	if checkBatch(t, dir, base); t.Failed() {
		said, _ := os.ReadFile(filepath.Join(dir, "program.log"))
		t.Logf("%.2000s", said)
	}
	return kills
}

// When the disk is full, nothing more is submitted, and what was is saved all the same;
// when there is room again, the rest is made and nothing twice.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	if !limitsFiles {
		return
	}
	srv := faltest.NewServer(t, faltest.RunTime(30*time.Millisecond))
	dir := t.TempDir()
	work := func(env ...string) (exit int) {
		cmd, lines := again(t, dir, "program", append(env, baseEnv+"="+srv.URL(), clockEnv+"=0s")...)
		for lines.Scan() {
			continue
		}
		_ = cmd.Wait()
		return cmd.ProcessState.ExitCode()
	}
	pictures := func() int {
		files, _ := filepath.Glob(filepath.Join(dir, "out", "m*"))
		return len(files)
	}
	if exit := work(diskEnv + "=" + strconv.Itoa(10<<10)); exit != diskFull || srv.Ledger().Posts != 0 { // not even the beginning of a journal
		t.Errorf("exit %d, %d posts", exit, srv.Ledger().Posts)
	}
	exit := work(diskEnv + "=" + strconv.Itoa(40<<10)) // the journal needs more, no picture does
	if jobs := srv.Ledger().Submissions; exit != diskFull || jobs == 0 || jobs == killItems() || pictures() != jobs {
		said, _ := os.ReadFile(filepath.Join(dir, "program.log"))
		t.Errorf("exit %d, %d jobs, %d pictures\n%.3000s", exit, jobs, pictures(), said)
	}
	if exit := work(); exit != 0 || srv.Ledger().Submissions != killItems() || pictures() != killItems() {
		t.Errorf("exit %d, %d jobs, %d pictures", exit, srv.Ledger().Submissions, pictures())
	}
}

// wrong is by how much the clock is wrong while the program runs.
var wrong = []string{"0s", "0s", "0s", "0s", "-1s", "-13m", "300ms"}

// historyLag is how long what a killed program has sent may be on its way.
const historyLag = time.Second

// diskFull is what the program exits with when its disk is full.
const diskFull = 3

// tear adds what a crash leaves of a write that was never finished.
func tear(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"ledger", "journal"} {
		whole, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) || len(whole) == 0 {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		tail := bytes.Repeat([]byte{0xA5}, rand.IntN(9000)) // pages that nothing leads to
		if name == "ledger" {
			last := whole[bytes.LastIndexByte(whole[:len(whole)-1], '\n')+1:]
			tail = last[:rand.IntN(len(last))] // a line without its end
			if !bytes.HasSuffix(whole, []byte{'\n'}) {
				continue // it is torn already
			}
		}
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_APPEND, 0)
		if err == nil {
			_, err = f.Write(tail)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// dead reports whether the queue has no result of a job that is done; the history has.
func dead(requestID string) bool {
	n, err := strconv.Atoi(requestID[max(0, len(requestID)-6):])
	return err == nil && n%25 == 7
}

// checkBatch holds journal, files and ledger against the server's books.
func checkBatch(t *testing.T, dir, base string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/books", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var books faltest.Ledger
	if err := json.NewDecoder(resp.Body).Decode(&books); err != nil {
		t.Fatal(err)
	}
	var billed pricing.USD
	accepted := make(map[string]bool)
	for _, b := range books.Bills {
		quote, _ := pricing.EstimateUsage(fal.Usage{Endpoint: b.Endpoint})
		bill, err := pricing.Settle(quote, fal.Meta{Endpoint: b.Endpoint, RequestID: b.RequestID, BillableUnits: b.Units})
		if err != nil {
			t.Fatal(err)
		}
		billed += bill.Billed
		accepted[b.RequestID] = true
	}
	if books.Submissions != killItems() || len(accepted) != killItems() {
		t.Errorf("%d jobs were accepted, %d billed", books.Submissions, len(accepted))
	}
	j, err := journal.Open(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for row, err := range j.All(t.Context()) {
		if err != nil || row.State != batch.Done || !accepted[row.RequestID] || len(row.Files) != 1 {
			t.Errorf("%s: %s, request %s, %d files, %v, %+v", row.Key, row.State, row.RequestID, len(row.Files), err, row.Failure)
		}
		delete(accepted, row.RequestID)
		rows++
	}
	ledger, err := spend.OpenLedger(filepath.Join(dir, "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	if all := ledger.Totals().All; rows != killItems() || all.Billed != billed || all.Open != 0 || all.Requests != int64(killItems()) {
		t.Errorf("%d rows; the ledger has %v of %d requests, %d of them open; fal billed %v", rows, all.Billed, all.Requests, all.Open, billed)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "out", "*.*"))
	if len(files) != killItems() {
		t.Errorf("%d files", len(files))
	}
	for _, name := range files {
		if _, _, err := fal.Path(name).Dimensions(); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(j.Close(), ledger.Close()); err != nil {
		t.Error(err)
	}
}

// serve is the local fal, and its weather.
func serve(t *testing.T) {
	fake := faltest.New(faltest.QueueTime(time.Millisecond), faltest.RunTime(4*time.Millisecond), faltest.KeepAlive(50*time.Millisecond))
	defer fake.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/books", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(fake.Ledger()) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if id := path.Base(r.URL.Path); r.Method == http.MethodGet && strings.HasSuffix(path.Dir(r.URL.Path), "/requests") && dead(id) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"detail":"Request not found"}`))
			return
		}
		fake.ServeHTTP(w, r)
	})
	front := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = front.Serve(listener) }()
	fmt.Printf("\nat http://%s\n", listener.Addr())
	weather := []struct {
		op    faltest.Op
		fault faltest.Fault
		times int
	}{
		{faltest.OpSubmit, faltest.LostAnswer(), 1}, {faltest.OpSubmit, faltest.TruncatedBody(), 1}, {faltest.OpSubmit, faltest.Reset(), 1},
		{faltest.OpSubmit, faltest.Answer(503, "down"), 1}, {faltest.OpSubmit, faltest.After(faltest.Answer(502, "bad")), 1},
		{faltest.OpSubmit, faltest.TooManyRequests(0), 5}, {faltest.OpSubmit, faltest.DroppedStream(), 1},
		{faltest.OpResult, faltest.Answer(502, "bad"), 3}, {faltest.OpResult, faltest.TruncatedBody(), 3},
		{faltest.OpStatus, faltest.LostAnswer(), 3}, {faltest.OpDownload, faltest.TruncatedBody(), 2}, {faltest.OpPlatform, faltest.Answer(500, "x"), 1},
	}
	for i := 1; ; i++ {
		now := weather[rand.IntN(len(weather))]
		over := fake.Inject(now.op, now.fault, now.times)
		if i%400 == 0 {
			fake.Inject(faltest.OpSubmit, faltest.SilentStream(), 1)
		}
		time.Sleep(25 * time.Millisecond)
		over()
	}
}

// program does the batch, again and again until it is done.
func program(t *testing.T) {
	ctx := t.Context()
	off, err := time.ParseDuration(os.Getenv(clockEnv))
	if err != nil {
		t.Fatal(err)
	}
	fatal := func(err error) { t.Fatal(err) }
	if disk := os.Getenv(diskEnv); disk != "" {
		limitFiles(t, disk)
		fatal = func(err error) {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(diskFull)
		}
	}
	j, err := journal.Open("journal")
	if err != nil {
		fatal(err)
	}
	ledger, err := spend.OpenLedger("ledger")
	if err != nil {
		fatal(err)
	}
	client := &fal.Client{
		Key: fal.NewKey(faltest.Key), Hosts: faltest.HostsAt(os.Getenv(baseEnv)),
		Retry: fal.Retry{MinWait: time.Millisecond, MaxWait: 10 * time.Millisecond},
		Guard: &spend.Budget{Ledger: ledger, Limits: []spend.Limit{{Amount: 100 * pricing.Dollar}}},
	}
	look := platform.Reconciler{Client: client, Lag: historyLag}
	fmt.Print("\nbegun\n")
	for left := true; left; {
		left = false
		run := &batch.Runner{Client: client, Journal: misdating{j, off}, Dir: "out", Concurrency: 8, Reconcile: look.Find, Recover: look.Result}
		for _, err := range batch.Run(ctx, run, mugs(killItems())) {
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				left = true
			}
		}
		if left && os.Getenv(diskEnv) != "" {
			os.Exit(diskFull) // until somebody makes room
		}
	}
	if err := errors.Join(j.Close(), ledger.Close()); err != nil {
		fatal(err)
	}
	fmt.Print("\nended\n")
}

// misdating is the journal of a program whose clock is wrong.
type misdating struct {
	batch.Journal
	off time.Duration
}

func (m misdating) Put(ctx context.Context, row batch.Row) error {
	if row.State == batch.Intent {
		row.Sent = row.Sent.Add(m.off)
	}
	return m.Journal.Put(ctx, row)
}
