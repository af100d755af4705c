package batch

// Count counts an item that ended in a state; see count.
func (r *Runner) Count(state State) int { return r.count(&Row{State: state}, false, nil) }
