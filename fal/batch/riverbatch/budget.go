package riverbatch

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/pricing"
	"github.com/falimage/falimage-go/pricing/spend"
)

// Budget is a budget that all machines share, in the database: a [fal.Guard] like that
// of package spend. Before a request is sent the most that it may cost is set aside,
// under a lock of one row, so that all machines together stay within the limit; when the
// result arrives what was billed is booked instead, once for each job whoever waits for
// it. What a machine that crashed has set aside is taken over by the one that takes up
// its item. Where fal does not report what it billed, the maximum is booked, and where
// sources disagree on the price, what was billed by the dearest.
//
//	client.Guard = &riverbatch.Budget{Pool: pool, Name: "catalogue", Limit: 100 * pricing.Dollar}
//
// It may be used by many goroutines at once; its fields must not be changed after its
// first use. For limits by tag or month, ask a spend.Budget too, in each process.
type Budget struct {
	// Pool is the database, with the tables of [Migrate]. Required.
	Pool *pgxpool.Pool
	// Name tells the budget from others in the database. "" is one as any other.
	Name string
	// Limit is the most that may be spent under the name, by all machines and for all
	// time. 0 lets nothing pass. Machines with other limits each keep their own.
	Limit pricing.USD
	// Unpriced is set aside for a request whose price is unknown. 0 refuses such
	// requests.
	Unpriced pricing.USD
	// Table has the prices; nil means the default table.
	Table *pricing.Table
}

var _ fal.Guard = (*Budget)(nil)

// Totals is where a budget stands.
type Totals struct {
	// Billed is what was spent, and Reserved what is set aside for requests under way or
	// of unknown fate.
	Billed, Reserved pricing.USD
	// Requests is how many were billed, and Open for how many something is set aside.
	Requests, Open int
}

// Totals returns where the budget stands.
func (b *Budget) Totals(ctx context.Context) (t Totals, err error) {
	if b.Pool == nil {
		return t, errNoPool
	}
	err = again(ctx, func(bool) error {
		return b.Pool.QueryRow(ctx, `SELECT coalesce(sum(billed) FILTER (WHERE state = 'settled'), 0)::bigint, coalesce(sum(amount) FILTER (WHERE state = 'open'), 0)::bigint,
			count(*) FILTER (WHERE state = 'settled'), count(*) FILTER (WHERE state = 'open') FROM falimage_reservation WHERE budget = $1`, b.Name).
			Scan(&t.Billed, &t.Reserved, &t.Requests, &t.Open)
	})
	return t, b.fail(err)
}

var errNoPool = errors.New("riverbatch: Budget.Pool is not set: it is required")

func (b *Budget) fail(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("riverbatch: budget %q: %w", b.Name, err)
}

func (b *Budget) table() *pricing.Table {
	if b.Table == nil {
		return pricing.Default()
	}
	return b.Table
}

// Reserve sets aside the most that a request may cost. The error is a
// [*spend.BudgetError] if that is more than is left, [pricing.ErrUnknown] if the price is
// not known and the budget has nothing for such requests, and another if an input
// cannot be read or the database not be reached.
func (b *Budget) Reserve(ctx context.Context, u fal.Usage, _ map[string]string) (fal.Reservation, error) {
	return b.reserve(ctx, rand.Text(), u, false)
}

// ReserveAs is Reserve under an id of the caller's, as package batch does it: what was
// reserved under the id by a process that ended before fal accepted the request is
// taken over. The database is not waited for to write it to its disk: it does so with
// the intent that the journal notes next.
func (b *Budget) ReserveAs(ctx context.Context, id string, u fal.Usage, _ map[string]string) (fal.Reservation, error) {
	return b.reserve(ctx, id, u, true)
}

func (b *Budget) reserve(ctx context.Context, id string, u fal.Usage, relaxed bool) (fal.Reservation, error) {
	if b.Pool == nil {
		return nil, errNoPool
	}
	quote, err := b.table().Estimate(u)
	amount := quote.Max
	if err != nil {
		if b.Unpriced <= 0 || !errors.Is(err, pricing.ErrUnknown) {
			return nil, err
		}
		amount = b.Unpriced
	}
	if amount <= 0 { // else it would pass a budget of which nothing is left
		return nil, b.fail(fmt.Errorf("%.60s: the request would cost %v, which cannot be", u.Endpoint, amount))
	}
	kept, err := encodeUsage(u)
	if err != nil {
		return nil, b.fail(err)
	}
	r := &reservation{budget: b, name: id, quote: &quote, amount: amount, relaxed: relaxed}
	err = again(ctx, func(maybe bool) error {
		if relaxed && !maybe && r.reserveFast(ctx, kept) == nil {
			return nil
		}
		return r.reserve(ctx, kept)
	})
	if _, refused := errors.AsType[*spend.BudgetError](err); refused {
		return nil, err
	}
	return r, b.fail(err)
}

// reserveFast sets an amount aside in one exchange, as long as the lock of the row is
// held. It has an error if there is anything more to it.
func (r *reservation) reserveFast(ctx context.Context, usage []byte) error {
	return relaxedRow(ctx, r.budget.Pool, []any{&r.id}, `WITH b AS (UPDATE falimage_budget SET reserved = reserved + $5 WHERE name = $1 AND reserved + billed <= $6::bigint - $5 RETURNING name)
		INSERT INTO falimage_reservation (budget, name, endpoint, usage, amount, state) SELECT name, $2, $3, $4, $5, 'open' FROM b RETURNING id`,
		r.budget.Name, r.name, r.quote.Endpoint, usage, r.amount, r.budget.Limit)
}

// reserve sets an amount aside, in place of what was set aside under the name before.
func (r *reservation) reserve(ctx context.Context, usage []byte) error {
	b := r.budget
	return r.locked(ctx, r.relaxed, func(tx pgx.Tx, used pricing.USD) error {
		var before pricing.USD
		err := tx.QueryRow(ctx, "SELECT id, amount FROM falimage_reservation WHERE budget = $1 AND name = $2 AND state = 'open' AND request_id IS NULL", b.Name, r.name).Scan(&r.id, &before)
		there := err == nil
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		left, err := b.Limit.Sub(used - before)
		if err != nil {
			return err
		}
		if r.amount > left {
			return &spend.BudgetError{Endpoint: r.quote.Endpoint, Limit: b.Limit, Left: left, Asked: r.amount, Expected: r.quote.Expected, Unknowns: r.quote.Unknowns()}
		}
		if there {
			_, err = tx.Exec(ctx, "UPDATE falimage_reservation SET amount = $2, usage = $3, endpoint = $4 WHERE id = $1", r.id, r.amount, usage, r.quote.Endpoint)
		} else {
			err = tx.QueryRow(ctx, "INSERT INTO falimage_reservation (budget, name, endpoint, usage, amount, state) VALUES ($1, $2, $3, $4, $5, 'open') RETURNING id",
				b.Name, r.name, r.quote.Endpoint, usage, r.amount).Scan(&r.id)
		}
		if err != nil {
			return err
		}
		return b.add(ctx, tx, r.amount-before, 0)
	})
}

// Resume returns the reservation that was made under an id, by whatever machine, for a
// request that is taken up by the id of its job. If there is none, what it is told is
// booked all the same, if fal told what it billed, but once for each job.
func (b *Budget) Resume(id, requestID string) fal.Reservation {
	r := &reservation{budget: b, name: id, job: requestID, relaxed: true}
	if requestID != "" {
		r.Accepted(requestID)
	}
	return r
}

// add changes what the budget has set aside and spent.
func (b *Budget) add(ctx context.Context, tx pgx.Tx, reserved, billed pricing.USD) error {
	_, err := tx.Exec(ctx, "UPDATE falimage_budget SET reserved = reserved + $2, billed = billed + $3 WHERE name = $1", b.Name, reserved, billed)
	return err
}

// reservation is what is set aside for one request. What the database cannot be told
// within the time of its restart stays set aside, and is booked when the job is waited
// for again.
type reservation struct {
	budget  *Budget
	id      int64 // 0 if another process made it
	name    string
	job     string         // the request id, where it is known
	quote   *pricing.Quote // nil if another process made it
	amount  pricing.USD
	relaxed bool
}

// locked does something in a transaction, with the row of the budget locked. Used is
// what is spent and set aside.
func (r *reservation) locked(ctx context.Context, relaxed bool, f func(tx pgx.Tx, used pricing.USD) error) error {
	return pgx.BeginFunc(ctx, r.budget.Pool, func(tx pgx.Tx) error {
		if relaxed {
			if _, err := tx.Exec(ctx, relax); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, "INSERT INTO falimage_budget (name) VALUES ($1) ON CONFLICT DO NOTHING", r.budget.Name); err != nil {
			return err
		}
		var used pricing.USD
		if err := tx.QueryRow(ctx, "SELECT reserved + billed FROM falimage_budget WHERE name = $1 FOR UPDATE", r.budget.Name).Scan(&used); err != nil {
			return err
		}
		return f(tx, used)
	})
}

// telling is how long the database is tried to be told something.
const telling = 2 * patience

// tell tells the database something: in one exchange if that is all, or else under the
// lock of the budget.
func (r *reservation) tell(durable bool, fast func(ctx context.Context) error, slow func(ctx context.Context, tx pgx.Tx) error) {
	ctx, stop := context.WithTimeout(context.Background(), telling)
	defer stop()
	_ = again(ctx, func(maybe bool) error {
		if r.relaxed && !maybe && fast(ctx) == nil {
			return nil
		}
		return r.locked(ctx, r.relaxed && !durable, func(tx pgx.Tx, _ pricing.USD) error { return slow(ctx, tx) })
	})
}

// Accepted notes the request id.
func (r *reservation) Accepted(requestID string) {
	r.job = requestID
	const query = `UPDATE falimage_reservation SET request_id = $4 WHERE budget = $1 AND state = 'open' AND request_id IS NULL AND (id = $2 OR $2 = 0 AND name = $3)
		AND NOT EXISTS (SELECT FROM falimage_reservation WHERE budget = $1 AND request_id = $4)`
	args := []any{r.budget.Name, r.id, r.name, requestID}
	r.tell(false, func(ctx context.Context) error {
		_, err := relaxedExec(ctx, r.budget.Pool, query, args...)
		return err
	}, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	})
}

// entry is a row about a reservation.
type entry struct {
	id     int64 // 0 if there is none
	state  string
	amount pricing.USD
	usage  []byte
}

// find finds the row of a request id, or of the reservation itself, unless that is for
// another job: of a worker that stood still and one that took its item up both have it.
func (r *reservation) find(ctx context.Context, tx pgx.Tx, requestID string) (e entry, err error) {
	err = tx.QueryRow(ctx, `SELECT id, state, amount, usage FROM falimage_reservation
		WHERE budget = $1 AND (request_id = $4 OR request_id IS NULL AND (id = $2 OR $2 = 0 AND name = $3 AND state = 'open'))
		ORDER BY request_id = $4 DESC NULLS LAST LIMIT 1`, r.budget.Name, r.id, r.name, requestID).Scan(&e.id, &e.state, &e.amount, &e.usage)
	if errors.Is(err, pgx.ErrNoRows) {
		return e, nil
	}
	return e, err
}

// billed returns what a request was billed, and what is booked if fal does not tell.
func (b *Budget) billed(quote *pricing.Quote, meta fal.Meta, unknown pricing.USD) pricing.USD {
	bill, err := pricing.Settle(*quote, meta)
	if err != nil {
		return max(unknown, quote.Max) // as much as it can be
	}
	return bill.Max
}

// Settled books what was billed. The database is waited for to write it to its disk:
// if it crashed before the journal notes the result, nothing would book it again.
func (r *reservation) Settled(meta fal.Meta) {
	r.tell(true, func(ctx context.Context) error { return r.settleFast(ctx, meta) }, func(ctx context.Context, tx pgx.Tx) error { return r.settle(ctx, tx, meta) })
}

// settleFast books what this process has set aside, if nobody else has.
func (r *reservation) settleFast(ctx context.Context, meta fal.Meta) error {
	if r.quote == nil {
		return errSlow
	}
	var id int64
	return r.budget.Pool.QueryRow(ctx, `WITH r AS (UPDATE falimage_reservation SET state = 'settled', billed = $3, request_id = $2 WHERE id = $1 AND state = 'open' AND request_id = $2 RETURNING id, budget, amount)
		UPDATE falimage_budget b SET reserved = reserved - r.amount, billed = billed + $3 FROM r WHERE b.name = r.budget RETURNING r.id`,
		r.id, meta.RequestID, r.budget.billed(r.quote, meta, r.amount)).Scan(&id)
}

var errSlow = errors.New("there is more to it")

func (r *reservation) settle(ctx context.Context, tx pgx.Tx, meta fal.Meta) error {
	e, err := r.find(ctx, tx, meta.RequestID)
	if err != nil || e.state == "settled" {
		return err
	}
	aside := e.amount
	if e.state == "released" { // by who did not know that fal had accepted it
		aside = 0
	}
	u := fal.Usage{Endpoint: meta.Endpoint}
	if e.id != 0 {
		if u, err = decodeUsage(e.usage); err != nil {
			return err
		}
	}
	quote, _ := r.budget.table().Estimate(u) // for its price, if it has no more
	billed := r.budget.billed(&quote, meta, e.amount)
	if e.id == 0 {
		if _, err := pricing.Settle(quote, meta); err != nil && billed <= 0 {
			return nil // it is not known, and as nothing it would be booked for good
		}
		_, err = tx.Exec(ctx, "INSERT INTO falimage_reservation (budget, name, request_id, endpoint, usage, amount, billed, state) VALUES ($1, $2, $3, $4, '{}', 0, $5, 'settled')",
			r.budget.Name, r.name, meta.RequestID, meta.Endpoint, billed)
	} else {
		_, err = tx.Exec(ctx, "UPDATE falimage_reservation SET state = 'settled', billed = $2, request_id = coalesce(request_id, $3) WHERE id = $1", e.id, billed, meta.RequestID)
	}
	if err != nil {
		return err
	}
	return r.budget.add(ctx, tx, -aside, billed)
}

// Released takes back what was set aside, on the disk too, as Settled.
func (r *reservation) Released(why error) {
	r.tell(true, func(context.Context) error { return errSlow }, func(ctx context.Context, tx pgx.Tx) error {
		e, err := r.find(ctx, tx, cmp.Or(fal.RequestID(why), r.job))
		if err != nil || e.id == 0 || e.state != "open" {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE falimage_reservation SET state = 'released' WHERE id = $1", e.id); err != nil {
			return err
		}
		return r.budget.add(ctx, tx, -e.amount, 0)
	})
}
