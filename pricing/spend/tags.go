package spend

import (
	"context"
	"errors"
	"maps"
	"strings"
)

// Tag is the name and value of a tag. In JSON it is a text such as
// "tenant=acme".
type Tag struct{ Name, Value string }

var escapes = strings.NewReplacer("%", "%25", "=", "%3D")

// String returns the name, an equals sign and the value, or "" for the zero Tag.
// In the name "=" becomes "%3D" and "%" becomes "%25".
func (t Tag) String() string {
	if t == (Tag{}) {
		return ""
	}
	return escapes.Replace(t.Name) + "=" + t.Value
}

// MarshalText returns what String returns.
func (t Tag) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what String returns.
func (t *Tag) UnmarshalText(text []byte) error {
	name, value, ok := strings.Cut(string(text), "=")
	if !ok && len(text) > 0 {
		return errors.New("spend: tag: must be a name, an equals sign and a value")
	}
	name = strings.NewReplacer("%3D", "=", "%25", "%").Replace(name)
	*t = Tag{name, value}
	return nil
}

// tagsKey is the key of local tags in a context.
type tagsKey struct{}

// WithTags returns a context with tags for the requests that are sent by it: for
// budgets and ledgers alone, which take them beside those of fal.WithTags. They
// are not sent to fal and may be any text, such as the name of a customer. They
// are added to those that the context has, and one that has the name of another
// takes its place. Bytes that are no UTF-8 are replaced.
func WithTags(ctx context.Context, tags map[string]string) context.Context {
	return context.WithValue(ctx, tagsKey{}, merged(localTags(ctx), tags))
}

func localTags(ctx context.Context) map[string]string {
	tags, _ := ctx.Value(tagsKey{}).(map[string]string)
	return tags
}

// merged returns all tags of both, those of more in the place of others.
func merged(tags, more map[string]string) map[string]string {
	if len(more) == 0 {
		return tags
	}
	all := make(map[string]string, len(tags)+len(more))
	maps.Copy(all, tags)
	for name, value := range more {
		all[strings.ToValidUTF8(name, "\uFFFD")] = strings.ToValidUTF8(value, "\uFFFD")
	}
	return all
}
