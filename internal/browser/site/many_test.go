package site_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/falimage/falimage-go/router/sheet"
)

// BenchmarkManyPictures opens a page of 10,000 pictures, which are files beside it or
// inside of it, and looks at the one in the middle.
func BenchmarkManyPictures(b *testing.B) {
	const many = 10_000
	picture := hill(b, 256, 256, 90)
	for _, inside := range []bool{false, true} {
		b.Run(fmt.Sprintf("inside=%t", inside), func(b *testing.B) {
			dir := b.TempDir()
			entries := make([]sheet.Entry, many)
			for i := range entries {
				content := fmt.Append(picture, i) // no two are the same
				if entries[i].Title = fmt.Sprint("Model ", i%5); inside {
					entries[i].Picture = content
					continue
				}
				entries[i].File = fmt.Sprint(i, ".jpg")
				if err := os.WriteFile(filepath.Join(dir, entries[i].File), content, 0o600); err != nil {
					b.Fatal(err)
				}
			}
			name := filepath.Join(dir, "page.html")
			file, err := os.Create(name)
			if err != nil {
				b.Fatal(err)
			}
			if err := (&sheet.Sheet{Title: "Many", Sections: []sheet.Section{{Entries: entries}}}).WriteHTML(file); err != nil {
				b.Fatal(err)
			}
			info, err := file.Stat()
			if err != nil {
				b.Fatal(err)
			}
			if err := file.Close(); err != nil {
				b.Fatal(err)
			}
			seen := 0.0
			for b.Loop() {
				tab := open(b, "file://"+name, 1440, "light")
				seen = eval[float64](b, tab, `performance.getEntriesByName("first-contentful-paint")[0].startTime`)
				if !eval[bool](b, tab, fmt.Sprintf(`(async () => {
					const entry = document.querySelectorAll(".entry")[%d];
					entry.scrollIntoView();
					const picture = entry.querySelector("img");
					await picture.decode();
					return picture.naturalWidth === 256;
				})()`, many/2)) {
					b.Error("the picture in the middle is not there")
				}
			}
			b.ReportMetric(float64(info.Size())/(1<<20), "MiB")
			b.ReportMetric(seen, "ms-until-seen")
		})
	}
}
