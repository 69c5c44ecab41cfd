//! Trino's dialect where it is only another spelling of DataFusion's: the statement is changed before it is planned.
//!
//! | Trino | DataFusion |
//! |---|---|
//! | `t AT TIME ZONE 'z'`: the same instant, seen in z | its own takes t for a time in z: `at_timezone(t, 'z')` |
//! | `CAST(t AT TIME ZONE 'z' AS timestamp)`: z's wall clock | `CAST(to_local_time(at_timezone(t, 'z')) AS timestamp)` |
//! | `count_if(c)` | `count(CASE WHEN c THEN 1 END)` |
//! | `arbitrary(x)`, `any_value(x)` | `first_value(x) IGNORE NULLS` |
//! | `element_at(a, i)` | `array_element(a, i)` |
//! | `if(c, a, b)` | `CASE WHEN c THEN a ELSE b END` |
//! | `date(x)` | `CAST(x AS date)` |
//! | `year(x)` … `second(x)` | `CAST(date_part('year', x) AS bigint)` |
//! | `decimal '1.50'`: as many digits as are written | `CAST('1.50' AS decimal(3, 2))` |
//! | `CAST(x AS decimal)`: 38 digits, none behind the point | `CAST(x AS decimal(38, 0))` |
//! | a column without a name is `_col<position>` | the same, as an alias |

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    CaseWhen, CastKind, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments,
    Ident, NullTreatment, ObjectName, ObjectNamePart, Query, SelectItem, SetExpr, TimezoneInfo, Value, visit_expressions_mut,
};

/// The parts of a time that Trino has functions for and DataFusion's `date_part` knows by the same name.
const PARTS: [&str; 8] = ["year", "quarter", "month", "week", "day", "hour", "minute", "second"];

/// Changes a query in place.
pub(super) fn to_datafusion(query: &mut Query) {
    let _ = visit_expressions_mut(query, |expr| {
        rewrite(expr);
        ControlFlow::<()>::Continue(())
    });
    name_columns(&mut query.body);
}

/// One expression, whose parts are done already.
fn rewrite(expr: &mut Expr) {
    let replacement = match expr {
        Expr::AtTimeZone { timestamp, time_zone } => {
            Some(call("at_timezone", vec![timestamp.as_ref().clone(), time_zone.as_ref().clone()]))
        }
        Expr::Cast { expr: inner, data_type: DataType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone), .. }
            if is_call(inner, "at_timezone") =>
        {
            **inner = call("to_local_time", vec![inner.as_ref().clone()]);
            None
        }
        Expr::Cast { data_type: DataType::Decimal(digits @ ExactNumberInfo::None), .. } => {
            *digits = ExactNumberInfo::PrecisionAndScale(38, 0);
            None
        }
        Expr::TypedString(literal) if literal.data_type == DataType::Decimal(ExactNumberInfo::None) => {
            let digits = literal.value.value.clone().into_string().map(|text| digits_of(&text));
            digits.map(|digits| cast(Expr::Value(literal.value.clone()), DataType::Decimal(digits)))
        }
        Expr::Function(function) => rewrite_function(function),
        _ => None,
    };
    if let Some(replacement) = replacement {
        *expr = replacement;
    }
}

/// How many digits a decimal is written with, and how many of them behind the point.
fn digits_of(text: &str) -> ExactNumberInfo {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let count = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    let (whole, fraction) = (count(whole.trim_start_matches(['+', '-', '0'])), count(fraction));
    ExactNumberInfo::PrecisionAndScale(u64::try_from((whole + fraction).max(1)).unwrap_or(38), i64::try_from(fraction).unwrap_or(38))
}

fn rewrite_function(function: &mut Function) -> Option<Expr> {
    let name = function_name(function)?;
    let arguments = plain_arguments(function)?;
    match (name.as_str(), arguments.as_slice()) {
        ("count_if", [condition]) => {
            let one = Expr::Value(Value::Number("1".to_owned(), false).with_empty_span());
            let counted = case_when(condition.clone(), one, None);
            rename(function, "count");
            function.args = list(vec![counted]);
            None
        }
        ("arbitrary" | "any_value", [_]) => {
            rename(function, "first_value");
            function.null_treatment = Some(NullTreatment::IgnoreNulls);
            None
        }
        ("element_at", [_, _]) => {
            rename(function, "array_element");
            None
        }
        ("if", [condition, then]) => Some(case_when(condition.clone(), then.clone(), None)),
        ("if", [condition, then, otherwise]) => Some(case_when(condition.clone(), then.clone(), Some(otherwise.clone()))),
        ("date", [value]) => Some(cast(value.clone(), DataType::Date)),
        (part, [value]) if PARTS.contains(&part) => {
            let part = Expr::Value(Value::SingleQuotedString(part.to_owned()).with_empty_span());
            Some(cast(call("date_part", vec![part, value.clone()]), DataType::BigInt(None)))
        }
        _ => None,
    }
}

/// Gives the columns of the outermost query that have no name Trino's names.
fn name_columns(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            for (position, item) in select.projection.iter_mut().enumerate() {
                match item {
                    SelectItem::UnnamedExpr(expr) if !has_name(expr) => {
                        let alias = Ident::new(format!("_col{position}"));
                        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
                    }
                    // How many columns a star stands for is not known yet: what follows keeps the engine's names.
                    SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => break,
                    _ => {}
                }
            }
        }
        SetExpr::Query(query) => name_columns(&mut query.body),
        SetExpr::SetOperation { left, .. } => name_columns(left),
        _ => {}
    }
}

fn has_name(expr: &Expr) -> bool {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        Expr::Nested(inner) => has_name(inner),
        _ => false,
    }
}

fn function_name(function: &Function) -> Option<String> {
    match function.name.0.as_slice() {
        [ObjectNamePart::Identifier(name)] => Some(name.value.to_lowercase()),
        _ => None,
    }
}

/// The arguments, if they are nothing but expressions.
fn plain_arguments(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return None;
    }
    list.args
        .iter()
        .map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        })
        .collect()
}

fn is_call(expr: &Expr, name: &str) -> bool {
    match expr {
        Expr::Function(function) => function_name(function).as_deref() == Some(name),
        Expr::Nested(inner) => is_call(inner, name),
        _ => false,
    }
}

fn rename(function: &mut Function, name: &str) {
    function.name = ObjectName::from(vec![Ident::new(name)]);
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: list(arguments),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

fn list(arguments: Vec<Expr>) -> FunctionArguments {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() })
}

fn case_when(condition: Expr, result: Expr, otherwise: Option<Expr>) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result }],
        else_result: otherwise.map(Box::new),
    }
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use datafusion::sql::sqlparser::ast::Statement;
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn rewritten(sql: &str) -> String {
        let mut statements = Parser::parse_sql(&GenericDialect {}, sql).unwrap();
        let Statement::Query(query) = &mut statements[0] else { panic!("{sql}") };
        to_datafusion(query);
        query.to_string()
    }

    #[test]
    fn trinos_spellings() {
        for (trino, datafusion) in [
            ("SELECT t AT TIME ZONE 'UTC' AS x FROM q", "SELECT at_timezone(t, 'UTC') AS x FROM q"),
            (
                "SELECT CAST(t AT TIME ZONE 'UTC' AS timestamp) AS x FROM q",
                "SELECT CAST(to_local_time(at_timezone(t, 'UTC')) AS TIMESTAMP) AS x FROM q",
            ),
            (
                "SELECT count_if(p > 1) FILTER (WHERE s) AS x FROM q",
                "SELECT count(CASE WHEN p > 1 THEN 1 END) FILTER (WHERE s) AS x FROM q",
            ),
            ("SELECT ARBITRARY(s) AS x FROM q", "SELECT first_value(s) IGNORE NULLS AS x FROM q"),
            ("SELECT element_at(a, -1) AS x FROM q", "SELECT array_element(a, -1) AS x FROM q"),
            ("SELECT if(a, b, c) AS x FROM q", "SELECT CASE WHEN a THEN b ELSE c END AS x FROM q"),
            ("SELECT date(t) AS x FROM q", "SELECT CAST(t AS DATE) AS x FROM q"),
            ("SELECT decimal '-01.50' AS x FROM q", "SELECT CAST('-01.50' AS DECIMAL(3,2)) AS x FROM q"),
            ("SELECT CAST(p AS decimal) AS x FROM q", "SELECT CAST(p AS DECIMAL(38,0)) AS x FROM q"),
            ("SELECT hour(t) AS x FROM q", "SELECT CAST(date_part('hour', t) AS BIGINT) AS x FROM q"),
        ] {
            assert_eq!(rewritten(trino), datafusion);
        }
    }

    #[test]
    fn columns_without_a_name_are_numbered_by_position() {
        assert_eq!(
            rewritten("SELECT symbol, count(*), q.price, 1 AS one, (dt) FROM q"),
            "SELECT symbol, count(*) AS _col1, q.price, 1 AS one, (dt) FROM q"
        );
        assert_eq!(
            rewritten("WITH a AS (SELECT max(p) FROM q) SELECT 1 FROM a UNION SELECT 2"),
            "WITH a AS (SELECT max(p) FROM q) SELECT 1 AS _col0 FROM a UNION SELECT 2"
        );
    }
}
