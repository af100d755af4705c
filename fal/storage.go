package fal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/fal/internal/transport"
)

// maxWhole is how much goes in one piece; tests lower it.
var maxWhole int64 = 90 << 20

// place is where content is sent to. The API key never goes there.
type place struct {
	method, url   string
	authorization string // a token that is for the storage alone; "" for none
	lifecycle     string
	fileURL       string // "" if the answer tells it
	// partURL and completeURL are for content in parts.
	partURL     func(n int) string
	completeURL string
}

// send uploads a file that was summarized, by the first way that fal's storage
// does not refuse.
func (c *Client) send(ctx context.Context, f File, s summary, lifecycle string, p *progress) (done, error) {
	t := &transfer{c: c, f: f, s: s, lifecycle: lifecycle, progress: p}
	if s.size < 0 {
		if err := t.hold(ctx); err != nil {
			return done{}, err
		}
	}
	sent, err := t.by(ctx, t.presigned)
	if err == nil || ctx.Err() != nil || t.localErr() != nil || !t.refused(err) {
		return sent, err
	}
	first := err
	p.restart()
	if sent, err = t.by(ctx, t.direct); err != nil && ctx.Err() == nil {
		return sent, fmt.Errorf("%w; sent another way: %w", first, err)
	}
	return sent, err
}

// refused reports whether another way may do where this one did not: a request
// for a place was refused, or the place took nothing.
func (t *transfer) refused(err error) bool {
	if errors.Is(err, transport.ErrPrivateAddress) {
		return false
	}
	if t.placed {
		return true
	}
	e, answered := errors.AsType[*Error](err)
	if !answered || !e.ofForm || errors.Is(err, ErrLocked) {
		return false
	}
	return e.Status < 500 && e.Status != http.StatusUnauthorized && e.Status != http.StatusTooManyRequests && e.Status != http.StatusRequestTimeout
}

var (
	errNoPlace = errors.New("fal named no address to upload to")
	errForeign = errors.New("fal named a storage that is not fal's")
)

// by uploads by one way: find asks fal for the place.
func (t *transfer) by(ctx context.Context, find func(ctx context.Context, parts bool) (place, error)) (done, error) {
	if t.s.size > maxParts*partSize {
		return done{}, t.fail(fmt.Errorf("the file has %d bytes; at most %d are uploaded", t.s.size, int64(maxParts*partSize)))
	}
	parts := t.s.size < 0 || t.s.size > maxWhole
	at, err := find(ctx, parts)
	if err != nil {
		return done{}, err
	}
	t.placed = true
	if parts {
		return t.inParts(ctx, at)
	}
	return t.whole(ctx, at)
}

// presigned asks for an address that is good for this file alone.
func (t *transfer) presigned(ctx context.Context, parts bool) (place, error) {
	path := "/storage/upload/initiate"
	if parts {
		path += "-multipart"
	}
	var answer struct {
		UploadURL string `json:"upload_url"`
		FileURL   string `json:"file_url"`
	}
	ask := map[string]string{"content_type": t.s.contentType, "file_name": t.s.name}
	if err := t.ask(ctx, t.c.hosts.REST+path+"?storage_type=fal-cdn-v3", true, nil, ask, &answer, func() bool { return answer.UploadURL != "" && answer.FileURL != "" }); err != nil {
		return place{}, err
	}
	if err := t.c.checkUploadURL(answer.UploadURL); err != nil {
		return place{}, err
	}
	// The address is signed: what is added comes before its query.
	path, query, signed := strings.Cut(answer.UploadURL, "?")
	at := func(more string) string {
		if signed {
			return path + "/" + more + "?" + query
		}
		return path + "/" + more
	}
	return place{
		method: http.MethodPut, url: answer.UploadURL, fileURL: answer.FileURL,
		partURL: func(n int) string { return at(strconv.Itoa(n)) }, completeURL: at("complete"),
	}, nil
}

// direct asks for a token with which fal's storage takes files itself.
func (t *transfer) direct(ctx context.Context, parts bool) (place, error) {
	var token struct {
		Token   string `json:"token"`
		Type    string `json:"token_type"`
		BaseURL string `json:"base_url"`
	}
	if err := t.ask(ctx, t.c.hosts.REST+"/storage/auth/token?storage_type=fal-cdn-v3", true, nil, struct{}{}, &token, func() bool { return token.Token != "" && token.BaseURL != "" }); err != nil {
		return place{}, err
	}
	base := strings.TrimRight(token.BaseURL, "/")
	if !t.c.ofStorage(base) {
		return place{}, errForeign
	}
	at := place{
		method: http.MethodPost, url: base + "/files/upload", lifecycle: t.lifecycle,
		authorization: cmp.Or(token.Type, "Bearer") + " " + token.Token,
	}
	if !parts {
		return at, nil
	}
	var begun struct {
		AccessURL string `json:"access_url"`
		UploadID  string `json:"uploadId"`
	}
	if err := t.ask(ctx, base+"/files/upload/multipart", false, t.header(at), nil, &begun, func() bool { return begun.UploadID != "" && begun.AccessURL != "" }); err != nil {
		return place{}, err
	}
	if !t.c.ofStorage(begun.AccessURL) {
		return place{}, errForeign
	}
	prefix := begun.AccessURL + "/multipart/" + url.PathEscape(begun.UploadID) + "/"
	at.fileURL, at.completeURL = begun.AccessURL, prefix+"complete"
	at.partURL = func(n int) string { return prefix + strconv.Itoa(n) }
	return at, nil
}

// ofStorage reports whether an address is one of fal's storage, or of a host
// that the user has set.
func (c *Client) ofStorage(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	media := u.Scheme == "https" && u.User == nil && u.Port() == "" && (host == "fal.media" || strings.HasSuffix(host, ".fal.media"))
	return media && c.hosts == falsHosts || c.transport.Trusts(u)
}

// header returns the header of what is sent to a place.
func (t *transfer) header(at place) http.Header {
	h := http.Header{"Content-Type": {t.s.contentType}}
	if at.authorization != "" {
		h.Set("Authorization", at.authorization)
		h.Set("X-Fal-File-Name", url.PathEscape(t.s.name))
	}
	if at.lifecycle != "" {
		h.Set("X-Fal-Object-Lifecycle", at.lifecycle)
		h.Set("X-Fal-Object-Lifecycle-Preference", at.lifecycle)
	}
	return h
}

// ask does an exchange in JSON. The API key goes along only to fal itself. Told
// reports whether the answer told everything; nil if it has nothing to tell.
func (t *transfer) ask(ctx context.Context, address string, key bool, header http.Header, in, out any, told func() bool) error {
	if header == nil {
		header = make(http.Header)
	}
	r := &transport.Request{
		Class: transport.Upload, Method: http.MethodPost, URL: address, Header: header,
		Auth: key, Guarded: !key, Timeout: readTimeout, Endpoint: "storage",
	}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return err
		}
		header.Set("Content-Type", "application/json")
		r.Body = body
	}
	if key && t.lifecycle != "" {
		header.Set("X-Fal-Object-Lifecycle-Preference", t.lifecycle)
		header.Set("X-Fal-Object-Lifecycle", t.lifecycle) // an older name of the same
	}
	return t.exchange(ctx, r, func(_ http.Header, body []byte) error {
		if told != nil && (json.Unmarshal(body, out) != nil || !told()) {
			return fmt.Errorf("%w: %s", errNoPlace, quoteShort(plainText(body, t.c.clean)))
		}
		return nil
	})
}

// exchange sends a request until there is an answer to it that says something.
// Read is given one that is no error. Its body may be cut off: the status alone
// says that content has arrived.
func (t *transfer) exchange(ctx context.Context, r *transport.Request, read func(header http.Header, body []byte) error) (err error) {
	defer recovered("sending it", &err) // this may be a goroutine of ours
	return t.c.repeat(ctx, func() (said bool, err error) {
		resp, err := t.c.transport.Send(ctx, r)
		if err != nil {
			return true, cmp.Or(t.localErr(), err)
		}
		body, _ := readHead(resp)
		switch {
		case resp.StatusCode >= 300:
			e := t.c.newError("storage", "", resp, body)
			return e.ofForm || r.Open != nil, e
		case isPage(body):
			return false, errors.New("the upload was answered with a page of HTML")
		}
		return false, read(resp.Header, body)
	})
}

// checkUploadURL refuses addresses that content should not be sent to.
func (c *Client) checkUploadURL(address string) error {
	u, err := url.Parse(address)
	if err == nil && u.User == nil && u.Host != "" && (u.Scheme == "https" || c.transport.Trusts(u)) {
		return nil
	}
	return errors.New("fal named an address to upload to that is not https")
}
