package check_test

import (
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/internal/check"
)

func TestWeights(t *testing.T) {
	t.Parallel()
	const (
		local   = "is a file on this computer, which fal cannot see: "
		page    = "is a page of Hugging Face"
		needed  = "must be an http or https URL"
		civitai = "is the page of a model on Civitai: give its download, https://civitai.com/api/download/models/"
	)
	for path, want := range map[string]string{
		"owner/name":      "",
		"XLabs-AI/flux.1": "",
		"https://v3.fal.media/files/rabbit/x.safetensors":              "",
		"HTTPS://example.com/x":                                        "",
		"https://huggingface.co/owner/repo/resolve/main/x.safetensors": "",
		"https://civitai.com/api/download/models/1080034?type=Model":   "",
		"./x.safetensors":               local,
		"../x":                          local,
		"~/x":                           local,
		"/home/me/x":                    local,
		"x.safetensors":                 local,
		"loras/X.SafeTensors":           local,
		"a/b/c.safetensors":             local,
		`C:\loras\x`:                    local,
		"c:/loras/x":                    local,
		`loras\x`:                       local,
		"file:///home/me/x.safetensors": local,
		"FILE:x":                        local,
		"https://huggingface.co/owner/repo/blob/main/dir/x.safetensors":         "give its download, https://huggingface.co/owner/repo/resolve/main/dir/x.safetensors",
		"https://huggingface.co/owner/repo/raw/main/x.safetensors":              "give its download, https://huggingface.co/owner/repo/resolve/main/x.safetensors",
		"https://www.huggingface.co/owner/repo/blob/main":                       page,
		"https://hf.co/owner/repo/tree/main":                                    page + `: give the repository as "owner/repo"`,
		"https://huggingface.co/owner/repo":                                     `give it as "owner/repo"`,
		"https://huggingface.co/":                                               page,
		"https://civitai.com/models/726732/some-style":                          civitai + "VERSION",
		"https://civitai.com/models/726732?token=secret&modelVersionId=1080034": civitai + "1080034",
		"https://civitai.com/models/726732?modelVersionId=../evil":              civitai + "VERSION",
		"https://":           "is no absolute URL",
		"s3://bucket/x":      needed,
		"s3://bucket/x.ckpt": needed,
		"name":               needed,
		"a/b/c":              needed,
		"a b/c":              needed,
		"/":                  local,
		"a/":                 needed,
	} {
		var l check.List
		l.Weights("path", path)
		got := l.Problems()
		if want == "" && len(got) > 0 || want != "" && (len(got) != 1 || !strings.Contains(got[0].Message, want)) {
			t.Errorf("%s: %v, want %q", path, got, want)
		}
		for _, p := range got {
			if strings.Contains(p.Value, "secret") {
				t.Errorf("%s: %q shows a secret", path, p.Value)
			}
		}
		var m check.List
		m.WeightsOrFile("path", path, fal.File{})
		if len(m.Problems()) != len(got) {
			t.Errorf("%s: %v without a file", path, m.Problems())
		}
	}
}

func TestWeightsOrFile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		path string
		file fal.File
		want string
	}{
		{"", fal.Bytes([]byte("x")), ""},
		{"", fal.URL("https://example.com/x"), ""},
		{"", fal.File{}, "is required"},
		{"", fal.URL("owner/name"), "not an absolute"},
		{"owner/name", fal.Bytes([]byte("x")), "cannot be given together with File"},
		{"./x", fal.File{}, "give it in the field File, by fal.Path"},
	} {
		var l check.List
		l.WeightsOrFile("path", tt.path, tt.file)
		if got := l.Problems(); (len(got) > 0) != (tt.want != "") || len(got) > 0 && !strings.Contains(got[0].Message, tt.want) {
			t.Errorf("%q and %v: %v, want %q", tt.path, tt.file, got, tt.want)
		}
	}
	for name, valid := range map[string]bool{"canny": true, "owner/name": true, "https://example.com/x": true, "./canny": false, "canny.safetensors": false} {
		var l check.List
		l.MethodOrWeights("control_method_url", name)
		if l.Valid() != valid {
			t.Errorf("%s: %v", name, l.Problems())
		}
	}
}

func TestBytes(t *testing.T) {
	t.Parallel()
	known := fal.OutputFile{URL: "https://example.com/x", FileSize: 1000}.File()
	if n := check.Bytes(known, fal.Bytes([]byte("abc"))); n != 1003 {
		t.Errorf("%d bytes, want 1003", n)
	}
	if n := check.Bytes(known, fal.URL("https://example.com/y")); n != 0 {
		t.Errorf("%d bytes with one that is not known, want 0", n)
	}
}
