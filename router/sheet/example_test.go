package sheet_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"log"
	"strings"
	"time"

	"github.com/falimage/falimage-go/router/sheet"
)

func Example() {
	var fox bytes.Buffer // what the models made
	if err := png.Encode(&fox, image.NewGray(image.Rect(0, 0, 1024, 768))); err != nil {
		log.Fatal(err)
	}
	s := &sheet.Sheet{
		Title: "Red foxes",
		Note:  "2 models, $0.045",
		Sections: []sheet.Section{{
			Title:  "In the snow",
			Prompt: "a red fox <in the snow>",
			Entries: []sheet.Entry{
				{Title: "FLUX.2 [pro]", Picture: fox.Bytes(), Price: "$0.045", Elapsed: 6 * time.Second, Picked: true},
				{Title: "Qwen Image", Error: "the model was busy"},
			},
		}},
	}
	var page bytes.Buffer // usually an *os.File
	if err := s.WriteHTML(&page); err != nil {
		log.Fatal(err)
	}
	for line := range strings.Lines(page.String()) {
		if strings.HasPrefix(line, `<h2 id="s`) || strings.HasPrefix(line, `<p class="prompt"`) || strings.HasPrefix(line, `<p class="gone`) {
			fmt.Print(line)
		}
	}
	var picture bytes.Buffer
	if err := s.WritePNG(&picture); err != nil {
		log.Fatal(err)
	}
	c, err := png.DecodeConfig(&picture)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Width, "pixels wide")

	// Output:
	// <h2 id="s1" dir="auto">In the snow</h2>
	// <p class="prompt" dir="auto" lang="">a red fox &lt;in the snow&gt;</p>
	// <p class="gone error" dir="auto"><strong>No picture.</strong> the model was busy</p>
	// 1136 pixels wide
}
