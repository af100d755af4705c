package sheet

import (
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"slices"
	"time"

	"golang.org/x/image/webp"
)

// Sheet is a contact sheet. The zero Sheet is a page without pictures. Writing
// does not change it, so it may be written several times and by several
// goroutines.
type Sheet struct {
	Title    string    // heading of the whole; empty means "Contact sheet"
	Note     string    // line below the title, such as what it all cost; may be empty
	Sections []Section // shown one below the other
	// ID is what stars and notes are kept under in the reader's browser. Empty
	// means made from the entries, so that the same pictures find their stars again.
	ID string
	// Command is how a command line begins that takes the keys of starred
	// entries, such as "go run ./examples/draftfinal -seed 42 -pick". The page
	// shows it with the keys, separated by commas. Empty means no command.
	Command string
	// Live is for a page that a program serves while it waits for its reader; nil
	// for all others.
	Live *Live
	// Fonts are TrueType or OpenType fonts, or collections of them, for letters
	// that [Sheet.WritePNG] lacks; the first that has a letter draws it. Web pages
	// do not need them.
	Fonts [][]byte
}

// Live makes a page talk to the program that serves it, on the address of the
// page itself.
type Live struct {
	// Pick is the label of a button that sends what was picked, such as "Make the
	// finals": the page posts a form that has a field "pick" with the key of each
	// picked entry, or a field "none" if none is good enough. It needs no script.
	// Empty means that nothing is to be picked.
	Pick string
	// Most is how many can be picked, and starred. Default: any number. Where there is
	// no Pick, it says that something is to be picked later: the page without script
	// loads itself again until then.
	Most int
	// Seen is what the form sends back as field "seen", so that the program knows
	// which state of the page its reader saw. Empty means no such field.
	Seen string
	// Events is the path, relative to the page, of server-sent events: "progress"
	// has the JSON {"key": …, "text": …} and sets the text of an entry that is
	// waited for, "more" has the page fetch itself and fill in the entries that have
	// come, and "reload" says that the page has changed; with the data "later" it may
	// wait until its reader has closed what is open. Without script the
	// page loads itself again every few seconds where something is waited for.
	// Empty means no events.
	Events string
}

// Section is a heading with pictures below it that are to be compared.
type Section struct {
	Title   string  // may be empty
	Prompt  string  // prompt that the entries have in common, in any script; may be empty
	Entries []Entry // shown side by side, in rows
}

// Entry is one picture and what is known about it. Every field may be empty;
// what is empty is not shown.
type Entry struct {
	Key       string        // what the picture is called on the sheet, in exports and in Command, once on a sheet; empty means the next number, from 1
	Title     string        // name of the model, such as "FLUX.2 [pro]"; empty means Endpoint
	Endpoint  string        // such as "fal-ai/flux-2-pro"
	Prompt    string        // prompt of this entry where it differs from that of the section
	Alt       string        // what the picture shows, for who cannot see it; empty means made from the prompt
	Picture   []byte        // PNG, JPEG, WebP or GIF, which the sheet embeds
	File      string        // path of the picture relative to the page, with slashes and without "..": shown from there where Picture and Error are empty
	URL       string        // http or https address of the original: a link, and the picture itself where Picture, File and Error are empty
	Width     int           // of a picture that is not embedded, in pixels; 0 means unknown
	Height    int           // like Width
	Price     string        // such as "$0.045"
	Elapsed   time.Duration // how long it took; 0 is not shown
	Seed      *uint64       // nil is not shown
	RequestID string        // fal's name for the request
	Request   string        // the request itself, as JSON or code, folded away and to be copied; not in the PNG
	Reasons   []string      // why this model was taken, or why it was not
	Picked    bool          // marks the chosen one, by a word and a frame
	Flagged   bool          // marks one that a safety checker flagged, by a word and in Alt
	Error     string        // why there is no picture, or what went wrong although there is one
	Waiting   string        // what a picture that is being made waits for, such as "in the queue"
}

// maxPixels is the largest picture, in pixels, that WritePNG decodes.
const maxPixels = 256 << 20

// format is a picture format that sheets can hold.
type format struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

// formats are the formats by their media type.
var formats = map[string]format{
	"image/png":  {png.DecodeConfig, png.Decode},
	"image/jpeg": {jpeg.DecodeConfig, jpeg.Decode},
	"image/webp": {webp.DecodeConfig, webp.Decode},
	"image/gif":  {gif.DecodeConfig, gif.Decode},
}

// section is a Section that was checked and put into words.
type section struct {
	Number  int // from 1
	ID      string
	Title   string
	Named   bool // whether Title came from the caller
	Prompt  string
	Counts  string // how many pictures there are, and what is wrong with some
	Shape   shape
	Columns int
	Entries []*entry
}

// entry is an Entry that was checked and put into words.
type entry struct {
	ID, View   string // anchors of the entry and of its full-size view
	Prev, Next string // views before and after this one, "" at the ends
	Key        string
	Title      string
	Endpoint   string
	Prompt     string
	Alt        string
	Price      string
	Elapsed    string
	Seed       string
	RequestID  string
	Request    string
	Reasons    []string
	Picked     bool
	Flagged    bool
	Error      string
	Waiting    string
	URL        string
	Source     string // from where a picture is shown that is not embedded
	Pickable   bool   // can be picked on a page that is live

	MIME          string
	Width, Height int
	Clear         bool // the picture may be transparent somewhere
	picture       []byte
	format        format
}

// Linked tells whether the picture is shown from elsewhere.
func (e *entry) Linked() bool { return e.Source != "" }

// Shown tells whether there is a picture, embedded or linked.
func (e *entry) Shown() bool { return e.picture != nil || e.Linked() }

// Embedded tells whether the picture is in the sheet.
func (e *entry) Embedded() bool { return e.picture != nil }

// shape is a ratio of width to height that the frames of a section have.
type shape struct{ W, H int }

// shapes has the ratios a section may have, the narrowest first.
var shapes = []shape{{9, 16}, {2, 3}, {3, 4}, {4, 5}, {1, 1}, {5, 4}, {4, 3}, {3, 2}, {16, 9}, {21, 9}}

// page is a Sheet that was checked and put into words.
type page struct {
	Title    string
	Note     string
	ID       string
	Command  string
	Live     *Live
	Sections []*section
	Remote   bool // some picture is shown from its URL
	Beside   bool // some picture is a file beside the page, or served with it
	Waiting  bool // something is waited for
}

// Entries tells whether there are any.
func (p *page) Entries() bool {
	return slices.ContainsFunc(p.Sections, func(s *section) bool { return len(s.Entries) > 0 })
}
