// Package docs_test reads the documentation of every package as pkg.go.dev
// does, and finds what would mislead there.
package docs_test

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/falimage/falimage-go"

// packages returns the documentation of every package that others can import,
// by import path.
func packages(t *testing.T) map[string]*doc.Package {
	t.Helper()
	root := filepath.Join("..", "..")
	fset := token.NewFileSet()
	files := map[string][]*ast.File{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name != root && (base[0] == '.' || base == "internal" || base == "examples" || base == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		at := path.Join(module, filepath.ToSlash(dir))
		files[at] = append(files[at], file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*doc.Package{}
	for at, list := range files {
		if all[at], err = doc.NewFromFiles(fset, list, at); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < 8 {
		t.Fatalf("found %d packages: the way they are found may be wrong", len(all))
	}
	return all
}

// comments returns every doc comment of a package, by what it is about.
func comments(p *doc.Package) map[string]string {
	list := map[string]string{"package": p.Doc}
	values := func(vs []*doc.Value) {
		for _, v := range vs {
			list[strings.Join(v.Names, ", ")] = v.Doc
		}
	}
	funcs := func(of string, fs []*doc.Func) {
		for _, f := range fs {
			list[of+f.Name] = f.Doc
		}
	}
	values(p.Consts)
	values(p.Vars)
	funcs("", p.Funcs)
	for _, t := range p.Types {
		list[t.Name] = t.Doc
		values(t.Consts)
		values(t.Vars)
		funcs("", t.Funcs)
		funcs(t.Name+".", t.Methods)
		for name, text := range members(t.Decl) {
			list[t.Name+"."+name] = text
		}
	}
	return list
}

// members returns the comments on the exported fields and methods of a type.
func members(decl *ast.GenDecl) map[string]string {
	list := map[string]string{}
	for _, spec := range decl.Specs {
		ast.Inspect(spec, func(n ast.Node) bool {
			field, ok := n.(*ast.Field)
			if !ok {
				return true
			}
			for _, name := range field.Names {
				if name.IsExported() {
					list[name.Name] = field.Doc.Text() + field.Comment.Text()
				}
			}
			return true
		})
	}
	return list
}

// symbols are the names that a package exports: Type, Func, Type.Method,
// Type.Field.
func symbols(p *doc.Package) map[string]bool {
	list := map[string]bool{}
	for name := range comments(p) {
		for one := range strings.SplitSeq(name, ", ") {
			list[one] = true
		}
	}
	return list
}

// bracketed is what looks like a doc link.
var bracketed = regexp.MustCompile(`\[\*?([A-Za-z][\w/]*(?:\.[A-Za-z]\w*){0,2})\]`)

// TestLinks finds doc links that lead nowhere: pkg.go.dev shows them as text
// in brackets.
func TestLinks(t *testing.T) {
	t.Parallel()
	all := packages(t)
	names := map[string]map[string]bool{}
	for at, p := range all {
		names[path.Base(at)] = symbols(p)
	}
	for at, p := range all {
		for about, text := range comments(p) {
			for _, link := range links(text) {
				if problem := unresolved(link, names[path.Base(at)], names, p); problem != "" {
					t.Errorf("%s: %s: the doc link [%s] %s", at, about, link, problem)
				}
			}
		}
	}
}

// links returns what stands in brackets in the text of a comment, outside of
// code.
func links(text string) []string {
	var d comment.Parser
	var list []string
	inText := func(parts []comment.Text) {
		for _, part := range parts {
			if plain, ok := part.(comment.Plain); ok {
				for _, m := range bracketed.FindAllStringSubmatch(string(plain), -1) {
					list = append(list, m[1])
				}
			}
			if link, ok := part.(*comment.DocLink); ok && link.ImportPath != "" && link.Name != "" {
				list = append(list, path.Base(link.ImportPath)+"."+strings.TrimPrefix(link.Recv+"."+link.Name, "."))
			}
		}
	}
	for _, block := range d.Parse(text).Content {
		switch b := block.(type) {
		case *comment.Paragraph:
			inText(b.Text)
		case *comment.Heading:
			inText(b.Text)
		case *comment.List:
			for _, item := range b.Items {
				for _, inner := range item.Content {
					if paragraph, ok := inner.(*comment.Paragraph); ok {
						inText(paragraph.Text)
					}
				}
			}
		}
	}
	return list
}

// unresolved says why a link leads nowhere, or "". Models are written with
// brackets too: FLUX.2 [pro].
func unresolved(link string, own map[string]bool, names map[string]map[string]bool, p *doc.Package) string {
	first, rest, qualified := strings.Cut(link, ".")
	switch {
	case own[link]:
		return ""
	case !qualified && !ast.IsExported(first):
		return "" // the name of a model, or of a package
	case !qualified || ast.IsExported(first):
		return "is no name of package " + p.Name
	}
	other, ok := names[first]
	switch {
	case !ok:
		return "" // of the standard library or another module: go vet knows no more
	case !other[rest]:
		return "is no name of package " + first
	case !slices.Contains(p.Imports, module+"/"+first) && !slices.ContainsFunc(p.Imports, func(i string) bool { return path.Base(i) == first }):
		return fmt.Sprintf("needs the full import path: package %s does not import %s", p.Name, first)
	}
	return ""
}

// order is a word that speaks of the order of declarations, which pkg.go.dev
// changes.
var order = regexp.MustCompile(`(?i)\b(?:the|of the|those|them|errors|presets|methods|fields|constants|types|functions|order) (?:above|below)\b`)

// TestOrder finds comments that rely on the order of declarations.
func TestOrder(t *testing.T) {
	t.Parallel()
	for at, p := range packages(t) {
		for about, text := range comments(p) {
			if found := order.FindString(strings.Join(strings.Fields(text), " ")); found != "" {
				t.Errorf("%s: %s: %q: pkg.go.dev shows declarations in another order", at, about, found)
			}
		}
	}
}

// TestComments makes sure that every exported name has a comment that begins
// with it.
func TestComments(t *testing.T) {
	t.Parallel()
	for at, p := range packages(t) {
		if p.Name == "main" {
			continue
		}
		if !strings.HasPrefix(p.Doc, "Package "+p.Name+" ") {
			t.Errorf("%s: the package comment does not begin with \"Package %s\"", at, p.Name)
		}
		for _, f := range p.Funcs {
			begins(t, at, f.Name, f.Doc)
		}
		for _, typ := range p.Types {
			begins(t, at, typ.Name, typ.Doc)
			for _, f := range typ.Funcs {
				begins(t, at, f.Name, f.Doc)
			}
		}
	}
}

func begins(t *testing.T, at, name, text string) {
	t.Helper()
	if !strings.HasPrefix(text, name+" ") {
		t.Errorf("%s: the comment on %s does not begin with its name: %.40q", at, name, text)
	}
}
