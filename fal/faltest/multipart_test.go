package faltest_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal/faltest"
)

// Parts are put together only if all are there, in order, as they were sent.
func TestMultipart(t *testing.T) {
	t.Parallel()
	e := exchange{t, faltest.NewServer(t)}
	_, _, v := e.do(http.MethodPost, "/rest.fal.ai/storage/upload/initiate-multipart?storage_type=fal-cdn-v3", `{"content_type":"application/zip","file_name":"a.zip"}`)
	upload, file := fmt.Sprint(v["upload_url"]), fmt.Sprint(v["file_url"])
	path, query, _ := strings.Cut(upload, "?")
	large := strings.Repeat("x", 5<<20)
	put := func(n, content string) (status int, etag string) {
		status, header, v := e.do(http.MethodPut, path+"/"+n+"?"+query, content, "Authorization", "")
		if status == http.StatusOK && header.Get("ETag") != v["etag"] {
			t.Errorf("ETag %q and %q", header.Get("ETag"), v["etag"])
		}
		return status, fmt.Sprint(v["etag"])
	}
	complete := func(parts string) int {
		status, _, _ := e.do(http.MethodPost, path+"/complete?"+query, `{"parts":[`+parts+`]}`, "Authorization", "")
		return status
	}
	part := func(n int, etag string) string { return fmt.Sprintf(`{"partNumber":%d,"etag":%q}`, n, etag) }

	_, first := put("1", large)
	_, second := put("2", "end")
	for name, status := range map[string]int{
		"whole into an address for parts": func() int { s, _, _ := e.do(http.MethodPut, upload, "x", "Authorization", ""); return s }(),
		"no part":                         complete(""),
		"the wrong order":                 complete(part(2, second) + "," + part(1, first)),
		"another ETag":                    complete(part(1, first) + "," + part(2, first)),
		"a part missing":                  complete(part(1, first)),
		"a part too many":                 complete(part(1, first) + "," + part(2, second) + "," + part(3, second)),
		"no JSON":                         complete("{"),
	} {
		if status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, status)
		}
	}
	for _, n := range []string{"0", "10001", "x", "complete"} {
		if status, _ := put(n, "x"); status != http.StatusNotFound {
			t.Errorf("part %s: %d", n, status)
		}
	}
	if status, _, _ := e.do(http.MethodPut, path+"/1?signature=other", "x", "Authorization", ""); status != http.StatusForbidden {
		t.Errorf("another signature: %d", status)
	}
	if status, _, _ := e.do(http.MethodGet, file, "", "Authorization", ""); status != http.StatusNotFound {
		t.Errorf("before it is complete: %d", status)
	}
	_, small := put("1", "small")
	if status := complete(part(1, small) + "," + part(2, second)); status != http.StatusBadRequest {
		t.Errorf("a small part that is not the last: %d", status)
	}
	put("1", large)
	if status := complete(part(1, first) + "," + part(2, second)); status != http.StatusOK {
		t.Errorf("complete: %d", status)
	}
	if status := complete(part(1, first) + "," + part(2, second)); status != http.StatusNotFound {
		t.Errorf("complete for the second time: %d", status)
	}
	status, header, _ := e.do(http.MethodHead, file, "", "Authorization", "")
	if status != http.StatusOK || header.Get("Content-Length") != strconv.Itoa(5<<20+3) || header.Get("Content-Type") != "application/zip" {
		t.Errorf("the file: %d, %v", status, header)
	}
	if n := e.srv.Ledger().Uploads; n != 1 {
		t.Errorf("%d uploads", n)
	}
}

// The storage takes files by itself from whoever has its token, and no key.
func TestDirectUpload(t *testing.T) {
	t.Parallel()
	e := exchange{t, faltest.New()} // violations are expected
	t.Cleanup(e.srv.Close)
	_, _, v := e.do(http.MethodPost, "/rest.fal.ai/storage/auth/token?storage_type=fal-cdn-v3", `{}`)
	token, base := fmt.Sprintf("%v %v", v["token_type"], v["token"]), fmt.Sprint(v["base_url"])
	_, _, v = e.do(http.MethodPost, base+"/files/upload", "hello", "Authorization", token, "Content-Type", "text/plain", "X-Fal-File-Name", "a%20b.txt")
	if status, header, _ := e.do(http.MethodHead, fmt.Sprint(v["access_url"]), "", "Authorization", ""); status != http.StatusOK || header.Get("Content-Type") != "text/plain" || header.Get("Content-Length") != "5" {
		t.Errorf("%v: %d, %v", v, status, header)
	}
	_, _, v = e.do(http.MethodPost, base+"/files/upload/multipart", "", "Authorization", token, "Content-Type", "text/plain")
	prefix := fmt.Sprintf("%v/multipart/%v/", v["access_url"], v["uploadId"])
	_, _, p := e.do(http.MethodPut, prefix+"1", "hello", "Authorization", token)
	if status, _, _ := e.do(http.MethodPost, prefix+"complete", fmt.Sprintf(`{"parts":[{"partNumber":1,"etag":%q}]}`, p["etag"]), "Authorization", token); status != http.StatusOK {
		t.Errorf("complete: %d", status)
	}
	if len(e.srv.Violations()) != 0 {
		t.Errorf("violations: %v", e.srv.Violations())
	}
	for _, address := range []string{fmt.Sprint(v["access_url"]), prefix + "1"} {
		before := len(e.srv.Violations())
		if status, _, _ := e.do(http.MethodGet, address, "", "Authorization", "Key "+faltest.Key); status != http.StatusBadRequest {
			t.Errorf("with the key: %d", status)
		}
		if len(e.srv.Violations()) != before+1 {
			t.Error("it is no violation to send the key to the storage")
		}
	}
}
