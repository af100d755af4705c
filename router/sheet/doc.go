// Package sheet shows pictures side by side: the same prompt painted by
// several models, or drafts of which one is to be picked.
//
// It knows pictures and what is written below them, not models, requests or fal:
// package studio makes sections of what it did.
//
// A [Sheet] is written as a web page or as one picture:
//
//	s := &sheet.Sheet{
//		Title: "A red fox in the snow",
//		Sections: []sheet.Section{{
//			Prompt:  prompt,
//			Entries: []sheet.Entry{{Title: "FLUX.2 [pro]", Picture: data, Price: "$0.045"}},
//		}},
//	}
//	err := s.WriteHTML(file) // or s.WritePNG(file)
//
// # Web page
//
// [Sheet.WriteHTML] writes one file that needs nothing else: the style and the
// pictures are in it, and there are no scripts. It can be mailed, archived and
// printed. Only an entry that has a URL and no bytes makes the reader's browser
// fetch something. The page follows the light or dark setting of the reader,
// fits telephones and wide screens, and works with keyboards and screen
// readers. A picture is a link to a full-size view, in which one steps from
// picture to picture at the same place.
//
// # Picture
//
// [Sheet.WritePNG] draws the same with the Go fonts, which have Latin, Greek
// and Cyrillic letters. Other letters are never drawn wrong and never left out
// silently: one or two of them become a box each (□), and a longer run becomes
// a note that counts them, such as "[14 characters: Han, Hiragana]". The web
// page shows every script the reader's machine has fonts for.
//
// # Formats
//
// PNG, JPEG, WebP and GIF are read. What a picture is shows in its first bytes;
// nobody has to say. Both forms show pictures as they are stored, except that
// browsers turn JPEG pictures that have an EXIF orientation.
package sheet
