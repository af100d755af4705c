//go:build unix

package postgres

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// crash is the signal on which PostgreSQL ends at once, as in a crash.
const crash = syscall.SIGQUIT

// owner returns who runs PostgreSQL, and whether that is somebody else.
func owner() (uid, gid int, other bool, err error) {
	if os.Getuid() != 0 {
		return 0, 0, false, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return 0, 0, false, fmt.Errorf("postgres: root cannot run it, and there is no user postgres to do so: %w", err)
	}
	uid, err = strconv.Atoi(u.Uid)
	if err != nil {
		return 0, 0, false, err
	}
	gid, err = strconv.Atoi(u.Gid)
	return uid, gid, true, err
}

// give lets who runs PostgreSQL have a folder.
func give(dir string) error {
	uid, gid, other, err := owner()
	if err != nil || !other {
		return err
	}
	return os.Chown(dir, uid, gid)
}

// as has a command run by who runs PostgreSQL, and not end with a Ctrl-C that is for
// this program.
func as(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if uid, gid, other, err := owner(); err == nil && other {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
}
