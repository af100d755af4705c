package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/falimage/falimage-go/flux"
)

// product is a row of the file.
type product struct {
	sku, name, description string
	color                  flux.Color
}

// columns of the file, in any order; those after the first three may be missing.
var columns = []string{"sku", "name", "color", "description", "color_name"}

// products yields the rows of a CSV file one by one, without holding them. After
// an error there are no more.
func products(r io.Reader) iter.Seq2[product, error] {
	return func(yield func(product, error) bool) {
		in := csv.NewReader(r)
		in.ReuseRecord = true
		in.TrimLeadingSpace = true
		header, err := in.Read()
		if err != nil {
			yield(product{}, fmt.Errorf("the header: %w", err))
			return
		}
		place := make(map[string]int)
		for i, name := range header {
			place[strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))] = i
		}
		for _, name := range columns[:3] {
			if _, ok := place[name]; !ok {
				yield(product{}, fmt.Errorf("there is no column %q; the columns are %s", name, strings.Join(columns, ", ")))
				return
			}
		}
		for seen := make(map[string]bool); ; {
			record, err := in.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(product{}, err)
				return
			}
			line, _ := in.FieldPos(0)
			p, err := newProduct(func(column string) string {
				if i, ok := place[column]; ok {
					return strings.TrimSpace(record[i])
				}
				return ""
			})
			if err == nil && seen[strings.ToLower(p.sku)] {
				err = fmt.Errorf("sku %q is there twice", p.sku)
			}
			if err != nil {
				yield(product{}, fmt.Errorf("line %d: %w", line, err))
				return
			}
			seen[strings.ToLower(p.sku)] = true
			if !yield(p, nil) {
				return
			}
		}
	}
}

// newProduct makes a product of the values of a row.
func newProduct(value func(column string) string) (p product, err error) {
	// The parser's record is used again for the next row.
	p.sku, p.name, p.description = strings.Clone(value("sku")), strings.Clone(value("name")), strings.Clone(value("description"))
	odd := func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_'
	}
	switch {
	case p.sku == "" || len(p.sku) > 64 || strings.ContainsFunc(p.sku, odd):
		return p, fmt.Errorf("sku %q: must be 1 to 64 letters, digits, hyphens and underscores, since files are named after it", p.sku)
	case p.name == "":
		return p, fmt.Errorf("sku %s has no name", p.sku)
	}
	if p.color, err = flux.Hex(strings.Clone(value("color"))); err != nil {
		return p, fmt.Errorf("sku %s: %w", p.sku, err)
	}
	if name := value("color_name"); name != "" {
		p.color += flux.Color(" (" + name + ")")
	}
	return p, nil
}

// writeExample writes a file of 500 products, unless there is one already.
func writeExample(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	out := csv.NewWriter(f)
	err = out.Write([]string{"sku", "name", "description", "color", "color_name"})
	for row := range example {
		err = errors.Join(err, out.Write(row))
	}
	out.Flush()
	return errors.Join(err, out.Error(), f.Close())
}

// example yields the rows of 500 products: 25 things in 20 colours.
func example(yield func([]string) bool) {
	for thing := range slices.Values(things) {
		for _, color := range palette {
			sku := thing.sku + "-" + strings.ToUpper(strings.ReplaceAll(color.name, " ", "-"))
			if !yield([]string{sku, thing.name, thing.description, color.code, color.name}) {
				return
			}
		}
	}
}

var things = []struct{ sku, name, description string }{
	{"MUG", "ceramic mug", "matte glaze, 350 ml, rounded handle"},
	{"ESP", "espresso cup", "thick-walled stoneware, 80 ml, with saucer"},
	{"POT", "teapot", "stoneware, bamboo handle, 900 ml"},
	{"BWL", "breakfast bowl", "hand-thrown stoneware, speckled rim"},
	{"PLT", "dinner plate", "porcelain, 27 cm, raised edge"},
	{"CRF", "glass carafe", "mouth-blown, cork stopper, 1 litre"},
	{"BTL", "insulated bottle", "powder-coated steel, bamboo lid, 500 ml"},
	{"JAR", "storage jar", "ceramic with an airtight wooden lid"},
	{"BRD", "cutting board", "lacquered beech, leather strap"},
	{"APR", "apron", "heavy cotton canvas, two pockets"},
	{"TWL", "tea towel", "waffle-weave cotton, hanging loop"},
	{"CSH", "cushion", "washed linen, 45 by 45 cm, hidden zip"},
	{"THR", "throw blanket", "merino wool, fringed edge"},
	{"LMP", "table lamp", "spun aluminium shade, brass stem"},
	{"VSE", "bud vase", "ribbed glass, 14 cm"},
	{"CDL", "candle", "soy wax in a lacquered tin"},
	{"PLN", "plant pot", "fibre clay, drainage hole, 20 cm"},
	{"CLK", "wall clock", "powder-coated steel, silent movement, 30 cm"},
	{"NTB", "notebook", "linen cover, dotted pages, ribbon"},
	{"PEN", "fountain pen", "lacquered brass, steel nib"},
	{"TOT", "tote bag", "waxed canvas, leather handles"},
	{"BKP", "backpack", "recycled nylon, roll top, 18 litres"},
	{"SNK", "canvas sneakers", "vulcanised rubber sole, cotton laces"},
	{"BEA", "beanie", "ribbed lambswool, folded brim"},
	{"UMB", "umbrella", "wooden crook handle, eight ribs"},
}

var palette = []struct{ code, name string }{
	{"#2ECC71", "emerald green"}, {"#1B3A5C", "deep navy"}, {"#C0392B", "brick red"}, {"#F4D03F", "lemon yellow"},
	{"#E67E22", "burnt orange"}, {"#8E44AD", "plum"}, {"#F5CBA7", "peach"}, {"#34495E", "slate"},
	{"#ECF0F1", "porcelain white"}, {"#1C1C1C", "charcoal black"}, {"#16A085", "teal"}, {"#D98880", "dusty rose"},
	{"#7D6608", "olive"}, {"#5DADE2", "sky blue"}, {"#A569BD", "lavender"}, {"#6E2C00", "chestnut"},
	{"#D5C4A1", "oatmeal"}, {"#B7950B", "mustard"}, {"#900C3F", "burgundy"}, {"#A3E4D7", "mint"},
}
