//go:build !unix

package batch_test

import "testing"

const limitsFiles = false

// limitFiles does nothing where a program cannot limit itself.
func limitFiles(*testing.T, string) {}
