package spend

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"
)

// key stands for the id of a request that is settled, in a sixth of the memory:
// the first bytes of its SHA-256.
type key [16]byte

func keyOf(requestID string) key {
	sum := sha256.Sum256([]byte(requestID))
	return key(sum[:16])
}

// keys are many of them; in JSON one string.
type keys []key

// IsZero reports whether there are none.
func (k keys) IsZero() bool { return len(k) == 0 }

// MarshalText returns all keys in base64.
func (k keys) MarshalText() ([]byte, error) {
	all := make([]byte, 0, len(k)*len(key{}))
	for _, one := range k {
		all = append(all, one[:]...)
	}
	return base64.StdEncoding.AppendEncode(nil, all), nil
}

// UnmarshalText reads what MarshalText returns.
func (k *keys) UnmarshalText(text []byte) error {
	all, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return err
	}
	if len(all)%len(key{}) != 0 {
		return errors.New("a key is cut off")
	}
	*k = make(keys, 0, len(all)/len(key{}))
	for ; len(all) > 0; all = all[len(key{}):] {
		*k = append(*k, key(all))
	}
	return nil
}

// keepDays is for how many days it is known which requests are settled.
const keepDays = 35

// day is a day in UTC, from the first of 1970.
type day int32

func dayOf(t time.Time) day { return day(t.Unix() / (24 * 60 * 60)) }

func (d day) time() time.Time { return time.Unix(int64(d)*24*60*60, 0).UTC() }
