package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/falimage/falimage-go/fal"
)

// APIKey is what the platform tells of an API key: not the secret.
type APIKey struct {
	ID      string `json:"key_id"`
	Alias   string `json:"alias"`
	Scope   string `json:"scope"`
	Created Time   `json:"created_at"`
}

// Keys lists the API keys of the account. It needs a key with admin scope.
func (a API) Keys(ctx context.Context) iter.Seq2[APIKey, error] {
	return pages[APIKey](ctx, a.admin, "/v1/keys", nil, "keys")
}

// CreateKey makes an API key. What it returns is the only copy of the secret,
// and prints as [redacted]. It needs a key with admin scope. If the answer is
// lost there may be a key that nobody knows: see [API.Keys].
func (a API) CreateKey(ctx context.Context, alias string) (id string, key fal.Key, err error) {
	if alias == "" {
		return "", nil, errors.New("platform: the alias of a key must not be empty")
	}
	var answer struct {
		ID     string `json:"key_id"`
		Secret string `json:"key_secret"`
		Key    string `json:"key"`
	}
	if err := a.admin(ctx, http.MethodPost, "/v1/keys", nil, map[string]string{"alias": alias}, &answer); err != nil {
		return "", nil, err
	}
	if answer.Key == "" && answer.Secret != "" {
		answer.Key = answer.ID + ":" + answer.Secret
	}
	if answer.Key == "" {
		return answer.ID, nil, errors.New("platform: the answer has no key")
	}
	return answer.ID, fal.NewKey(answer.Key), nil
}

// DeleteKey deletes an API key by its id. One that is gone is no error. It needs
// a key with admin scope.
func (a API) DeleteKey(ctx context.Context, id string) error {
	path, err := pathOf("/v1/keys/", id, "")
	if err != nil {
		return err
	}
	return a.admin(ctx, http.MethodDelete, path, nil, nil, nil)
}

// FileAccess is who may read a file: everybody by Default, and users by name.
// The form of the platform's own JSON is unconfirmed; it is taken to be that of
// the header that [fal.WithLifecycle] sends.
type FileAccess struct {
	Default fal.Access `json:"default"`
	Rules   []UserRule `json:"rules"`
}

// UserRule is what one user may do with a file.
type UserRule struct {
	User   string     `json:"user"`
	Access fal.Access `json:"decision"`
}

// FileAccess returns who may read a file that the account owns.
func (a API) FileAccess(ctx context.Context, file string) (f FileAccess, err error) {
	err = a.call(ctx, http.MethodGet, "/v1/storage/files/acl", url.Values{"url": {file}}, nil, &f)
	return f, err
}

// SetFileAccess sets who may read a file that the account owns.
func (a API) SetFileAccess(ctx context.Context, file string, f FileAccess) error {
	for _, access := range append([]UserRule{{"Default", f.Default}}, f.Rules...) {
		switch access.Access {
		case fal.AccessAllow, fal.AccessForbid, fal.AccessHide:
		default:
			return fmt.Errorf("platform: %s: access %q: must be allow, forbid or hide", access.User, access.Access)
		}
	}
	if f.Rules == nil {
		f.Rules = []UserRule{}
	}
	return a.call(ctx, http.MethodPut, "/v1/storage/files/acl", url.Values{"url": {file}}, f, nil)
}

// SignFile returns an address at which whoever has it may read a file for a
// time, in whole seconds from a second to a week.
func (a API) SignFile(ctx context.Context, file string, lasts time.Duration) (string, error) {
	if lasts < time.Second || lasts > 7*24*time.Hour {
		return "", fmt.Errorf("platform: a signed address for %v: must be 1s to 168h", lasts)
	}
	var answer struct {
		URL string `json:"signed_url"`
	}
	in := map[string]int{"expiration_seconds": int(lasts / time.Second)}
	err := a.call(ctx, http.MethodPost, "/v1/storage/files/sign", url.Values{"url": {file}}, in, &answer)
	return answer.URL, err
}

// StorageSettings returns how the account keeps its files, as the platform
// tells it: the form is not documented.
func (a API) StorageSettings(ctx context.Context) (settings json.RawMessage, err error) {
	err = a.call(ctx, http.MethodGet, "/v1/storage/settings", nil, nil, &settings)
	return settings, err
}

// SetStorageSettings sets how the account keeps its files.
func (a API) SetStorageSettings(ctx context.Context, settings json.RawMessage) error {
	return a.call(ctx, http.MethodPut, "/v1/storage/settings", nil, settings, nil)
}
