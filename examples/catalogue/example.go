package main

import (
	"encoding/csv"
	"errors"
	"os"
	"slices"
	"strings"
)

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
