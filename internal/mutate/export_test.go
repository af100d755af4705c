package main

// Run is run, for the tests.
var Run = run

// Changed lists the changes to a source, and what each one makes of it.
func Changed(src string) ([]string, error) {
	changes, err := changesIn("a.go", []byte(src))
	var all []string
	for _, c := range changes {
		all = append(all, c.String()+"\n"+string(c.apply()))
	}
	return all, err
}
