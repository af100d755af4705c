// Package postgres starts a PostgreSQL of its own, for tests and examples: in a
// temporary folder, on a socket that nobody else has, and as safe against a crash as
// one in earnest.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrMissing says that this machine has no PostgreSQL.
var ErrMissing = errors.New("postgres: there are no postgres and initdb on this machine, neither in PATH nor in /usr/lib/postgresql/*/bin: install PostgreSQL (apt-get install postgresql)")

// Server is a PostgreSQL that this program started.
type Server struct {
	// URL is how to connect to it.
	URL string

	dir, bin string
	cmd      *exec.Cmd
}

// Start makes a database in a new folder and starts a server on it. Root cannot run
// PostgreSQL, so it is then the user postgres who does.
func Start(ctx context.Context) (s *Server, err error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "falpg")
	if err != nil {
		return nil, err
	}
	s = &Server{dir: dir, bin: bin, URL: "postgres://postgres@/postgres?port=5432&host=" + dir}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	if err := give(dir); err != nil {
		return nil, err
	}
	init := s.command("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-instructions")
	if out, err := init.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("postgres: initdb: %w\n%s", err, out)
	}
	return s, s.run(ctx)
}

// Here reports whether this machine has a PostgreSQL.
func Here() bool {
	_, err := binaries()
	return err == nil
}

// binaries returns the folder that has initdb and postgres.
func binaries() (string, error) {
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Reverse(folders)
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			folders = append([]string{filepath.Dir(path)}, folders...)
		}
	}
	for _, dir := range folders {
		_, err := os.Stat(filepath.Join(dir, "postgres"))
		if _, err2 := os.Stat(filepath.Join(dir, "initdb")); err == nil && err2 == nil {
			return dir, nil
		}
	}
	return "", ErrMissing
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// command returns a command of PostgreSQL, in its folder and by its user.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...) //nolint:noctx // it ends by Stop
	cmd.Dir = s.dir
	as(cmd)
	return cmd
}

// run starts the server and waits until it answers.
func (s *Server) run(ctx context.Context) error {
	s.cmd = s.command("postgres", "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=200")
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	err = s.cmd.Start()
	if err = errors.Join(err, log.Close()); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	for {
		conn, err := pgx.Connect(ctx, s.URL)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			said, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return errors.Join(fmt.Errorf("postgres: it does not answer: %w\n%s", err, said), s.end(os.Interrupt))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// end ends the server with a signal.
func (s *Server) end(how os.Signal) error {
	if err := s.cmd.Process.Signal(how); err != nil {
		return err
	}
	_ = s.cmd.Wait() // after a crash it is no success
	return nil
}

// Restart crashes the server, so that all connections break and nothing is written
// any more, and starts it again.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.end(crash); err != nil {
		return err
	}
	return s.run(ctx)
}

// Stop ends the server and removes its folder.
func (s *Server) Stop() error { return errors.Join(s.end(os.Interrupt), os.RemoveAll(s.dir)) }

// Database makes an empty database and returns how to connect to it.
func (s *Server) Database(ctx context.Context, name string) (string, error) {
	conn, err := pgx.Connect(ctx, s.URL)
	if err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	return fmt.Sprintf("postgres://postgres@/%s?port=5432&host=%s", name, s.dir), errors.Join(err, conn.Close(ctx))
}
