//go:build !unix

package postgres

import (
	"os"
	"os/exec"
)

var crash = os.Kill

func give(string) error { return nil }

func as(*exec.Cmd) {}
