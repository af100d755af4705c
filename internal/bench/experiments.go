package main

import (
	"fmt"
	"strconv"
	"time"
)

// client is one of those that are compared.
type client struct {
	Name string
	kind string // of a process in Go, or the mode of the one in JavaScript
	node bool
}

var (
	goClients   = []client{{Name: "net/http by hand", kind: "bare"}, {Name: "this module", kind: "ours"}}
	nodeClients = []client{{Name: "JavaScript, streaming", kind: "streaming", node: true}, {Name: "JavaScript, polling", kind: "polling", node: true}}
)

// task is what one process of a client does, once it is warm.
type task struct {
	Kind     string // subscribe, upload, stream, inline
	Client   string
	URL      string
	Jobs     int
	InFlight int
	File     string
	Cold     bool // without a call before, to be warm
}

// point is one column of an experiment: what is done, and against what server.
type point struct {
	Label  string
	task   task
	job    time.Duration // how long fal works on each
	delay  time.Duration // of a round trip
	size   int           // of a file, in MiB
	rounds int
	most   int // jobs that a client in JavaScript does, if it is not 0
}

// measure is what of a measurement an experiment is about.
type measure struct {
	Name, Unit string
	of         func(p point, o outcome) float64
}

var (
	overhead = measure{"time beyond the job, each", "ms", func(p point, o outcome) float64 { return median(o.MS) - ms(p.job) }}
	duration = measure{"time", "ms", func(_ point, o outcome) float64 { return median(o.MS) }}
	tail     = measure{"time, the slowest of 100", "ms", func(_ point, o outcome) float64 { return quantile(o.MS, 0.99) }}
	lifetime = measure{"time of the process", "ms", func(_ point, o outcome) float64 { return ms(o.wall) }}
	rate     = measure{"wall time for each job", "ms", func(_ point, o outcome) float64 { return o.All / float64(len(o.MS)) }}
	cpu      = measure{"processor time", "ms", func(_ point, o outcome) float64 { return ms(o.cpu) }}
	cpuEach  = measure{"processor time for each job, start of the process included", "ms", func(_ point, o outcome) float64 { return ms(o.cpu) / float64(len(o.MS)) }}
	peak     = measure{"peak memory", "MiB", func(_ point, o outcome) float64 { return float64(o.PeakKiB) / 1024 }}
)

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// experiment is a row of points, of which each client measures all.
type experiment struct {
	Name     string
	About    string
	Axis     string
	Measures []measure
	points   []point
}

// experiments returns what is measured. The quick ones are for CI, and say
// nothing.
func experiments(quick bool) []experiment {
	rounds := func(n int) int {
		if quick {
			return 1
		}
		return n
	}
	pick := func(full, short []int) []int {
		if quick {
			return short
		}
		return full
	}
	var all []experiment

	e := experiment{
		Name: "overhead", Axis: "the job takes", Measures: []measure{overhead, cpu},
		About: "From the call to the decoded result, less what fal works; ten jobs at a time. By hand a status is asked for every 100 ms, by the JavaScript client every 500 ms when it polls.",
	}
	for _, job := range pick([]int{0, 300, 900, 1800, 8000}, []int{0, 300}) {
		d := time.Duration(job) * time.Millisecond
		p := point{Label: fmt.Sprintf("%d ms", job), job: d, rounds: rounds(5), task: task{Kind: "subscribe", Jobs: 10, InFlight: 10}}
		if job == 0 && !quick {
			p.task.Jobs = 300
		}
		if job > 5000 {
			p.rounds = rounds(3)
		}
		e.points = append(e.points, p)
	}
	all = append(all, e)

	e = experiment{
		Name: "in flight", Axis: "jobs at once, of 300 ms", Measures: []measure{overhead, cpuEach, peak},
		About: "The same with more and more jobs at once, on two cores that the server shares.",
	}
	for _, n := range pick([]int{1, 10, 100, 1000}, []int{1, 50}) {
		e.points = append(e.points, point{
			Label: strconv.Itoa(n), job: 300 * time.Millisecond, rounds: rounds(5), task: task{Kind: "subscribe", Jobs: max(3*n, 10), InFlight: n},
		})
	}
	all = append(all, e)

	e = experiment{
		Name: "upload", Axis: "size and round trip", Measures: []measure{duration, cpu, peak},
		About: "A file from disk to the address at which it can be read. A round trip of 20 ms is made by a proxy, new connections wait one more. By hand it is one PUT, whatever the size, and on a connection that is there, since the local fal has one address for all hosts.",
	}
	for _, delay := range []int{0, 20} {
		for _, size := range pick([]int{1, 80, 200}, []int{1}) {
			e.points = append(e.points, point{
				Label: fmt.Sprintf("%d MB, %d ms", size, delay), size: size, delay: time.Duration(delay) * time.Millisecond, rounds: rounds(5), task: task{Kind: "upload", Jobs: 1, InFlight: 1},
			})
		}
	}
	all = append(all, e)

	events, calls := 400, 20
	if quick {
		events, calls = 50, 3
	}
	all = append(all, experiment{
		Name: "stream", Axis: "events, 5 ms apart", Measures: []measure{duration, tail, cpu},
		About:  "How late an event of a stream is decoded, after the server began to write it. Of the JavaScript client it is what a listener sees: its for await takes an event every 16 ms, and falls behind.",
		points: []point{{Label: strconv.Itoa(events), rounds: rounds(5), task: task{Kind: "stream", Jobs: events, InFlight: 1}}},
	}, experiment{
		Name: "cold start", Axis: "one job of 0 ms", Measures: []measure{lifetime, cpu, peak},
		About:  "A whole process, from its start to its end, that makes one picture.",
		points: []point{{Label: "1", rounds: rounds(15), task: task{Kind: "subscribe", Jobs: 1, InFlight: 1, Cold: true}}},
	}, experiment{
		Name: "inline result", Axis: "calls, one after the other", Measures: []measure{duration, cpuEach, peak},
		About:  "A direct call whose result has a picture of 8 MB inside, until it is decoded.",
		points: []point{{Label: strconv.Itoa(calls), rounds: rounds(5), task: task{Kind: "inline", Jobs: calls, InFlight: 1}}},
	})

	e = experiment{
		Name: "jobs", Axis: "jobs of 0 ms, 64 at once", Measures: []measure{rate, cpuEach, peak},
		About: "What a job costs when there are many.",
	}
	for _, n := range pick([]int{10, 100, 1000, 10_000, 100_000}, []int{10, 100}) {
		p := point{Label: strconv.Itoa(n), rounds: rounds(5), task: task{Kind: "subscribe", Jobs: n, InFlight: 64}, most: 10_000}
		if n > 1000 {
			p.rounds = rounds(3)
		}
		if n > 10_000 {
			p.rounds = 1
		}
		e.points = append(e.points, p)
	}
	return append(all, e)
}
