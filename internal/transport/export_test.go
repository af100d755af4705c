package transport

// What tests of this package need to see of its inside.
var (
	CheckPublic = checkPublic
	Unsent      = unsent
)
