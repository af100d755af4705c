package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
)

// change is one small change to a file.
type change struct {
	file     string
	src      []byte
	from, to token.Position
	text     string // in place of what stands there
}

// String is the place and what changes there, on one line.
func (c change) String() string {
	was := string(c.src[c.from.Offset:c.to.Offset])
	if len(was) > 60 {
		was = was[:60] + "..."
	}
	return fmt.Sprintf("%s:%d:%d: %q became %q", filepath.Base(c.file), c.from.Line, c.from.Column, was, c.text)
}

func (c change) apply() []byte {
	return slices.Concat(c.src[:c.from.Offset], []byte(c.text), c.src[c.to.Offset:])
}

var operators = map[token.Token]string{
	token.EQL: "!=", token.NEQ: "==",
	token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">",
	token.LAND: "||", token.LOR: "&&",
	token.ADD: "-", token.SUB: "+", token.MUL: "/", token.QUO: "*", token.REM: "*",
	token.AND: "|", token.OR: "&", token.SHL: ">>", token.SHR: "<<",
}

// changesIn lists the changes to one file: another operator, a condition turned
// around, a number one larger, true for false, a statement left out. A generated
// file has none.
func changesIn(file string, src []byte) ([]change, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	if ast.IsGenerated(tree) {
		return nil, nil
	}
	var all []change
	put := func(from, to token.Pos, text string) {
		all = append(all, change{file, src, fset.Position(from), fset.Position(to), text})
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BinaryExpr:
			if other, ok := operators[n.Op]; ok {
				put(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), other)
			}
		case *ast.IfStmt:
			put(n.Cond.Pos(), n.Cond.End(), "!("+string(src[fset.Position(n.Cond.Pos()).Offset:fset.Position(n.Cond.End()).Offset])+")")
		case *ast.BasicLit:
			if v, err := strconv.ParseInt(n.Value, 0, 64); err == nil && n.Kind == token.INT {
				put(n.Pos(), n.End(), strconv.FormatInt(v+1, 10))
			}
		case *ast.Ident:
			switch n.Name {
			case "true":
				put(n.Pos(), n.End(), "false")
			case "false":
				put(n.Pos(), n.End(), "true")
			}
		case *ast.BlockStmt:
			leaveOut(n.List, put)
		case *ast.CaseClause:
			leaveOut(n.Body, put)
		case *ast.CommClause:
			leaveOut(n.Body, put)
		}
		return true
	})
	return all, nil
}

// leaveOut leaves out each statement that can be spared: a call, an assignment,
// a jump. What declares something is needed, and so is a return.
func leaveOut(list []ast.Stmt, put func(from, to token.Pos, text string)) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.DeferStmt, *ast.GoStmt, *ast.SendStmt, *ast.BranchStmt:
		default:
			continue
		}
		put(s.Pos(), s.End(), "")
	}
}
