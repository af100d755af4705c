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
// [Sheet.WriteHTML] writes one file that needs nothing else: the style, a small
// script and the pictures are in it. It can be mailed, archived and printed, one
// section a page. Only an entry without bytes makes the reader's browser fetch
// something, from its File beside the page or from its URL, and only once it
// comes near the window: 10,000 such pictures open in seconds. Those inside are
// read with the page, of which the beginning is seen at once: keep many or large
// ones beside it. The page follows the light or dark setting of the reader, fits
// telephones and wide screens, draws every script that the reader's machine has
// fonts for, and works with keyboards and screen readers. Without script it still
// reads: a picture is a link to a full-size view, in which one steps from picture
// to picture at the same place.
//
// With script, one works on it. Every picture has a number, or the Key of its
// entry. It is enlarged to 100 percent and beyond, moved, and set beside one to
// three others that follow; starred, rejected and given a note; shown by model,
// price or star. Blind, the models are hidden and the pictures of each section
// shuffled until one got a vote, and the votes are counted. All of it has keys,
// which "?" lists. Stars and notes stay in the reader's browser, under the ID of
// the sheet; the page exports them as JSON ("starred", "rejected" and "votes",
// and "entries" with the notes, seeds as text) and as a command line, see
// Sheet.Command. A program that serves the page can have it send what was picked,
// see [Live].
//
// # Picture
//
// [Sheet.WritePNG] draws the same with the Go fonts, which have Latin, Greek
// and Cyrillic letters, and with those of Sheet.Fonts. Other letters, and those
// whose shape depends on their neighbours, are never drawn wrong and never left
// out silently: one or two of them become a box each (□), and a longer run becomes
// a note that counts them, such as "[14 characters: Han, Hiragana]".
//
// # Formats
//
// PNG, JPEG, WebP and GIF are read. What a picture is shows in its first bytes;
// nobody has to say. Both forms show pictures as they are stored, except that
// browsers turn JPEG pictures that have an EXIF orientation.
package sheet
