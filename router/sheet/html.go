package sheet

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	_ "embed" // for the style and the template
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
)

//go:embed style.css
var style string

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// policy returns the Content-Security-Policy of a page: no scripts, no frames,
// no forms, this style alone, and pictures from elsewhere only where an entry
// asks for it.
func policy(linked bool) string {
	sum := sha256.Sum256([]byte(style))
	pictures := "data:"
	if linked {
		pictures = "data: https: http:"
	}
	return fmt.Sprintf("default-src 'none'; img-src %s; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'",
		pictures, base64.StdEncoding.EncodeToString(sum[:]))
}

// WriteHTML writes the sheet as a web page, one file with the pictures in it.
// It streams: it never holds more than a small part of the page in memory,
// however many pictures there are.
//
// Whatever texts contain is shown as text. An entry whose picture is of another
// format than PNG, JPEG, WebP or GIF, or whose URL is no http or https address,
// is an error that names the section and the entry, and then nothing is
// written. Only the headers of pictures are read, so a picture that is damaged
// further on is written as it is.
func (s *Sheet) WriteHTML(w io.Writer) error {
	p, err := s.check()
	if err != nil {
		return err
	}
	out := &pageWriter{w: bufio.NewWriterSize(w, 64<<10)}
	out.run("head", struct {
		*page
		Policy string
	}{p, policy(p.Linked)})
	out.text("<style>" + style + "</style>")
	out.run("top", p)
	for _, sec := range p.Sections {
		out.run("section", sec)
		for _, e := range sec.Entries {
			out.entry(e)
		}
		out.run("section-end", sec)
	}
	out.run("end", p)
	if out.err == nil {
		out.err = out.w.Flush()
	}
	if out.err != nil {
		return fmt.Errorf("sheet: writing the page: %w", out.err)
	}
	return nil
}

// pageWriter writes the parts of a page until there is an error.
type pageWriter struct {
	w   *bufio.Writer
	err error
}

func (p *pageWriter) run(name string, data any) {
	if p.err == nil {
		p.err = pageTemplate.ExecuteTemplate(p.w, name, data)
	}
}

func (p *pageWriter) text(s string) {
	if p.err == nil {
		_, p.err = p.w.WriteString(s)
	}
}

// pictureEnd is how the template "picture" ends. The base64 text belongs in
// front of it, and does not go through the template, which would hold it in
// memory several times.
const pictureEnd = `">`

// entry writes an entry, streaming its picture.
func (p *pageWriter) entry(e *entry) {
	p.run("entry", e)
	if e.Embedded() && p.err == nil {
		var img bytes.Buffer
		if p.err = pageTemplate.ExecuteTemplate(&img, "picture", e); p.err != nil {
			return
		}
		p.text(string(bytes.TrimSuffix(img.Bytes(), []byte(pictureEnd))))
		enc := base64.NewEncoder(base64.StdEncoding, p.w)
		if p.err == nil {
			_, p.err = enc.Write(e.picture)
		}
		if p.err == nil {
			p.err = enc.Close()
		}
		p.text(pictureEnd)
	}
	p.run("entry-end", e)
}
