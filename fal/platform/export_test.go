package platform

// Compare compares two inputs, as JSON.
func Compare(sent, input string) string {
	return [...]string{other: "other", similar: "similar", same: "same"}[compare(readJSON([]byte(sent)), readJSON([]byte(input)))]
}
