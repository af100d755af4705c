package fal

import (
	"context"
	"crypto/sha256"
	"maps"
	"slices"
	"sync"
	"time"
)

// uploadsKept is how many uploaded files a client remembers.
const uploadsKept = 4096

// uploads remembers what was uploaded, so that each content is sent once.
// Content is told apart by how it begins; where that is the same, all of it is
// looked at.
type uploads struct {
	mu    sync.Mutex
	sent  map[uploadKey][]*upload
	count int
	parts chan struct{} // full while as many parts are under way as may be
}

type uploadKey struct {
	head      [sha256.Size]byte // of the content
	whole     bool              // it is all of the content
	name      string            // the model may read it, as the extension
	lifecycle string
}

// upload is an upload under way, or done once ready is closed.
type upload struct {
	ready   chan struct{}
	expires time.Time
	err     error
	done
}

// done is what is known of content that was uploaded.
type done struct {
	url  string
	size int64
	hash contentHash
}

// once returns the upload of the content, which send does unless somebody else
// has done it, or is doing it. Hash is called only if another content begins
// alike.
func (u *uploads) once(ctx context.Context, key uploadKey, kept time.Duration, hash func() (contentHash, error), send func() (done, error)) (done, error) {
	var others []*upload // that are not of this content, or have failed
	var own contentHash
	for {
		entry, mine := u.claim(key, others, kept)
		if mine {
			entry.done, entry.err = send()
			if entry.err != nil {
				u.forget(func(other *upload) bool { return other == entry })
			}
			close(entry.ready)
			return entry.done, entry.err
		}
		if !key.whole && own == (contentHash{}) {
			var err error
			if own, err = hash(); err != nil {
				return done{}, err
			}
		}
		select {
		case <-entry.ready:
		case <-ctx.Done():
			return done{}, ctx.Err()
		}
		if entry.err == nil && (key.whole || entry.hash == own) {
			return entry.done, nil
		}
		others = append(others, entry)
	}
}

// claim returns an upload with the key that is none of the others, or a new one
// that it is the caller's task to do.
func (u *uploads) claim(key uploadKey, others []*upload, kept time.Duration) (entry *upload, mine bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	live := slices.DeleteFunc(u.sent[key], func(e *upload) bool { return !now.Before(e.expires) })
	u.count -= len(u.sent[key]) - len(live)
	for _, e := range live {
		if !slices.Contains(others, e) {
			u.sent[key] = live
			return e, false
		}
	}
	if u.count >= uploadsKept || u.sent == nil {
		u.sent, u.count, live = make(map[uploadKey][]*upload), 0, nil // rare, and costs no more than some uploads
	}
	entry = &upload{ready: make(chan struct{}), expires: now.Add(kept)}
	u.sent[key] = append(live, entry)
	u.count++
	return entry, true
}

// forgetURLs drops uploads that fal could not fetch.
func (u *uploads) forgetURLs(urls []string) {
	u.forget(func(e *upload) bool {
		select {
		case <-e.ready:
			return slices.Contains(urls, e.url)
		default:
			return false // still under way
		}
	})
}

// forget drops the uploads for which gone returns true.
func (u *uploads) forget(gone func(*upload) bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for key, entries := range maps.Clone(u.sent) {
		left := slices.DeleteFunc(entries, gone)
		u.count -= len(entries) - len(left)
		if u.sent[key] = left; len(left) == 0 {
			delete(u.sent, key)
		}
	}
}
