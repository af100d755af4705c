// Package provenance writes into a picture how it was made, and reads it again:
// endpoint, request id, prompt, seed, cost and time, and the mark that it was
// made by a trained model (IPTC's DigitalSourceType), which law asks for in
// places. It is written as XMP, which PNG keeps in an iTXt chunk, JPEG in an
// APP1 segment and WebP in a chunk of its own.
//
//	rec, err := provenance.Of(req, out.Meta, out.Seed)
//	...
//	err = provenance.MarkFile("mug.png", rec)
//
// The pixels stay as they are, byte for byte, and so does everything else in
// the file: Exif, colour profiles, what others wrote as XMP, and C2PA manifests.
// The signature of a C2PA manifest covers the file as it was before, so that it
// no longer matches; XMP is not signed and proves nothing to who distrusts it.
//
// What is written can be read by everybody who gets the picture. A prompt that
// is private is kept out by [Record.WithoutPrompt]. Of the files of a request
// only addresses are kept, without what may be secret in them, and the SHA-256
// of those that were uploaded.
package provenance
