// Package examples_test runs the example programs as a user does.
package examples_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// programs builds the programs and returns the folder that they are in.
func programs(t *testing.T) string {
	t.Helper()
	folder := t.TempDir() // which is there until the subtests end
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", folder+string(filepath.Separator), "./...").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return folder
}

// start runs a program in a folder of its own, with a key or without.
func start(t *testing.T, path, key, args string) (code int, out string, files []string) {
	t.Helper()
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), path, strings.Fields(args)...)
	cmd.Dir = folder
	// Nothing must be sent with the key; if it is, it goes nowhere.
	cmd.Env = append(os.Environ(), "FAL_KEY="+key, "FAL_KEY_ID=", "HTTPS_PROXY=http://127.0.0.1:9")
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Stdin = &b, &b, strings.NewReader("")
	err := cmd.Run()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		code = e.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	_ = filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	return code, b.String(), files
}

// Arguments that are wrong or stray are refused before anything is paid, and so
// is a program with a key that nobody can be asked about.
func TestArguments(t *testing.T) {
	t.Parallel()
	folder := programs(t)
	for _, tt := range []struct{ program, args, want string }{
		{"batch", "-concurrency 0", "-concurrency 0"},
		{"batch", "-budget 0", "-budget"},
		{"batch", "-budget $0.01", "one picture costs $0.02"},
		{"batch", "-in none.csv", "none.csv"},
		{"batch", "-prompt {size}", "unknown field {size}"},
		{"batch", "-resume", "no batch"},
		{"batch", "fox", `"fox"`},
		{"batch", "", "-yes"},
		{"catalogue", "-n -5", "-n -5"},
		{"catalogue", "-finals -3", "-finals -3"},
		{"catalogue", "-parallel 0", "-parallel 0"},
		{"catalogue", "-budget -1", "-budget"},
		{"catalogue", "n 5", `"n"`},
		{"catalogue", "-csv none.csv", "none.csv"},
		{"catalogue", "-n 2", "-yes"},
		{"compare", "-models flux.Nothing", "nearest"},
		{"compare", "-size huge", "size"},
		{"compare", "fox", `"fox"`},
		{"compare", "", "-yes"},
		{"doctor", "fox", `"fox"`},
		{"doctor", "-spend much", "-spend"},
		{"doctor", "-spend 1.01", "0 to 1"},
		{"doctor", "-spend 0.01", "-yes"},
		{"drift", "fox", `"fox"`},
		{"drift", "-format xml", "-format"},
		{"drift", "-known none.txt", "none.txt"},
		{"draftfinal", "-drafts 0", "-drafts 0"},
		{"draftfinal", "-finals -1", "-finals -1"},
		{"draftfinal", "-finals 9", "9 finals of 7"},
		{"draftfinal", "-pick best", "-pick"},
		{"draftfinal", "-pick 1,1", "twice"},
		{"draftfinal", "-max -1", "-max"},
		{"draftfinal", "fox", `"fox"`},
		{"draftfinal", "", "-yes"},
		{"pick", "-drafts 0", "-drafts 0"},
		{"pick", "-finals 9", "9 finals of 7"},
		{"pick", "fox", `"fox"`},
		{"pick", "", "-yes"},
		{"kontext", "-image none.jpg", "none.jpg"},
		{"kontext", "scarf -out x", "flags come before"},
		{"kontext", "", "-yes"},
		{"layers", "-layers 11", "-layers 11"},
		{"layers", "-layers 0", "-layers 0"},
		{"layers", "-image none.png", "none.png"},
		{"layers", "4", `"4"`},
		{"layers", "", "-yes"},
		{"quickstart", "fox", `"fox"`},
		{"quickstart", "-nothing", "flag provided but not defined"},
		{"quickstart", "", "$0.045"},
		{"provenance", "fox", `"fox"`},
		{"provenance", "", "-yes"},
		{"upload", "-mb 0", "-mb 0"},
		{"upload", "-file none", "none"},
		{"upload", "", "-file"},
		{"realtime", "-frames 1", "-frames 1"},
		{"realtime", "", "-yes"},
		{"structured", "fox", `"fox"`},
		{"structured", "", "-yes"},
		{"train", "-steps 0", "-steps 0"},
		{"train", "-steps -7", "-steps -7"},
		{"train", "-steps 99999999", "100 to 10000"},
		{"train", "-folder none", "none"},
		{"train", "1000", `"1000"`},
		{"train", "", "-yes"},
		{"prices", "-n 0", "-n 0"},
		{"prices", "flux", `"flux"`},
		{"route", "fox", `"fox"`},
		{"route", "-n x", "-n"},
		{"webhook", "-n 0", "-n 0"},
		{"webhook", "-public x", "https"},
		{"webhook", "", "-public"},
		{"proxy", "-budget 0", "-budget"},
		{"proxy", "-total x", "x"},
		{"proxy", "", "-yes"},
		{"fakefal", "8080", "8080"},
	} {
		t.Run(tt.program+" "+tt.args, func(t *testing.T) {
			t.Parallel()
			code, out, _ := start(t, filepath.Join(folder, tt.program), "id:secret", tt.args)
			if code != 2 || !strings.Contains(out, tt.want) {
				t.Errorf("status %d, want 2 and %q in\n%s", code, tt.want, out)
			}
		})
	}
	// That something differs is told apart from failures.
	t.Run("drift that differs", func(t *testing.T) {
		t.Parallel()
		code, out, _ := start(t, filepath.Join(folder, "drift"), "", "-format markdown")
		if code != 3 || !strings.Contains(out, "| `fal-ai/flux-lora` | gone |") {
			t.Errorf("status %d\n%s", code, out)
		}
	})
	// Without a key nothing is asked, and what is written is what it says to be.
	for _, args := range []string{"quickstart", "kontext scarf", "layers -layers 2", "provenance", "realtime -frames 3", "structured", "train", "batch", "catalogue -n 2", "draftfinal -drafts 2 -finals 1", "pick -auto -drafts 2 -finals 1", "webhook -n 2"} {
		t.Run("simulated "+args, func(t *testing.T) {
			t.Parallel()
			name, args, _ := strings.Cut(args, " ")
			code, out, files := start(t, filepath.Join(folder, name), "", args)
			if code != 0 || strings.Contains(out, "[y/N]") || len(files) == 0 {
				t.Errorf("status %d\n%s", code, out)
			}
			for _, path := range files {
				if problem := problemOf(path); problem != "" {
					t.Errorf("%s: %s", filepath.Base(path), problem)
				}
			}
		})
	}
}

// problemOf says what is wrong with a file by its first bytes.
func problemOf(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if first, ok := map[string]string{".jpg": "\xff\xd8\xff", ".png": "\x89PNG", ".webp": "RIFF", ".html": "<!DOCTYPE html>", ".csv": "sku,", ".jsonl": "{"}[filepath.Ext(path)]; ok && !bytes.HasPrefix(b, []byte(first)) {
		return "the bytes are of another kind"
	}
	if len(b) == 0 {
		return "it is empty"
	}
	return ""
}
