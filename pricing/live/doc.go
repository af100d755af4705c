// Package live compares the prices that fal's platform tells today with those
// of a [pricing.Table], in a form that a nightly job can print, and puts them
// into it:
//
//	feed := &live.Feed{Client: client}
//	table, changes, err := feed.Refresh(ctx)
//	fmt.Print(changes)
//	pricing.SetDefault(table)
//
// The platform tells a unit and a unit price only. The rules behind them, and
// what a request costs by them, are those of package pricing.
package live
