package refs_test

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/falimage/falimage-go/fal"
	"github.com/falimage/falimage-go/internal/check"
	"github.com/falimage/falimage-go/internal/refs"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		prompt string
		files  int
		want   []string // the references without a file
	}{
		{"none", "a mug", 0, nil},
		{"in order", "@image1 wearing the outfit from @image2", 2, nil},
		{"letter case", "@Image1 and @IMAGE2 and @iMaGe3", 2, []string{"@iMaGe3"}},
		{"ten of nine", "@image10", 9, []string{"@image10"}},
		{"ten of ten", "@image10", 10, nil},
		{"zero", "@image0", 3, []string{"@image0"}},
		{"leading zero", "@image01 @image02", 1, []string{"@image02"}},
		{"no files", "@image1", 0, []string{"@image1"}},
		{"once each", "@image3 @image2 @image3", 1, []string{"@image3", "@image2"}},
		{"huge", "@image99999999999999999999", 9, []string{"@image99999999999999999999"}},
		{"two huge", "@image99999999999999999999 @image88888888888888888888", 9, []string{"@image99999999999999999999"}},
		{"after one without a number", "(@image) @image9", 0, []string{"@image9"}},
		{"a short escape at the start", `\n@image2`, 1, []string{"@image2"}},
		{"an escape at the start", `\u3002@image2`, 1, []string{"@image2"}},
		{"no number", "@images, @image, @image 4 and @image_4", 0, nil},
		{"address", "write to me@image1.com or me_@image1.com or 1@image1.com", 0, nil},
		{"address in Chinese", "写信给张三@image1.com 或@image2", 1, []string{"@image2"}},
		{"sentence in Chinese", "看@image3. 好", 1, []string{"@image3"}},
		{"file name", "(@image3.png)", 1, []string{"@image3"}},
		{"address with accent", "josé@image1.com", 0, nil},
		{"longer word", "@image1st, @image2nd, @image3_left, @image4é", 0, nil},
		{"punctuation", "(@image1)'s \"@image2\", @image3's @image4.", 3, []string{"@image4"}},
		{"joined references", "@image1@image2", 0, []string{"@image1", "@image2"}},
		{"chinese", "把@image1放到@image2里面", 1, []string{"@image2"}},
		{"thai", "วาง@image2ไว้", 1, []string{"@image2"}},
		{"emoji", "🧢@image2🧢", 1, []string{"@image2"}},
		{"wide digits", "@image１", 0, nil},
		{"json", `{"scene":"@image1 on a table","subjects":[{"description":"as in @image3"}]}`, 2, []string{"@image3"}},
		{"json escapes", `{"scene":"one\n@image2\t@image3\\n@image4\u00e9@image5\u3002@image6"}`, 1, []string{"@image2", "@image3", "@image6"}},
		{"bad escape", `\uZZZZ@image2 \u12@image3`, 1, nil},
		{"at the end", "see @image", 0, nil},
		{"broken utf-8", "\xff@image2\xff", 1, []string{"@image2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var l check.List
			refs.Check(&l, "prompt", tt.prompt, tt.files)
			var got []string
			for _, p := range l.Problems() {
				ref, err := strconv.Unquote(p.Value)
				if p.Field != "prompt" || err != nil {
					t.Errorf("problem %+v: want field prompt and a quoted value", p)
				}
				got = append(got, ref)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("references without a file (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckMessages(t *testing.T) {
	t.Parallel()
	for files, want := range map[int]string{
		0: "refers to a file, and none is given",
		1: "refers to file 7; 1 is given",
		3: "refers to file 7; 3 are given",
	} {
		var l check.List
		refs.Check(&l, "prompt", "@image7", files)
		want := []fal.Problem{{Field: "prompt", Value: `"@image7"`, Message: want}}
		if diff := cmp.Diff(want, l.Problems()); diff != "" {
			t.Errorf("%d files (-want +got):\n%s", files, diff)
		}
	}
}

func TestUnmentioned(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		prompt string
		files  int
		want   []int
	}{
		{"none", "make it winter", 0, nil},
		{"the only one", "make it winter", 1, nil},
		{"all", "@image1 in the style of @Image2", 2, nil},
		{"some", "@image1 in the style of @image3", 4, []int{2, 4}},
		{"nothing at all", "combine", 2, []int{1, 2}},
		{"wording", "the cat of image 1, the hat of Image #2 and the mat of image3", 4, []int{4}},
		{"wording in a longer word", "images 1, pilgrimage 2", 2, []int{2}},
		{"list", "images 1, 2 and 3, and 4", 5, []int{5}},
		{"range", "images 2-4", 5, []int{1, 5}},
		{"range in words", "images 1 to 3", 3, nil},
		{"range that falls", "images 3 to 1", 3, []int{1, 2}},
		{"no list", "image 1 has 2 cups", 2, []int{2}},
		{"sizes", "image 1: 2:3, image 2%, image 3.5 and image 4 x 4", 4, []int{2, 3, 4}},
		{"article", "an image 2 times as large as a picture 1", 2, []int{1, 2}},
		{"articles", "an image 1, one image 2, every image 3, pasta image 4", 4, []int{1, 2, 3}},
		{"digits of full width", "图０图１图９", 9, []int{2, 3, 4, 5, 6, 7, 8}},
		{"figure", "the photo 1 and figure 2", 2, nil},
		{"the address of a file", "me@image1.com and image 2", 2, []int{1}},
		{"all", "merge all images", 5, nil},
		{"all of them", "Merge all the reference images", 5, nil},
		{"both", "Merge both pictures.", 2, nil},
		{"both of three", "merge both pictures", 3, []int{1, 2, 3}},
		{"wall images", "wall images", 2, []int{1, 2}},
		{"in words", "the hat of the First image on the cat of the second picture", 3, []int{3}},
		{"seconds", "a firsts image of the sixth picture", 2, []int{1, 2}},
		{"last", "the first image in the style of the last one", 3, []int{2}},
		{"more than ten", "the tenth image and the last image", 12, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 11}},
		{"German", "der Hut aus Bild 1 auf die Katze aus dem zweiten Bild", 2, nil},
		{"Spanish", "la taza de la imagen 1 y la mesa de la segunda imagen", 2, nil},
		{"French", "le chat de l'image 1 et le fond de la deuxième image", 2, nil},
		{"Italian", "il gatto dell'immagine 1 e immagini 2 e 3", 3, nil},
		{"Russian", "кошка с изображения 1, шляпа с фото 2", 2, nil},
		{"Chinese", "把图1的杯子放在图片2的桌子上，风格参考图像３", 3, nil},
		{"Chinese numerals", "把图一的人放到第二张图，第3张是背景", 3, nil},
		{"Chinese for both", "把两张图合成一张", 2, nil},
		{"Chinese for all", "合并所有图片", 4, nil},
		{"Japanese", "画像1の猫を画像2の部屋に", 2, nil},
		{"Korean", "이미지 1의 고양이를 이미지 2에", 2, nil},
		{"out of range", "@image0 @image3 @image1", 2, []int{2}},
		{"many", "@image20", 20, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, refs.Unmentioned(tt.prompt, tt.files)); diff != "" {
				t.Errorf("Unmentioned (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAdvise(t *testing.T) {
	t.Parallel()
	var l check.List
	refs.Advise(&l, "image_urls", "only @image2", 2)
	want := []fal.Problem{{Field: "image_urls[0]", Message: "the prompt never mentions @image1"}}
	if diff := cmp.Diff(want, l.Problems()); diff != "" {
		t.Errorf("Advise (-want +got):\n%s", diff)
	}
}

func TestDoubt(t *testing.T) {
	t.Parallel()
	tests := []struct {
		prompt string
		files  int
		want   []string
	}{
		{"a cat", 0, nil},
		{"@image1 and image 1, beside it image 2", 0, []string{"@image1"}},
		{"image 1 and image 2", 2, nil},
		{"the cat of image 3, Image #4 and @image5", 2, []string{"@image5", "image 3", "Image #4"}},
		{"image 0 and image 3 and image 3", 2, []string{"image 0", "image 3"}},
		{"图3的猫，图片４，Bild 5, imagen 6", 2, []string{"图3", "Bild 5", "imagen 6"}},
		{"figure 8, photo 9, a list of images 1, 7, an image 6 times as large, image 1024, image 16:9, 图一个人", 2, nil},
		{"picture 3 and me@image3.com and pilgrimage 3", 2, nil},
		{"image 2", 1, []string{"image 2"}},
		{"image 99 and image 100", 1, []string{"image 99"}},
		{"a image 3, An image 3, one image 3, each image 3, every image 3", 2, nil},
		{"pasta image 3", 2, []string{"image 3"}},
		{"image 3%, image 3 x 4, image 3×4, image 3px, image 3 pixels, image 3 times, image 3°, image 3:4, image 3.5", 2, nil},
		{"@image 3", 2, nil},
		{"image 3: a cat", 2, []string{"image 3"}},
		{"image 3.", 2, []string{"image 3"}},
		{"image3 image#4 image №6", 2, []string{"image3", "image#4", "image №6"}},
		{`<image_7> beside <img_8> [{"id":"image_7","from":"ref_image_0","src_bbox":[0,100,3,300]}]`, 2, nil},
	}
	for _, tt := range tests {
		var l check.List
		refs.Doubt(&l, "prompt", tt.prompt, tt.files)
		var got []string
		for _, p := range l.Problems() {
			ref, err := strconv.Unquote(p.Value)
			if p.Field != "prompt" || err != nil {
				t.Errorf("problem %+v: want field prompt and a quoted value", p)
			}
			got = append(got, ref)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q with %d files (-want +got):\n%s", tt.prompt, tt.files, diff)
		}
	}
}

// TestWords knows the words for a picture, those that surely mean a file first.
func TestWords(t *testing.T) {
	t.Parallel()
	verify := func(words string, doubts int) {
		for word := range strings.FieldsSeq(words) {
			prompt := "x " + word + " 3, " + word + "2"
			var l check.List
			refs.Doubt(&l, "prompt", prompt, 2)
			if got := len(l.Problems()); got != doubts {
				t.Errorf("%q: %d doubts, want %d", prompt, got, doubts)
			}
			if diff := cmp.Diff([]int{1}, refs.Unmentioned(prompt, 3)); diff != "" {
				t.Errorf("%q unmentioned (-want +got):\n%s", prompt, diff)
			}
		}
	}
	verify("image images IMG 图 圖 图片 圖片 图像 圖像 画像 이미지 Bild imagen imagem immagine изображение изображения Изображении afbeelding obraz gambar", 1)
	verify("imágenes imagens immagini bilder bildes Bildern picture pictures Photo photos foto fotos фото reference references ref figure input "+
		"照片 写真 사진 рисунок صورة الصورة รูปที่ ảnh hình görsel", 0)
}

// TestSeparators reads lists of numbers behind one word.
func TestSeparators(t *testing.T) {
	t.Parallel()
	for separator := range strings.SplitSeq(",|、|，|&|+|/| and | or |, and |, or | und | et | y | e | и |和|与|跟|と", "|") {
		prompt := "image 1" + separator + "3"
		if diff := cmp.Diff([]int{2}, refs.Unmentioned(prompt, 3)); diff != "" {
			t.Errorf("%q unmentioned (-want +got):\n%s", prompt, diff)
		}
	}
	for separator := range strings.SplitSeq("-|–| to | bis | à |至|到", "|") {
		prompt := "image 1" + separator + "3"
		if got := refs.Unmentioned(prompt, 3); got != nil {
			t.Errorf("%q: unmentioned %v", prompt, got)
		}
	}
	for _, other := range []string{"image 1 beside 2", "image 1 of 2", "image 1: 2", "2 and image 1", "image 1                 , 2 to"} {
		want := []int{2}
		if strings.Contains(other, "  ,") {
			want = nil // however far
		}
		if diff := cmp.Diff(want, refs.Unmentioned(other, 2)); diff != "" {
			t.Errorf("%q unmentioned (-want +got):\n%s", other, diff)
		}
	}
}

// TestOrdinals reads pictures that are named by their place.
func TestOrdinals(t *testing.T) {
	t.Parallel()
	for n, words := range []string{
		"first|1st|erste|ersten|primera|première|premier|prima|primeira|第一张|第1幅", "second|2nd|other|zweite|zweiten|segunda|deuxième|seconde|seconda|第二張|第2个",
		"third|3rd|dritte|dritten|tercera|troisième|terza|terceira|第三枚", "fourth|4th|vierte|vierten|cuarta|quatrième|quarta|第四张",
		"fifth|5th|第五张", "sixth|6th|第六张", "seventh|7th|第七张", "eighth|8th|第八张", "ninth|9th|第九张", "tenth|10th|第十张",
	} {
		for word := range strings.SplitSeq(words, "|") {
			for _, noun := range []string{"image", "picture", "photo", "reference", "input", "one", "bild", "foto", "imagen", "imagem", "immagine"} {
				var want []int
				for k := range 11 {
					if k != n {
						want = append(want, k+1)
					}
				}
				if diff := cmp.Diff(want, refs.Unmentioned("the "+word+" "+noun, 11)); diff != "" {
					t.Errorf("%s %s (-want +got):\n%s", word, noun, diff)
				}
				if got := refs.Unmentioned("image 1 and the last "+noun, 2); got != nil {
					t.Errorf("last %s: %v", noun, got)
				}
			}
		}
	}
	for _, noun := range []string{"images", "pictures", "photos", "references", "reference images", "input images"} {
		for _, all := range []string{"all ", "all the ", "both ", "the two "} {
			if got := refs.Unmentioned("x "+all+noun+".", 2); got != nil {
				t.Errorf("%s%s: %v", all, noun, got)
			}
		}
	}
}

func TestManyReferences(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 1000 {
		b.WriteString(" @image" + strconv.Itoa(i+2))
	}
	var l check.List
	refs.Check(&l, "prompt", b.String(), 1)
	if n := len(l.Problems()); n != 20 {
		t.Errorf("%d problems of a thousand references, want 20", n)
	}
}

func TestValidPromptAllocatesNothing(t *testing.T) {
	prompt := strings.Repeat("@image1 wearing the outfit from @image2 and image 2, 3 times, ", 50)
	allocs := testing.AllocsPerRun(10, func() {
		var l check.List
		refs.Check(&l, "prompt", prompt, 2)
		refs.Doubt(&l, "prompt", prompt, 2)
		refs.Advise(&l, "image_urls", prompt, 2)
	})
	if allocs != 0 {
		t.Errorf("a valid prompt costs %v allocations, want 0", allocs)
	}
}

func BenchmarkCheck(b *testing.B) {
	prompt := strings.Repeat("@image1 wearing the outfit from @image2, ", 10)
	b.ReportAllocs()
	b.SetBytes(int64(len(prompt)))
	for b.Loop() {
		var l check.List
		refs.Check(&l, "prompt", prompt, 2)
	}
}

// FuzzCheck compares with a regular expression, on text without the cases that
// it cannot express: escapes, and letters beyond ASCII.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		"@image1 wearing @Image2", "me@image1.com", "@image0@image10", "把@image1放到", "图１、2 and image 3-5, the second picture", "images 1, 2 and 3",
		`{"a":"\n@image3\u00e9@image4"}`, "@image99999999999999999999", "@image1st image 2 image #3", "\xff@image1\xff", `\u@image1`,
	} {
		f.Add(s, 2)
	}
	plain := regexp.MustCompile(`(?i)(?:^|[^0-9a-z_])@image([0-9]+)(?:$|[^0-9a-z_])`)
	f.Fuzz(func(t *testing.T, prompt string, files int) {
		var l check.List
		refs.Check(&l, "prompt", prompt, files)
		shortened := false
		for _, p := range l.Problems() {
			if strings.HasSuffix(p.Value, "...") {
				shortened = true
				continue
			}
			if ref, err := strconv.Unquote(p.Value); err != nil || !strings.Contains(prompt, ref) {
				t.Fatalf("%q is not in the prompt %q", p.Value, prompt)
			}
		}
		files = min(max(files, 0), 1000)
		var doubts check.List
		refs.Doubt(&doubts, "prompt", prompt, files)
		if len(doubts.Problems()) > 40 {
			t.Fatalf("%d doubts about %q", len(doubts.Problems()), prompt)
		}
		missed := refs.Unmentioned(prompt, files)
		if !slices.IsSorted(missed) || len(missed) > files {
			t.Fatalf("Unmentioned(%q, %d) = %v", prompt, files, missed)
		}
		if shortened || strings.ContainsFunc(prompt, func(r rune) bool { return r >= 0x80 || r == '\\' }) {
			return
		}
		var want []string
		for at := 0; at < len(prompt); {
			m := plain.FindStringSubmatchIndex(prompt[at:])
			if m == nil {
				break
			}
			n, err := strconv.Atoi(prompt[at+m[2] : at+m[3]])
			if err != nil {
				n = math.MaxInt
			}
			if s := strconv.Itoa(n); n == 0 || n > files {
				if !slices.Contains(want, s) {
					want = append(want, s)
				}
			}
			at += m[3] // what follows may be the character before the next
		}
		var got []string
		var again check.List
		refs.Check(&again, "prompt", prompt, files)
		for _, p := range again.Problems() {
			digits := strings.Trim(p.Value, `"@imageIMAGE`)
			n, err := strconv.Atoi(digits)
			if err != nil {
				n = math.MaxInt
			}
			got = append(got, strconv.Itoa(n))
		}
		if diff := cmp.Diff(want[:min(len(want), 20)], got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%q with %d files (-want +got):\n%s", prompt, files, diff)
		}
	})
}
