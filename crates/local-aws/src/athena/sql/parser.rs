//! From text to a statement. Queries are sqlparser's; the statements around them are Athena's own.

use datafusion::sql::sqlparser::ast::{Expr, Ident, ObjectName, ObjectNamePart, Query, SqlOption, Statement as Ast, Value};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::{CreateTableAs, Insert, PartitionSpec, Properties, Statement, TableName, Unload, inner_query_mut};
use crate::athena::CATALOG;

/// What Athena runs and the local engine leaves to it, by the first word.
const ELSEWHERE: [&str; 9] = ["CREATE", "DROP", "ALTER", "DELETE", "UPDATE", "MERGE", "OPTIMIZE", "VACUUM", "REFRESH"];

type Parsed<T> = Result<T, ParserError>;

/// Reads one statement; a semicolon may end it.
pub(in crate::athena) fn parse(sql: &str) -> Parsed<Statement> {
    let dialect = GenericDialect {};
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens(&dialect, sql)?);
    let statement = statement(&mut parser, sql)?;
    while parser.consume_token(&Token::SemiColon) {}
    if parser.peek_token_ref().token != Token::EOF {
        return parser.expected("the end of the only statement", parser.peek_token());
    }
    Ok(statement)
}

/// Reads a value for a question mark.
pub(in crate::athena) fn expression(text: &str) -> Parsed<Expr> {
    let dialect = GenericDialect {};
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens(&dialect, text)?);
    let expr = parser.parse_expr()?;
    if parser.peek_token_ref().token != Token::EOF {
        return parser.expected("one value", parser.peek_token());
    }
    Ok(expr)
}

/// The text's tokens. What this dialect takes for an operator of JSON is Trino's parameter.
fn tokens(dialect: &GenericDialect, sql: &str) -> Parsed<Vec<TokenWithSpan>> {
    let mut tokens = Tokenizer::new(dialect, sql).tokenize_with_location()?;
    for token in tokens.iter_mut().filter(|token| token.token == Token::Question) {
        token.token = Token::Placeholder("?".to_owned());
    }
    Ok(tokens)
}

fn statement(parser: &mut Parser<'_>, sql: &str) -> Parsed<Statement> {
    let first = word(parser);
    match first.as_str() {
        "SHOW" | "DESCRIBE" | "DESC" => {
            to_the_end(parser);
            Ok(Statement::Show(sql.to_owned()))
        }
        "SELECT" | "WITH" | "VALUES" | "TABLE" | "(" => query(parser).map(|query| Statement::Query(Box::new(Ast::Query(query)))),
        "EXPLAIN" => explain(parser),
        "UNLOAD" => unload(parser),
        "INSERT" => insert(parser),
        "MSCK" => repair(parser),
        "PREPARE" => prepare(parser, sql),
        "EXECUTE" => execute(parser),
        "DEALLOCATE" => {
            parser.next_token();
            parser.expect_keyword_is(Keyword::PREPARE)?;
            Ok(Statement::Deallocate(parser.parse_identifier()?.value))
        }
        "CREATE" if parser.parse_keywords(&[Keyword::CREATE, Keyword::TABLE]) => create_table_as(parser),
        "DROP" if parser.parse_keywords(&[Keyword::DROP, Keyword::TABLE]) => {
            let if_exists = parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
            Ok(Statement::DropTable { table: table_name(parser)?, if_exists })
        }
        "ALTER" if parser.parse_keywords(&[Keyword::ALTER, Keyword::TABLE]) => alter_table(parser),
        first if ELSEWHERE.contains(&first) => {
            parser.next_token();
            let second = word(parser);
            Ok(elsewhere(parser, format!("{first} {second}")))
        }
        _ => parser.expected("a statement", parser.peek_token()),
    }
}

fn explain(parser: &mut Parser<'_>) -> Parsed<Statement> {
    let place = parser.peek_token();
    let mut ast = parser.parse_statement()?;
    match inner_query_mut(&mut ast) {
        Some(_) => Ok(Statement::Query(Box::new(ast))),
        None => parser.expected("EXPLAIN of a query", place),
    }
}

/// A query that reads. The grammar of queries is wider: it lets INSERT and SELECT INTO stand for one.
fn query(parser: &mut Parser<'_>) -> Parsed<Box<Query>> {
    let place = parser.peek_token();
    let mut ast = Ast::Query(parser.parse_query()?);
    let found = inner_query_mut(&mut ast).cloned();
    match found {
        Some(query) => Ok(Box::new(query)),
        None => parser.expected("a query that only reads", place),
    }
}

fn unload(parser: &mut Parser<'_>) -> Parsed<Statement> {
    parser.expect_keyword_is(Keyword::UNLOAD)?;
    parser.expect_token(&Token::LParen)?;
    let query = query(parser)?;
    parser.expect_token(&Token::RParen)?;
    parser.expect_keyword_is(Keyword::TO)?;
    let location = parser.parse_literal_string()?;
    Ok(Statement::Unload(Unload { query, location, properties: properties(parser)? }))
}

fn create_table_as(parser: &mut Parser<'_>) -> Parsed<Statement> {
    let if_not_exists = parser.parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS]);
    let table = table_name(parser)?;
    if !parser.peek_keyword(Keyword::WITH) && !parser.peek_keyword(Keyword::AS) {
        return Ok(elsewhere(parser, "CREATE TABLE without AS".to_owned()));
    }
    let properties = properties(parser)?;
    parser.expect_keyword_is(Keyword::AS)?;
    let query = query(parser)?;
    let with_data = !parser.parse_keywords(&[Keyword::WITH, Keyword::NO, Keyword::DATA]);
    let _ = parser.parse_keywords(&[Keyword::WITH, Keyword::DATA]);
    Ok(Statement::CreateTableAs(CreateTableAs { table, if_not_exists, properties, query, with_data }))
}

fn insert(parser: &mut Parser<'_>) -> Parsed<Statement> {
    parser.expect_keyword_is(Keyword::INSERT)?;
    parser.expect_keyword_is(Keyword::INTO)?;
    let table = table_name(parser)?;
    // `(SELECT …)` is the query already.
    let second = parser.peek_nth_token(1).token.to_string().to_uppercase();
    let lists = parser.peek_token_ref().token == Token::LParen && !matches!(second.as_str(), "SELECT" | "WITH" | "VALUES" | "TABLE" | "(");
    let mut columns = Vec::new();
    if lists {
        parser.expect_token(&Token::LParen)?;
        columns = parser.parse_comma_separated(|parser| parser.parse_identifier().map(lower))?;
        parser.expect_token(&Token::RParen)?;
    }
    Ok(Statement::Insert(Insert { table, columns, query: query(parser)? }))
}

fn repair(parser: &mut Parser<'_>) -> Parsed<Statement> {
    parser.expect_keyword_is(Keyword::MSCK)?;
    parser.expect_keyword_is(Keyword::REPAIR)?;
    parser.expect_keyword_is(Keyword::TABLE)?;
    Ok(Statement::Repair(table_name(parser)?))
}

fn alter_table(parser: &mut Parser<'_>) -> Parsed<Statement> {
    let table = table_name(parser)?;
    let adds = parser.parse_keyword(Keyword::ADD);
    let drops = !adds && parser.parse_keyword(Keyword::DROP);
    let if_not_exists = adds && parser.parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS]);
    let if_exists = drops && parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
    let mut partitions = Vec::new();
    while parser.parse_keyword(Keyword::PARTITION) {
        partitions.push(partition(parser)?);
        let _ = parser.consume_token(&Token::Comma);
    }
    Ok(match (adds, drops, partitions.is_empty()) {
        (true, _, false) => Statement::AddPartitions { table, if_not_exists, partitions },
        (_, true, false) => Statement::DropPartitions { table, if_exists, partitions },
        _ => elsewhere(parser, "ALTER TABLE other than ADD PARTITION and DROP PARTITION".to_owned()),
    })
}

fn partition(parser: &mut Parser<'_>) -> Parsed<PartitionSpec> {
    parser.expect_token(&Token::LParen)?;
    let values = parser.parse_comma_separated(|parser| {
        let key = lower(parser.parse_identifier()?);
        parser.expect_token(&Token::Eq)?;
        let place = parser.peek_token();
        match parser.parse_value()?.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) | Value::Number(text, _) => Ok((key, text)),
            _ => parser.expected("a text or a number", place),
        }
    })?;
    parser.expect_token(&Token::RParen)?;
    let location = if parser.parse_keyword(Keyword::LOCATION) { Some(parser.parse_literal_string()?) } else { None };
    Ok(PartitionSpec { values, location })
}

fn prepare(parser: &mut Parser<'_>, sql: &str) -> Parsed<Statement> {
    parser.next_token();
    let name = parser.parse_identifier()?.value;
    parser.expect_keyword_is(Keyword::FROM)?;
    let query = from(sql, parser.peek_token_ref().span.start).trim_end_matches(|char: char| char == ';' || char.is_whitespace()).to_owned();
    to_the_end(parser);
    parse(&query)?;
    Ok(Statement::Prepare { name, query })
}

fn execute(parser: &mut Parser<'_>) -> Parsed<Statement> {
    parser.next_token();
    let name = parser.parse_identifier()?.value;
    let using = if parser.parse_keyword(Keyword::USING) { parser.parse_comma_separated(Parser::parse_expr)? } else { Vec::new() };
    Ok(Statement::Execute { name, using })
}

fn properties(parser: &mut Parser<'_>) -> Parsed<Properties> {
    let place = parser.peek_token();
    let mut given = Vec::new();
    for option in parser.parse_options(Keyword::WITH)? {
        match option {
            SqlOption::KeyValue { key, value } => given.push((lower(key), value)),
            _ => return parser.expected("properties of the form name = value", place),
        }
    }
    Ok(Properties::new(given))
}

fn table_name(parser: &mut Parser<'_>) -> Parsed<TableName> {
    let place = parser.peek_token();
    let ObjectName(parts) = parser.parse_object_name(false)?;
    let parts: Vec<String> = parts
        .into_iter()
        .filter_map(|part| match part {
            ObjectNamePart::Identifier(name) => Some(lower(name)),
            ObjectNamePart::Function(_) => None,
        })
        .collect();
    match parts.as_slice() {
        [table] => Ok(TableName { database: None, table: table.clone() }),
        [database, table] => Ok(TableName { database: Some(database.clone()), table: table.clone() }),
        [catalog, database, table] if catalog == CATALOG => Ok(TableName { database: Some(database.clone()), table: table.clone() }),
        _ => parser.expected("a table of this catalog", place),
    }
}

fn elsewhere(parser: &mut Parser<'_>, what: String) -> Statement {
    to_the_end(parser);
    Statement::Elsewhere(what)
}

fn to_the_end(parser: &mut Parser<'_>) {
    while parser.next_token().token != Token::EOF {}
    // The end is looked at once more.
    parser.prev_token();
}

/// The next word, in upper case, without taking it.
fn word(parser: &Parser<'_>) -> String {
    parser.peek_token_ref().token.to_string().to_uppercase()
}

fn lower(name: Ident) -> String {
    name.value.to_lowercase()
}

/// The text from a place on.
fn from(sql: &str, place: Location) -> &str {
    let line = usize::try_from(place.line.saturating_sub(1)).unwrap_or(0);
    let start: usize = sql.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = sql.get(start..).unwrap_or_default();
    let column = usize::try_from(place.column.saturating_sub(1)).unwrap_or(0);
    let offset = rest.char_indices().nth(column).map_or(rest.len(), |(offset, _)| offset);
    rest.get(offset..).unwrap_or_default()
}
