// Reads visibility queries with the engine's own parser: one JSON text per line in, one JSON object per line out.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/temporalio/sqlparser"
)

type answer struct {
	Error   string   `json:"error,omitempty"`
	Where   any      `json:"where"`
	GroupBy []string `json:"groupBy"`
	OrderBy []string `json:"orderBy"`
	// Every name in the place of a search attribute, also where the rest is no visibility query.
	Names []string `json:"names"`
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<26)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var query string
		if err := json.Unmarshal(in.Bytes(), &query); err != nil {
			panic(err)
		}
		if err := out.Encode(read(query)); err != nil {
			panic(err)
		}
	}
}

// As the engine makes a statement of a query (common/persistence/visibility/store/query).
func read(query string) (result answer) {
	result = answer{GroupBy: []string{}, OrderBy: []string{}, Names: []string{}}
	defer func() {
		if fault := recover(); fault != nil {
			result.Error = fmt.Sprint(fault)
		}
	}()
	where := strings.TrimSpace(query)
	lowered := strings.ToLower(where)
	if where != "" && !strings.HasPrefix(lowered, "order by") && !strings.HasPrefix(lowered, "group by") {
		where = "where " + where
	}
	statement, err := sqlparser.Parse("select * from table1 " + where)
	if err != nil {
		result.Error = err.Error()
		return result
	}
	selected, ok := statement.(*sqlparser.Select)
	if !ok {
		panic("not a select")
	}
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		if column, ok := node.(*sqlparser.ColName); ok {
			result.Names = append(result.Names, name(column))
		}
		return true, nil
	}, selected)
	if selected.Limit != nil || selected.Having != nil || selected.Lock != "" {
		panic("a clause that is not read here")
	}
	if selected.Where != nil && selected.Where.Expr != nil {
		result.Where = condition(selected.Where.Expr)
	}
	for _, by := range selected.GroupBy {
		result.GroupBy = append(result.GroupBy, name(by))
	}
	for _, by := range selected.OrderBy {
		result.OrderBy = append(result.OrderBy, name(by.Expr))
	}
	return result
}

func condition(expr sqlparser.Expr) any {
	switch at := expr.(type) {
	case *sqlparser.ParenExpr:
		return condition(at.Expr)
	case *sqlparser.NotExpr:
		return []any{"not", condition(at.Expr)}
	case *sqlparser.AndExpr:
		if left, ok := at.Left.(*sqlparser.AndExpr); ok {
			return append(condition(left).([]any), condition(at.Right))
		}
		return []any{"and", condition(at.Left), condition(at.Right)}
	case *sqlparser.OrExpr:
		if left, ok := at.Left.(*sqlparser.OrExpr); ok {
			return append(condition(left).([]any), condition(at.Right))
		}
		return []any{"or", condition(at.Left), condition(at.Right)}
	case *sqlparser.ComparisonExpr:
		return append([]any{strings.ToUpper(at.Operator), name(at.Left)}, values(at.Right)...)
	case *sqlparser.RangeCond:
		both := append(values(at.From), values(at.To)...)
		return append([]any{strings.ToUpper(at.Operator), name(at.Left)}, both...)
	case *sqlparser.IsExpr:
		return []any{strings.ToUpper(at.Operator), name(at.Expr)}
	default:
		panic(fmt.Sprintf("expression of type %T", expr))
	}
}

func name(expr sqlparser.Expr) string {
	column, ok := expr.(*sqlparser.ColName)
	if !ok {
		panic(fmt.Sprintf("not a name but %T", expr))
	}
	return strings.ReplaceAll(sqlparser.String(column), "`", "")
}

func values(expr sqlparser.Expr) []any {
	switch at := expr.(type) {
	case *sqlparser.SQLVal:
		switch at.Type {
		case sqlparser.StrVal:
			return []any{"string " + string(at.Val)}
		case sqlparser.IntVal, sqlparser.FloatVal:
			return []any{"number " + string(at.Val)}
		}
	case sqlparser.BoolVal:
		return []any{fmt.Sprintf("boolean %v", bool(at))}
	case sqlparser.ValTuple:
		all := []any{}
		for _, item := range at {
			all = append(all, values(item)...)
		}
		return all
	}
	panic(fmt.Sprintf("value of type %T", expr))
}
