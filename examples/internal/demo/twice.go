package demo

import (
	"context"
	"os"
	"os/signal"
)

// Twice calls stop at the first Ctrl-C, which ends the context of [Program.Run], and end
// at a second. Done ends that.
func Twice(first context.Context, say func(format string, args ...any), stop, end func()) (done func()) {
	signals, over := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, os.Interrupt)
	go func() {
		select {
		case <-first.Done():
			say("no more are begun, those under way are waited for; Ctrl-C again leaves these to fal")
			stop()
		case <-over:
			return
		}
		for range 2 { // the first one is here too
			select {
			case <-signals:
			case <-over:
				return
			}
		}
		end()
	}()
	return func() {
		signal.Stop(signals)
		close(over)
	}
}
