// Package dataset packs pictures and captions into the archive that a LoRA
// trainer of fal expects, after checking them:
//
//	set := dataset.ReadImages(os.DirFS("photos"))
//	req := flux.Dev2Trainer{DefaultCaption: "a photo of TOK"}
//	req.ImageDataURL, err = set.Pack(req, dataset.Options{})
//
// There are three forms of training set: [Images] are single pictures with
// captions, [Pairs] are pictures before and after an edit, [Layers] are pictures
// with the layers they are made of. Each is read from a folder or made from
// files in memory. [Set.Pack] finds everything that is wrong at once, before
// anything is sent.
//
// What a trainer costs is a matter of package pricing, which of them to take of
// package router.
package dataset
