package sheet

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	_ "embed" // for the style, the scripts and the template
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed page/style.css
var style string

//go:embed page/page.html
var pageHTML string

// The scripts, which make one in this order.
var (
	//go:embed page/marks.js
	marksJS string
	//go:embed page/desk.js
	deskJS string
	//go:embed page/blind.js
	blindJS string
	//go:embed page/viewer.js
	viewerJS string
	//go:embed page/keys.js
	keysJS string
	//go:embed page/live.js
	liveJS string

	script = strings.TrimSpace(marksJS + deskJS + blindJS + viewerJS + keysJS + liveJS)
)

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// policy returns the Content-Security-Policy of a page: this style and script
// alone, no frames, pictures from elsewhere only where an entry asks for it, and
// no word to anybody but the program that serves it, if one does.
func policy(p *page) string {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	pictures, forms := "data:", "'none'"
	if p.Beside {
		pictures += " 'self'"
	}
	if p.Remote {
		pictures += " https: http:"
	}
	if p.Live != nil {
		forms = "'self'; connect-src 'self'"
	}
	return fmt.Sprintf("default-src 'none'; img-src %s; style-src %s; script-src %s; base-uri 'none'; form-action %s; require-trusted-types-for 'script'",
		pictures, hash(style), hash(script), forms)
}

// WriteHTML writes the sheet as a web page, one file with the pictures in it
// that have their bytes in Picture; others are shown from where they are, and
// only once they are looked at. The page reads without script, too.
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
	}{p, policy(p)})
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
	if p.Entries() {
		out.text("<script>" + script + "</script>\n")
	}
	out.text("</body>\n</html>\n")
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
