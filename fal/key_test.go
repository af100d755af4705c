package fal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
)

const secret = "0a1b2c3d-key-id:5ecre7-5ecre7-5ecre7"

func TestKeyNeverPrints(t *testing.T) {
	t.Parallel()
	key := fal.NewKey(secret)
	client := &fal.Client{Key: key}
	type nested struct {
		key    fal.Key
		Client *fal.Client
		m      map[string]fal.Key
	}
	n := nested{key, client, map[string]fal.Key{"k": key}}
	out := prints(key, &key, client, n, &n, []fal.Key{key}, map[string]any{"key": key})
	if strings.Contains(out, "5ecre7") {
		t.Errorf("the key was printed:\n%s", out)
	}
	if !strings.Contains(out, "[redacted]") {
		t.Error("nothing was redacted")
	}
}

func TestKeyText(t *testing.T) {
	for _, tt := range []struct {
		name string
		key  fal.Key
		env  map[string]string
		want string
		err  string
	}{
		{name: "given", key: fal.NewKey(secret), env: map[string]string{"FAL_KEY": "other:key"}, want: secret},
		{name: "trimmed", key: fal.NewKey(" " + secret + "\r\n"), want: secret},
		{name: "environment", env: map[string]string{"FAL_KEY": secret + "\n", "FAL_KEY_ID": "x", "FAL_KEY_SECRET": "y"}, want: secret},
		{name: "two variables", env: map[string]string{"FAL_KEY_ID": "id\n", "FAL_KEY_SECRET": "sec"}, want: "id:sec"},
		{name: "half of two", env: map[string]string{"FAL_KEY_ID": "id"}, err: "set FAL_KEY"},
		{name: "none", err: "set FAL_KEY"},
		{name: "empty", key: fal.NewKey(" \n"), err: "set FAL_KEY"},
		{name: "no colon", key: fal.NewKey("5ecre7"), err: "colon"},
		{name: "no id", key: fal.NewKey(":5ecre7"), err: "colon"},
		{name: "no secret", key: fal.NewKey("5ecre7:"), err: "colon"},
		{name: "newline inside", key: fal.NewKey("id:5ecre7\n5ecre7"), err: "white space"},
		{name: "quotes", key: fal.NewKey(`"` + secret + `"`), err: "quotes"},
		{name: "a quote", env: map[string]string{"FAL_KEY": "'" + secret}, err: "quotes"},
		{name: "name of the variable", env: map[string]string{"FAL_KEY": "FAL_KEY=" + secret}, err: "after FAL_KEY="},
		{name: "header", key: fal.NewKey("Key " + secret), err: "the key alone"},
		{name: "bearer", key: fal.NewKey("Bearer " + secret), err: "the key alone"},
		{name: "not ASCII", key: fal.NewKey("id:5ecre7ü"), err: "ASCII"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, name := range []string{"FAL_KEY", "FAL_KEY_ID", "FAL_KEY_SECRET"} {
				t.Setenv(name, tt.env[name])
			}
			got, err := fal.KeyOf(&fal.Client{Key: tt.key})
			switch {
			case tt.err == "":
				if err != nil || got != tt.want {
					t.Errorf("got %q, %v, want %q", got, err, tt.want)
				}
			case err == nil || !strings.Contains(err.Error(), tt.err):
				t.Errorf("error = %v, want one with %q", err, tt.err)
			case strings.Contains(err.Error(), "5ecre7"):
				t.Errorf("the error shows the key: %v", err)
			}
			if strings.Contains(tt.err, "set FAL_KEY") && !errors.Is(err, fal.ErrNoKey) {
				t.Errorf("%v is not ErrNoKey", err)
			}
		})
	}
}

// prints prints values in every way there is.
func prints(values ...any) string {
	var out bytes.Buffer
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "value", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "value", v, "group", slog.GroupValue(slog.Any("in", v)))
	}
	return out.String()
}
