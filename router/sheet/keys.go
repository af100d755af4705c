package sheet

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestKey is the largest number of characters of a key.
const longestKey = 100

// keys returns what each entry is called: the key that it has, or the next
// number that is none.
func (s *Sheet) keys() ([]string, error) {
	where := make(map[string]string) // of each key that is given
	for i := range s.Sections {
		for j := range s.Sections[i].Entries {
			key := s.Sections[i].Entries[j].Key
			if key == "" {
				continue
			}
			here := fmt.Sprintf("section %d, entry %d", i+1, j+1)
			if n := utf8.RuneCountInString(key); n > longestKey || strings.TrimSpace(key) != key || !utf8.ValidString(key) ||
				strings.ContainsFunc(key, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == ',' }) {
				return nil, fmt.Errorf("sheet: %s: the key %q is not fit to be read: it must have at most %d characters, of which none is invisible or a comma, and no space at its ends", here, short(clean(key), 60), longestKey)
			}
			if there, ok := where[key]; ok {
				return nil, fmt.Errorf("sheet: %s: the key %q is that of %s, too", here, short(key, 60), there)
			}
			where[key] = here
		}
	}
	var out []string
	number := 0
	for i := range s.Sections {
		for j := range s.Sections[i].Entries {
			key := s.Sections[i].Entries[j].Key
			for taken := key == ""; taken; _, taken = where[key] {
				number++
				key = strconv.Itoa(number)
			}
			out = append(out, key)
		}
	}
	return out, nil
}

// fingerprint returns an id that sheets with the same entries share.
func (p *page) fingerprint() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q", p.Title)
	for _, s := range p.Sections {
		fmt.Fprintf(h, "%q%q", s.Title, s.Prompt)
		for _, e := range s.Entries {
			fmt.Fprintf(h, "%q%q%q%q%q%q%q%d", e.Key, e.Title, e.Endpoint, e.Prompt, e.Seed, e.RequestID, e.Source, len(e.picture))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// counts puts into words how many pictures there are, and what is wrong.
func counts(entries []*entry) string {
	var pictures, picked, flagged, waiting, failed, missing int
	for _, e := range entries {
		switch {
		case e.Shown():
			pictures++
		case e.Waiting != "":
			waiting++
		case e.Error != "":
			failed++
		default:
			missing++
		}
		if e.Picked {
			picked++
		}
		if e.Flagged {
			flagged++
		}
	}
	words := []string{fmt.Sprintf("%d pictures", pictures)}
	if pictures == 1 {
		words[0] = "1 picture"
	}
	for _, c := range []struct {
		n    int
		word string
	}{{picked, "picked"}, {flagged, "flagged"}, {waiting, "under way"}, {failed, "failed"}, {missing, "missing"}} {
		if c.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", c.n, c.word))
		}
	}
	return strings.Join(words, ", ")
}
