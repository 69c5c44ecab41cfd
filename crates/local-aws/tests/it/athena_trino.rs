//! What a query means to Trino where DataFusion, left to itself, has another answer.

use crate::athena::{ended, failure, lake, query, start};
use crate::stack::LAKE;

#[tokio::test(flavor = "multi_thread")]
async fn decimals_are_divided_as_trino_divides_them() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    // As a Trino 476 answers.
    for (division, quotient) in [
        ("decimal '2' / decimal '3'", "1"),
        ("decimal '2.000000' / decimal '3'", "0.666667"),
        ("decimal '-2.000000' / 3", "-0.666667"),
        ("2 / decimal '3.0'", "0.7"),
        ("decimal '0.5' / 10", "0.1"),
        ("20000 * (decimal '0.010000') / decimal '334.590000'", "0.597746"),
        ("CAST(1 AS decimal(38, 12)) / CAST(3 AS decimal(38, 6))", "0.333333333333"),
        (
            "CAST(date_diff('millisecond', timestamp '2013-10-07 08:00:00.001', timestamp '2013-10-07 08:00:01') AS decimal(18, 3)) / 1000",
            "0.999",
        ),
        ("decimal '1.0' / CAST(NULL AS decimal(1, 0))", "-"),
        ("7 / 2", "3"),
    ] {
        assert_eq!(query(&stack, &format!("SELECT {division} AS x")).await, ["x".to_owned(), quotient.to_owned()], "{division}");
    }
    let average = "SELECT sum(price) / count(*) AS x FROM quotes WHERE dt = '2013-10-07'";
    assert_eq!(query(&stack, average).await, ["x", "336.350000"]);
    assert!(failure(&stack, "SELECT decimal '1.0' / decimal '0.0'").await.starts_with("DIVISION_BY_ZERO"));
    assert!(
        failure(&stack, "SELECT CAST('99999999999999999999999999999999999999' AS decimal(38, 0)) / decimal '0.01'")
            .await
            .contains("overflow")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_files_name_and_size_are_there_without_being_shown() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    let path = |day: &str| format!("s3://{LAKE}/quotes/dt={day}/a.parquet");
    let size = |day: &str| std::fs::metadata(folder.path().join(format!("s3/{LAKE}/quotes/dt={day}/a.parquet"))).unwrap().len();
    assert_eq!(
        query(&stack, "SELECT \"$path\" AS path, max(\"$file_size\") AS bytes, count(*) AS n FROM quotes GROUP BY \"$path\" ORDER BY 1")
            .await,
        [
            "path|bytes|n".to_owned(),
            format!("{}|{}|3", path("2013-10-07"), size("2013-10-07")),
            format!("{}|{}|2", path("2013-10-08"), size("2013-10-08")),
        ]
    );
    let one = format!("SELECT DISTINCT dt FROM quotes WHERE \"$path\" = '{}'", path("2013-10-08"));
    assert_eq!(query(&stack, &one).await, ["dt", "2013-10-08"]);
    assert_eq!(
        query(&stack, "SELECT count(*) AS n FROM quotes WHERE \"$file_modified_time\" > timestamp '2020-01-01 00:00:00'").await,
        ["n", "5"]
    );
    let shown = query(&stack, "SELECT *, \"$file_size\" AS bytes FROM quotes WHERE symbol = 'IBM'").await;
    assert_eq!(shown[0], "symbol|price|event_time|event_time_ns|bar_seconds|conditions|dt|bytes");
    let through = "WITH files AS (SELECT \"$path\" AS path FROM quotes) SELECT * FROM files LIMIT 1";
    assert_eq!(query(&stack, through).await[0], "path");
    assert!(failure(&stack, "SELECT \"$nothing\" FROM quotes").await.starts_with("COLUMN_NOT_FOUND"));
}

#[tokio::test(flavor = "multi_thread")]
async fn todays_date_prunes_partitions() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    let scanned = async |condition: &str| {
        let id = start(&stack, &format!("SELECT max(price) AS x FROM quotes WHERE {condition}")).await;
        ended(&stack, &id).await.statistics().unwrap().data_scanned_in_bytes().unwrap()
    };
    let second = scanned("dt = '2013-10-08'").await;
    assert!(second > 0);
    assert_eq!(scanned("dt >= CAST(date '2013-10-14' - INTERVAL '6' DAY AS varchar)").await, second);
    assert_eq!(scanned("dt >= CAST(current_date - INTERVAL '6' DAY AS varchar)").await, 0);
    let now = "SELECT current_timestamp > timestamp '2026-01-01 00:00:00' AS later, \
               CAST(current_timestamp AT TIME ZONE 'UTC' AS timestamp) > timestamp '2026-01-01 00:00:00' AS too FROM quotes LIMIT 1";
    assert_eq!(query(&stack, now).await, ["later|too", "true|true"]);
}
