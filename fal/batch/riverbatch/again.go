package riverbatch

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// patience is how long the database may be away, for a restart for instance, until
// what needs it fails. It is shorter than a lease.
const patience = 15 * time.Second

// again calls f until it has no error that a restart of the database explains.
// Maybe says that an earlier call may have done its work all the same.
func again(ctx context.Context, f func(maybe bool) error) error {
	const first, longest = 20 * time.Millisecond, time.Second
	end := time.Now().Add(patience)
	maybe := false
	for wait := first; ; wait = min(2*wait, longest) {
		err := f(maybe)
		if err == nil || !passing(err) || time.Now().After(end) {
			return err
		}
		maybe = maybe || !pgconn.SafeToRetry(err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// passing reports whether an error is likely to be gone in a moment.
func passing(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return slices.Contains([]string{
			"57P01", "57P02", "57P03", // it ends, it crashed, it begins
			"53300",          // too many connections
			"40001", "40P01", // a transaction in the way
		}, e.Code)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	_, refused := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err)
	return refused || network || pgconn.SafeToRetry(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
