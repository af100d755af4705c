package provenance

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The namespaces in use.
const (
	nsRDF  = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
	nsIPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
	nsOurs = "https://github.com/falimage/falimage-go/provenance/1.0/"
)

// maxPacket is how much XMP is read and written, maxDepth how deep it may be.
const (
	maxPacket = 4 << 20
	maxDepth  = 100
)

var errPacket = fmt.Errorf("its XMP is larger than %d bytes", maxPacket)

// property is the name of a value in XMP.
type property = xml.Name

// The properties that a record is written as.
var (
	propSource    = property{Space: nsIPTC, Local: "DigitalSourceType"}
	propSystem    = property{Space: nsIPTC, Local: "AISystemUsed"}
	propPrompt    = property{Space: nsIPTC, Local: "AIPromptInformation"}
	propEndpoint  = property{Space: nsOurs, Local: "Endpoint"}
	propRequestID = property{Space: nsOurs, Local: "RequestID"}
	propTime      = property{Space: nsOurs, Local: "Time"}
	propCost      = property{Space: nsOurs, Local: "Cost"}
	propSeed      = property{Space: nsOurs, Local: "Seed"}
	propInput     = property{Space: nsOurs, Local: "Input"}

	ours = []property{propSource, propSystem, propPrompt, propEndpoint, propRequestID, propTime, propCost, propSeed, propInput}
)

// properties returns the record in XML, as the content of an rdf:Description.
func (r Record) properties() string {
	var b strings.Builder
	write := func(p property, value string) {
		if value == "" {
			return
		}
		prefix := "falimage:"
		if p.Space == nsIPTC {
			prefix = "Iptc4xmpExt:"
		}
		b.WriteString("<" + prefix + p.Local + ">")
		_ = xml.EscapeText(&b, []byte(value)) // a builder takes everything
		b.WriteString("</" + prefix + p.Local + ">\n")
	}
	source := r.Source
	if source == "" {
		source = Generated
	}
	write(propSource, string(source))
	write(propSystem, r.Endpoint)
	write(propPrompt, r.Prompt)
	write(propEndpoint, r.Endpoint)
	write(propRequestID, r.RequestID)
	if !r.Time.IsZero() {
		write(propTime, r.Time.UTC().Format(time.RFC3339))
	}
	write(propCost, r.Cost)
	if r.Seed != nil {
		write(propSeed, strconv.FormatUint(*r.Seed, 10))
	}
	write(propInput, string(r.Input))
	return b.String()
}

// recordOf returns the record that properties tell.
func recordOf(found map[property]string) Record {
	value := func(p property) string { return strings.TrimSpace(found[p]) }
	r := Record{
		Endpoint: value(propEndpoint), RequestID: value(propRequestID), Cost: value(propCost),
		Prompt: found[propPrompt], Source: Source(value(propSource)),
	}
	if r.Endpoint == "" {
		r.Endpoint = value(propSystem)
	}
	if at, err := time.Parse(time.RFC3339, value(propTime)); err == nil {
		r.Time = at.UTC()
	}
	if seed, err := strconv.ParseUint(value(propSeed), 10, 64); err == nil {
		r.Seed = &seed
	}
	var input struct {
		Prompt string `json:"prompt"`
	}
	if text := value(propInput); json.Unmarshal([]byte(text), &input) == nil {
		r.Input = json.RawMessage(text)
		if input.Prompt != "" {
			r.Prompt = input.Prompt // XML has no words for every character
		}
	}
	return r
}

// packet returns XMP with nothing but the given properties.
func packet(properties string) []byte {
	return []byte("<?xpacket begin=\"\ufeff\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n" +
		`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="` + nsRDF + `">` +
		description(`""`, properties) + "</rdf:RDF></x:xmpmeta>\n<?xpacket end=\"w\"?>")
}

// description returns an element with properties of what about names, which is
// in quotes.
func description(about, properties string) string {
	return `<rdf:Description rdf:about=` + about + ` xmlns:rdf="` + nsRDF + `" xmlns:Iptc4xmpExt="` + nsIPTC + `" xmlns:falimage="` + nsOurs + "\">\n" +
		properties + "</rdf:Description>"
}

// merge takes the properties of a record out of XMP and puts others in their
// place, or none. Whatever else is there stays, byte for byte.
func merge(old []byte, properties string) ([]byte, error) {
	if len(bytes.Trim(old, " \t\r\n\x00")) == 0 && properties != "" {
		return packet(properties), nil
	}
	l, err := parse(old)
	if err != nil {
		return nil, err
	}
	var out []byte
	at := 0
	for _, s := range l.cuts {
		out = append(out, old[at:s.start]...)
		at = s.end
	}
	if properties != "" {
		out = append(out, old[at:l.insert]...)
		out = append(out, l.before...)
		out = append(out, description(l.about, properties)...)
		out = append(out, l.after...)
		at = l.insert + l.skip
	}
	return append(out, old[at:]...), nil
}

// scan calls visit with every property of a record.
func scan(packet []byte, visit func(span)) error {
	if len(bytes.Trim(packet, " \t\r\n\x00")) == 0 {
		return nil
	}
	l, err := parse(packet)
	if err == nil {
		for _, s := range l.found {
			visit(s)
		}
	}
	return err
}

// span is where something stands in a packet. A property has a value.
type span struct {
	start, end int
	name       property
	value      string
}

// layout is what is where in a packet.
type layout struct {
	found []span
	cuts  []span // what goes when the found are taken out
	about string // what the packet describes, in quotes
	// insert is where more can be put in, in place of skip bytes, after one
	// text and before another.
	insert, skip  int
	before, after string
}

// parser reads a packet. Its elements are rdf:RDF, in it nodes, which are
// usually rdf:Description, and in them properties.
type parser struct {
	layout

	packet []byte
	dec    *xml.Decoder
	stack  []property
	rdf    int // the depth inside of rdf:RDF; 0 outside

	node, property span
	inNode         int  // how many cuts were there when the node began
	foreign        bool // the node has more than what is found
	text           strings.Builder
}

func parse(packet []byte) (*layout, error) {
	p := &parser{packet: bytes.TrimRight(packet, "\x00"), layout: layout{about: `""`, insert: -1}}
	p.dec = xml.NewDecoder(bytes.NewReader(p.packet))
	for {
		start := int(p.dec.InputOffset())
		token, err := p.dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := p.begin(start, t); err != nil {
				return nil, err
			}
		case xml.EndElement:
			p.end(start)
		case xml.CharData:
			p.text.Write(t)
			p.foreign = p.foreign || len(p.stack) == p.rdf+1 && len(bytes.TrimSpace(t)) > 0
		case xml.Comment, xml.ProcInst:
			p.foreign = true
		case xml.Directive:
			return nil, errors.New("it has a document type, which XMP has not")
		}
	}
	if p.insert < 0 {
		return nil, errors.New("it has no rdf:RDF")
	}
	return &p.layout, nil
}

func (p *parser) begin(start int, t xml.StartElement) error {
	if len(p.stack) == maxDepth {
		return fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	p.stack = append(p.stack, t.Name)
	raw := p.packet[start:p.dec.InputOffset()]
	switch depth := len(p.stack) - p.rdf; {
	case p.rdf == 0:
		if t.Name == (property{Space: nsRDF, Local: "RDF"}) && p.insert < 0 {
			p.rdf = len(p.stack)
			if head, closed := bytes.CutSuffix(raw, []byte("/>")); closed {
				name := strings.Fields(string(head[1:]))[0]
				p.insert, p.skip, p.before, p.after = start+len(head), 2, ">", "</"+name+">"
			}
		}
	case depth == 1:
		p.node, p.inNode, p.foreign = span{start: start}, len(p.cuts), false
		return p.attributes(start, raw, t.Attr)
	case depth == 2 && slices.Contains(ours, t.Name):
		p.property = span{start: start, name: t.Name}
		p.text.Reset()
		for _, a := range t.Attr {
			if a.Name == (property{Space: nsRDF, Local: "resource"}) {
				p.text.WriteString(a.Value)
			}
		}
	case depth == 2:
		p.foreign = true
	}
	return nil
}

// attributes finds the properties that a node has as attributes.
func (p *parser) attributes(start int, raw []byte, attrs []xml.Attr) error {
	const space = " \t\r\n"
	at := bytes.IndexAny(raw, space)
	for _, a := range attrs {
		begin := at
		quote := at + bytes.IndexAny(raw[max(at, 0):], `"'`)
		if at < 0 || quote < at {
			return errors.New("an attribute is malformed")
		}
		length := bytes.IndexByte(raw[quote+1:], raw[quote])
		if length < 0 {
			return errors.New("an attribute is malformed")
		}
		at = quote + 1 + length + 1
		switch {
		case slices.Contains(ours, a.Name):
			s := span{start + begin, start + at, a.Name, a.Value}
			p.found, p.cuts = append(p.found, s), append(p.cuts, s)
		case a.Name == property{Space: nsRDF, Local: "about"}:
			p.about = string(raw[quote:at])
		case a.Name.Space != "xmlns" && a.Name.Local != "xmlns":
			p.foreign = true
		}
	}
	return nil
}

func (p *parser) end(start int) {
	end := int(p.dec.InputOffset())
	switch depth := len(p.stack) - p.rdf; {
	case p.rdf == 0:
	case depth == 0:
		if p.insert < 0 {
			p.insert = start
		}
		p.rdf = 0
	case depth == 1:
		if len(p.cuts) > p.inNode && !p.foreign {
			// Nothing else is in it: it goes as a whole.
			p.cuts = append(p.cuts[:p.inNode], span{start: p.node.start, end: end})
		}
	case depth == 2 && p.property.name.Local != "":
		p.property.end, p.property.value = end, p.text.String()
		p.found, p.cuts = append(p.found, p.property), append(p.cuts, p.property)
		p.property = span{}
	}
	p.stack = p.stack[:len(p.stack)-1]
}
