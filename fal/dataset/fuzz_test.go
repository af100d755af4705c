package dataset_test

import (
	"archive/zip"
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/fal/dataset"
)

// FuzzPack packs two pictures of any name and content: what is not refused can
// be unpacked, in one folder, with no file in place of another.
func FuzzPack(f *testing.F) {
	f.Add("a", "b", "a caption", pngPicture)
	f.Add("cafe\u0301", "caf\u00e9", "", jpegTurned(corner(4, 2), 6))
	f.Add("A", "a_mask", "\xff", webpTurned(corner(4, 2), 3))
	f.Add("../a", "a.png", "", pngPicture[:30])
	f.Fuzz(func(t *testing.T, a, b, caption string, picture []byte) {
		set := dataset.Images(dataset.Image{Name: a, File: fal.Bytes(picture), Caption: caption}, dataset.Image{Name: b, File: fal.Bytes(pngPicture), Mask: fal.Bytes(picture)})
		file, err := options{Logger: slog.New(slog.DiscardHandler)}.pack(set)
		if err != nil {
			return
		}
		content := content(t, file)
		z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, f := range z.File {
			name := strings.ToLower(f.Name)
			if names[name] || strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, ".") {
				t.Errorf("an archive with %q", f.Name)
			}
			names[name] = true
		}
		if len(names) < 3 {
			t.Errorf("an archive of %v", names)
		}
	})
}
