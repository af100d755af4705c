package faltest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falimage/falimage-go/fal/faltest"
	"github.com/falimage/falimage-go/internal/catalog"
)

// golden holds a text against the one that is kept.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("-want +got; run with -update if it is meant:\n%s", diff)
	}
}

// What the platform tells of requests and the account is as it was.
func TestPlatformExchanges(t *testing.T) {
	t.Parallel()
	var c clock
	srv := faltest.NewServer(t, faltest.Clock(c.now), faltest.QueueTime(2*time.Second), faltest.RunTime(3*time.Second))
	s := &transcript{exchange: exchange{t, srv}}
	admin := []string{"Authorization", "Key admin-" + faltest.Key}
	const api, queue = "/api.fal.ai/v1/", "/queue.fal.run/"
	const pro, dev = "fal-ai/flux-2-pro", "fal-ai/flux/dev"
	srv.SetPrice(pro, "0.03", "megapixels")
	srv.SetPrice(dev, "0.025", "megapixels")
	srv.SetDiscount("12.5")
	send := func(endpoint, body string, header ...string) string {
		_, _, v := s.do(http.MethodPost, queue+endpoint, body, header...)
		return fmt.Sprint(v["request_id"])
	}
	first := send(pro, `{"prompt":"a mug","seed":7,"image_size":{"width":1920,"height":1080}}`)
	c.move(20 * time.Minute)
	send(dev, `{"prompt":"a Fox","seed":7}`)
	send(dev, `{"prompt":"a fox","seed":7}`, faltest.FaultHeader, "content-policy")
	srv.SetDiscount("0")
	c.move(time.Hour)
	send(pro, `{"prompt":"a cup","seed":7}`, "X-Fal-Store-IO", "0")
	send(pro, `{"prompt":"a pot","seed":7}`, faltest.FaultHeader, "late-failure")
	send("fal-ai/qwen-image", `{"prompt":"x","seed":7}`)
	c.move(24*time.Hour - 10*time.Minute)
	send(pro, `{"prompt":"late","seed":7}`)
	c.move(5 * time.Second)

	list := func(title, path string, header ...string) map[string]any {
		return s.say(title, http.MethodGet, api+path, "", header...)
	}
	const history = "models/requests/by-endpoint?endpoint_id="
	list("history of two endpoints", history+pro+","+dev+"&start=2026-11-26")
	list("history, usual time", history+pro)
	list("history, the longest first", history+pro+"&sort_by=duration&limit=1&start=2026-11-26&expand=payloads")
	page := list("history, by pages", history+pro+"&start=2026-11-26&limit=3")
	list("history, the next page", history+pro+"&start=2026-11-26&limit=3&cursor="+fmt.Sprint(page["next_cursor"]))
	list("history of a request", history+pro+"&expand=payloads&request_id="+first)
	list("history of failures", history+pro+","+dev+"&start=2026-11-26&status=user_error")
	list("history until it was sent", history+dev+"&start=2026-11-26&end=2026-11-26T12:20:00Z")
	list("history from when it was sent", history+dev+"&start=2026-11-26T12:20:00Z&end=2026-11-26T12:20:01Z")
	list("search", "models/requests/search?query=a+FOX&limit=1")
	list("search for two", "models/requests/search?image_url=MUG&video_url=cup")
	list("events", "models/billing-events?start=2026-11-26", admin...)
	list("events of the last day", "models/billing-events", admin...)
	list("events of an app", "models/billing-events?start=2026-11-26&endpoint_id=fal-ai/flux&login_username=faltest", admin...)
	list("events of nobody", "models/billing-events?start=2026-11-26&login_username=me", admin...)
	list("events of a request", "models/billing-events?start=2026-11-26&request_id="+first, admin...)
	for _, timeframe := range []string{"", "minute", "hour", "day", "week", "month"} {
		list("usage by "+timeframe, "models/usage?start=2026-11-26&timeframe="+timeframe, admin...)
	}
	list("usage in all", "models/usage?start=2026-11-26&expand=summary&endpoint_id="+pro, admin...)
	list("usage both ways", "models/usage?start=2026-11-26&expand=summary,time_series&timezone=Europe/Berlin&endpoint_id="+dev, admin...)
	srv.SetLag(time.Minute, time.Hour)
	list("history that lags", history+pro+"&start=2026-11-26&limit=1")
	list("events that lag", "models/billing-events?start=2026-11-26&limit=1", admin...)
	c.move(time.Minute)
	list("history when the lag is over", history+pro+"&start=2026-11-26&limit=1")
	srv.SetLag(0, 0)

	estimate := func(title, kind, quantities string) {
		s.say(title, http.MethodPost, api+"models/pricing/estimate", `{"estimate_type":"`+kind+`","endpoints":{`+quantities+`}}`)
	}
	estimate("estimate of units", "unit_price", `"`+pro+`":{"unit_quantity":2.5},"`+dev+`":{"unit_quantity":1}`)
	estimate("estimate of units without a price", "unit_price", `"a/b":{"unit_quantity":2.5}`)
	estimate("estimate of calls", "historical_api_price", `"`+pro+`":{"call_quantity":10}`)
	estimate("estimate of no calls", "historical_api_price", `"`+pro+`":{"call_quantity":0}`)
	list("prices", "models/pricing?endpoint_id="+pro+"&endpoint_id="+dev+",a/b&limit=1")
	list("account", "account/billing", admin...)
	list("account with credits", "account/billing?expand=credits", admin...)
	list("webhooks", "meta")
	list("settings", "storage/settings")
	s.say("settings are set", http.MethodPut, api+"storage/settings", `{"a":1}`)
	list("settings that were set", "storage/settings")
	s.say("payloads are deleted", http.MethodDelete, api+"models/requests/"+first+"/payloads", "", append(admin, "Idempotency-Key", "k")...)
	s.say("payloads are deleted again", http.MethodDelete, api+"models/requests/"+first+"/payloads", "", append(admin, "Idempotency-Key", "k")...)
	list("history without them", history+pro+"&expand=payloads&request_id="+first)
	list("models by a word", "models?q=KREA&limit=2")
	list("models of a category", "models?category=training&limit=1")
	list("deprecated models", "models?status=deprecated&limit=1")
	list("a model", "models?endpoint_id="+dev+"&expand=enterprise_status")

	golden(t, "platform.txt", strings.ReplaceAll(ids.ReplaceAllString(s.String(), "id-$1"), srv.URL(), "http://host"))
}

// Keys that were made work until they are deleted.
func TestMadeKeys(t *testing.T) {
	t.Parallel()
	e := exchange{t, faltest.NewServer(t)}
	admin := []string{"Authorization", "Key admin-" + faltest.Key}
	const keys = "/api.fal.ai/v1/keys"
	_, _, made := e.do(http.MethodPost, keys, `{"alias":"ci"}`, admin...)
	_, _, other := e.do(http.MethodPost, keys, `{"alias":"cd"}`, admin...)
	works := func(key any) bool {
		status, _, _ := e.do(http.MethodPost, "/fal.run/fal-ai/flux/schnell", `{"prompt":"x"}`, "Authorization", fmt.Sprint("Key ", key))
		return status == http.StatusOK
	}
	if !works(made["key"]) || made["key"] != fmt.Sprint(made["key_id"], ":", made["key_secret"]) || works(fmt.Sprint(made["key_id"], ":", other["key_secret"])) {
		t.Errorf("%v", made)
	}
	if status, _, _ := e.do(http.MethodGet, keys, "", "Authorization", fmt.Sprint("Key ", made["key"])); status != http.StatusForbidden {
		t.Errorf("a key of another lists keys: %d", status)
	}
	_, _, all := e.do(http.MethodGet, keys, "", admin...)
	list, _ := all["keys"].([]any)
	var aliases []string
	for _, k := range list {
		row, _ := k.(map[string]any)
		aliases = append(aliases, fmt.Sprint(row["alias"], " ", row["scope"], " ", row["secret"]))
	}
	if diff := cmp.Diff([]string{"ci API <nil>", "cd API <nil>"}, aliases); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	e.do(http.MethodDelete, keys+"/"+fmt.Sprint(made["key_id"]), "", admin...)
	if works(made["key"]) || !works(other["key"]) {
		t.Error("the wrong key works")
	}
}

// What each kind of endpoint says of its fields is as it was.
func TestDescriptions(t *testing.T) {
	t.Parallel()
	e := exchange{t, faltest.NewServer(t)}
	var b strings.Builder
	for _, id := range []string{
		"fal-ai/flux-general", "fal-ai/qwen-image-layered", "fal-ai/flux-2-pro/edit", "fal-ai/qwen-image-max/edit", "fal-ai/flux-lora-portrait-trainer",
		"fal-ai/flux-2/klein/realtime", "blackforestlabs/flux-3/text-to-image",
	} {
		_, _, v := e.do(http.MethodGet, "/api.fal.ai/v1/models?expand=openapi-3.0&endpoint_id="+url.QueryEscape(id), "")
		models, _ := v["models"].([]any)
		text, err := json.MarshalIndent(models, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "# %s\n%s\n", id, text)
	}
	golden(t, "descriptions.txt", b.String())
}

// sample returns what a field takes.
func sample(f *catalog.Field, picture string) any {
	switch f.Type {
	case catalog.File:
		if strings.Contains(f.Name, "data_url") {
			return "https://x.example/set.zip"
		}
		return picture
	case catalog.Files:
		all := []string{picture, picture, picture}
		if f.MaxItems > 0 {
			all = all[:min(len(all), f.MaxItems)]
		}
		return all
	case catalog.Integer, catalog.Number:
		if len(f.Enum) > 0 {
			return json.Number(f.Enum[len(f.Enum)-1])
		}
		n := 1.0
		if f.Min != nil {
			n = max(n, *f.Min)
		}
		return n
	case catalog.Boolean:
		return true
	case catalog.Size:
		return "square_hd"
	case catalog.Enum:
		return f.Enum[0]
	case catalog.Object:
		return samples(catalog.ModelOf(f.Model).Fields, picture)
	case catalog.List:
		return []any{samples(catalog.ModelOf(f.Model).Fields, picture)}
	}
	return "x"
}

// samples returns an object of the fields that are required.
func samples(fields []catalog.Field, picture string) map[string]any {
	object := make(map[string]any)
	for i := range fields {
		if f := &fields[i]; f.Required {
			object[f.Name] = sample(f, picture)
		}
	}
	return object
}

// Each endpoint bills, and makes pictures of a size, as ever.
func TestEveryBill(t *testing.T) {
	t.Parallel()
	srv := faltest.NewServer(t, faltest.Strict(false))
	e := exchange{t, srv}
	_, _, v := e.do(http.MethodPost, "/fal.run/fal-ai/flux/schnell", `{"prompt":"x","image_size":{"width":1111,"height":777}}`)
	picture := fmt.Sprint(pictureOf(t, v)["url"])
	var b strings.Builder
	for _, endpoint := range catalog.All() {
		for _, variant := range []map[string]any{
			nil, {"num_images": 2}, {"image_size": map[string]any{"width": 1536, "height": 1024}}, {"image_size": "portrait_16_9", "num_images": 3}, {"image_size": "square"},
			{"aspect_ratio": "16:9"}, {"resolution": "2k"}, {"resolution": "4k"}, {"upscale_factor": 1.5}, {"steps": 1500}, {"num_layers": 3}, {"expand_left": 100, "expand_top": 50},
		} {
			in, fits := samples(endpoint.Fields, picture), true
			for name, value := range variant {
				_, has := endpoint.Field(name)
				fits, in[name] = fits && has, value
			}
			if !fits {
				continue
			}
			body, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			status, header, v := e.do(http.MethodPost, "/fal.run/"+endpoint.ID, string(body))
			made := ""
			if images, ok := v["images"].([]any); ok && len(images) > 0 {
				p := pictureOf(t, v)
				made = fmt.Sprintf(" %d of %vx%v", len(images), p["width"], p["height"])
			} else if p, ok := v["image"].(map[string]any); ok {
				made = fmt.Sprintf(" one of %vx%v", p["width"], p["height"])
			}
			asked, _ := json.Marshal(variant)
			fmt.Fprintf(&b, "%s %s: %d, %s units%s\n", endpoint.ID, asked, status, header.Get("X-Fal-Billable-Units"), made)
			if status != http.StatusOK && variant == nil {
				t.Errorf("%s %s: %v", endpoint.ID, body, v)
			}
		}
	}
	golden(t, "bills.txt", b.String())
}
