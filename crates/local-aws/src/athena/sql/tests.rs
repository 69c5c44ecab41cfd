//! Statements as people write them.

#![allow(clippy::unwrap_used, clippy::panic)]

use datafusion::sql::sqlparser::ast::Expr;

use super::{PartitionSpec, Statement, TableName, expression, parse};

#[test]
fn statements_on_partitions() {
    let table = || TableName { database: None, table: "quotes".to_owned() };
    let spec = |dt: &str, location: Option<&str>| PartitionSpec {
        values: vec![("dt".to_owned(), dt.to_owned())],
        location: location.map(str::to_owned),
    };
    assert_eq!(
        parse("ALTER TABLE Quotes ADD IF NOT EXISTS PARTITION (dt = '2013-10-07') LOCATION 's3://b/x/' PARTITION (DT='2013-10-08');")
            .unwrap(),
        Statement::AddPartitions {
            table: table(),
            if_not_exists: true,
            partitions: vec![spec("2013-10-07", Some("s3://b/x/")), spec("2013-10-08", None)],
        }
    );
    assert_eq!(
        parse("alter table `lake`.`quotes` drop partition (dt='2013-10-07'), partition (dt='2013-10-08')").unwrap(),
        Statement::DropPartitions {
            table: TableName { database: Some("lake".to_owned()), table: "quotes".to_owned() },
            if_exists: false,
            partitions: vec![spec("2013-10-07", None), spec("2013-10-08", None)],
        }
    );
    assert_eq!(parse("MSCK REPAIR TABLE `quotes`;").unwrap(), Statement::Repair(table()));
    assert_eq!(parse("DROP TABLE IF EXISTS quotes").unwrap(), Statement::DropTable { table: table(), if_exists: true });
}

#[test]
fn statements_that_write_hold_a_query_that_reads() {
    for (sql, columns) in [
        ("INSERT INTO quotes SELECT 1", 0),
        ("INSERT INTO quotes (SELECT 1)", 0),
        ("INSERT INTO quotes (symbol, Price) VALUES ('A', 1)", 2),
    ] {
        let Statement::Insert(insert) = parse(sql).unwrap() else { panic!("{sql}") };
        assert_eq!(insert.columns.len(), columns, "{sql}");
    }
    let Statement::CreateTableAs(created) =
        parse("CREATE TABLE \"db\".\"t\"\nWITH(\n    format = 'PARQUET')\nAS SELECT 1 AS x\nWITH NO DATA").unwrap()
    else {
        panic!("no CREATE TABLE AS")
    };
    assert!(!created.with_data && !created.if_not_exists);
    for sql in [
        "INSERT INTO quotes DELETE FROM quotes",
        "UNLOAD (SELECT * INTO t FROM quotes) TO 's3://b/p/' WITH (format = 'PARQUET')",
        "WITH a AS (SELECT 1) INSERT INTO quotes SELECT * FROM quotes",
        "SELECT * INTO copied FROM quotes",
        "EXPLAIN ANALYZE INSERT INTO quotes SELECT 1",
        "COPY quotes TO '/tmp/x'",
        "SET x = 1",
        "SELECT 1; SELECT 2",
        "SELEC 1",
        "",
    ] {
        assert!(parse(sql).is_err(), "{sql}");
    }
}

#[test]
fn what_only_athena_does_is_known_by_name() {
    for (sql, what) in [
        ("CREATE EXTERNAL TABLE t (a int) LOCATION 's3://b/p/'", "CREATE EXTERNAL"),
        ("CREATE TABLE t (a int)", "CREATE TABLE without AS"),
        ("create view v as select 1", "CREATE VIEW"),
        ("DELETE FROM quotes", "DELETE FROM"),
        ("ALTER TABLE quotes ADD COLUMNS (a int)", "ALTER TABLE other than ADD PARTITION and DROP PARTITION"),
    ] {
        assert_eq!(parse(sql).unwrap(), Statement::Elsewhere(what.to_owned()), "{sql}");
    }
}

#[test]
fn a_prepared_statement_keeps_its_text() {
    let Statement::Prepare { name, query } = parse("PREPARE p FROM\n SELECT 'é', ?\n FROM quotes ;").unwrap() else {
        panic!("no PREPARE")
    };
    assert_eq!((name.as_str(), query.as_str()), ("p", "SELECT 'é', ?\n FROM quotes"));
    let Statement::Execute { using, .. } = parse("EXECUTE p USING 1, 'a'").unwrap() else { panic!("no EXECUTE") };
    assert_eq!(using.len(), 2);
}

#[test]
fn values_take_the_place_of_question_marks_in_the_order_of_the_text() {
    let sql = "SELECT ? AS a, '?' AS b FROM q WHERE x > ? AND y IN (SELECT ? FROM r) LIMIT ? -- ?";
    let values: Vec<Expr> = ["1", "2", "'three'", "4"].iter().map(|text| expression(text).unwrap()).collect();
    let Statement::Query(bound) = parse(sql).unwrap().bind(&values).unwrap() else { panic!("no query") };
    assert_eq!(bound.to_string(), "SELECT 1 AS a, '?' AS b FROM q WHERE x > 2 AND y IN (SELECT 'three' FROM r) LIMIT 4");
    let few = parse(sql).unwrap().bind(&values[..1]).unwrap_err();
    assert_eq!(few.to_string(), "Incorrect number of parameters: expected 4 but found 1");
    for bad in ["1; DROP TABLE quotes", "", "1)"] {
        assert!(expression(bad).is_err(), "{bad}");
    }
}
