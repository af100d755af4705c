package record

// Kept has a recorder keep so many bytes of other bodies.
func Kept(r *Recorder, n int) { r.bytes = n }
