package fal_test

import (
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
)

func TestParseEndpoint(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ id, path, app string }{
		{"fal-ai/flux-2-pro", "fal-ai/flux-2-pro", "fal-ai/flux-2-pro"},
		{"fal-ai/flux-2-pro/edit", "fal-ai/flux-2-pro/edit", "fal-ai/flux-2-pro"},
		{"fal-ai/flux-pro/v1.1-ultra", "fal-ai/flux-pro/v1.1-ultra", "fal-ai/flux-pro"},
		{"workflows/me/flow/x", "workflows/me/flow/x", "workflows/me/flow"},
		{"comfy/me/flow", "comfy/me/flow", "comfy/me/flow"},
		{"110602490-fast-sdxl", "110602490/fast-sdxl", "110602490/fast-sdxl"},
		{id: ""}, {id: "flux"}, {id: "workflows/me"}, {id: "fal-ai/"}, {id: "/fal-ai/flux"}, {id: "//evil.example/flux"},
		{id: "https://evil.example/a/b"}, {id: "fal-ai/../flux"}, {id: "fal-ai/flux?x=1"}, {id: "fal-ai/flux#x"}, {id: "fal-ai/fl ux"},
		{id: "fal-ai/flux%2e"}, {id: "fal-ai/?x"}, {id: "?/x"}, {id: "fal-ai/flux\\x"}, {id: "fal-ai/flux@host"}, {id: "fal-ai/flüx"},
	} {
		path, app, err := fal.ParseEndpoint(tt.id)
		if path != tt.path || app != tt.app || (err == nil) != (tt.path != "") {
			t.Errorf("ParseEndpoint(%q) = %q, %q, %v, want %q, %q", tt.id, path, app, err, tt.path, tt.app)
		}
	}
}

func FuzzParseEndpoint(f *testing.F) {
	f.Add("fal-ai/flux/dev")
	f.Add("110602490-fast-sdxl")
	f.Fuzz(func(t *testing.T, id string) {
		path, _, err := fal.ParseEndpoint(id)
		if err != nil {
			return
		}
		again, _, err := fal.ParseEndpoint(path)
		if err != nil || again != path {
			t.Errorf("%q became %q, which became %q, %v", id, path, again, err)
		}
	})
}

func TestHosts(t *testing.T) {
	t.Parallel()
	if _, origins, err := fal.ResolveHosts(fal.Hosts{}); err != nil || origins != nil {
		t.Errorf("the zero Hosts give %v, %v, want fal's own", origins, err)
	}
	full, _, err := fal.ResolveHosts(fal.Hosts{Queue: "https://gateway.example/fal/"})
	want := fal.Hosts{Run: "https://fal.run", Queue: "https://gateway.example/fal", REST: "https://rest.fal.ai", Platform: "https://api.fal.ai"}
	if err != nil || full != want {
		t.Errorf("got %v, %v, want %v", full, err, want)
	}
	for host, fine := range map[string]bool{
		"http://queue.fal.run": false, "http://192.168.1.7:8080": false, "http://0.0.0.0:8080": false, "http://gateway.example": false,
		"http://localhost:8080": true, "http://127.0.0.1:8080": true, "http://[::1]:8080/x": true,
	} {
		_, _, err := fal.ResolveHosts(fal.Hosts{REST: host})
		if fine && err != nil || !fine && (err == nil || !strings.Contains(err.Error(), "https alone") || !strings.Contains(err.Error(), "Hosts.REST")) {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, bad := range []string{"queue.fal.run", "ftp://x", "https://user@x", "https://x?q", "https://", "https://x/#f", ":"} {
		if _, _, err := fal.ResolveHosts(fal.Hosts{Queue: bad}); err == nil {
			t.Errorf("Hosts.Queue %q was accepted", bad)
		}
	}
}
