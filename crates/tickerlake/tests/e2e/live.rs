//! Simulated quotes, live: what a person sees, asks meanwhile, and has after Ctrl-C.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{Counts, Tickerlake, audit, eventually, number, query, run, sound_audit};
use crate::processes::{self, Bereaved};

const SYMBOLS: [&str; 3] = ["AAPL", "BRK.B", "SPY"];

#[test]
fn quotes_are_shown_queried_and_drained() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut local = Tickerlake::local(data, &["--every", "200ms", "--symbols", "AAPL,BRK.B,SPY"]);
    let endpoints = local.endpoints();
    let left: Value = serde_json::from_slice(&std::fs::read(data.join("endpoints.json")).unwrap()).unwrap();
    assert_eq!(format!("http://{}", left["aws"].as_str().unwrap()), endpoints.aws);
    assert_eq!(left["kafka"], endpoints.kafka);

    // The latest quote of each symbol, from SQL: a row that begins with the symbol and ends with the source.
    let shown = local.wait_for("the latest quotes", |lines| {
        let row = |symbol: &str| {
            lines.iter().find(|line| line.trim_start().starts_with(&format!("{symbol} ")) && line.ends_with("  simulated")).cloned()
        };
        SYMBOLS.map(row).into_iter().collect::<Option<Vec<_>>>()
    });
    assert!(shown.iter().all(|row| row.split_whitespace().count() >= 9), "{shown:#?}");
    local.wait_for_counts("a crawl", |counts| counts.crawled > 0);

    queries_work_in_every_format(data);
    let before = number(data, "SELECT count(*) FROM quotes");
    eventually("more rows", || (number(data, "SELECT count(*) FROM quotes") > before).then_some(()));
    sound_audit(data);

    let children = Bereaved(local.children());
    let names: Vec<_> = children.0.iter().map(|child| child.name.as_str()).collect();
    for function in ["fetch-quotes", "write-quotes", "start-crawler"] {
        assert!(names.contains(&function), "{function} runs: {names:?}");
    }
    local.interrupt();
    let ended = local.finish();
    // Everything that was fetched is stored: nothing is under way any more.
    let printed = ended.succeeded();
    let last = Counts::last(&printed);
    assert_eq!((last.fetched, last.fetched, last.lag), (last.produced, last.rows, 0), "{printed}");
    assert!(printed.contains(&format!("Stored {} rows", last.rows)), "{printed}");

    assert!(children.are_gone(), "left running: {children:#?}");
    let orphans = processes::orphans_with(&format!("AWS_ENDPOINT_URL={}", endpoints.aws));
    assert!(orphans.is_empty(), "left running: {orphans:#?}");
    assert!(!data.join("endpoints.json").exists(), "nobody listens there any more");

    queries_work_in_every_format(data);
    assert_eq!(number(data, "SELECT count(*) FROM quotes"), last.rows);
    let report = sound_audit(data);
    assert_eq!((report["rows"].as_u64(), report["quarantined"].as_u64()), (Some(last.rows), Some(0)));
    assert_eq!(audit(data).0, report, "an audit changes nothing");
}

fn queries_work_in_every_format(data: &std::path::Path) {
    let sql = "SELECT symbol, price, bid, ask, event_time, fetched_at, source FROM quotes \
               WHERE kafka_offset < 3 ORDER BY symbol, fetched_at";
    let ask = |format: &str| run(&["query", "--data", data.to_str().unwrap(), "--format", format, sql]).succeeded();

    let objects: Vec<BTreeMap<String, String>> = ask("json").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!objects.is_empty());
    for quote in &objects {
        let price = |column: &str| quote[column].parse::<f64>().unwrap();
        assert!(SYMBOLS.contains(&quote["symbol"].as_str()) && quote["source"] == "simulated", "{quote:?}");
        assert!(price("price") > 0.0 && price("bid") <= price("ask"), "{quote:?}");
        assert!(quote["event_time"] <= quote["fetched_at"], "no trade is known before it happens: {quote:?}");
    }
    assert_eq!(query(data, sql), objects, "csv and json say the same");

    let table = ask("table");
    let header: Vec<_> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(header, ["symbol", "price", "bid", "ask", "event_time", "fetched_at", "source"]);
    for (line, quote) in table.lines().skip(1).zip(&objects) {
        assert!(line.contains(&format!(" {} ", quote["price"])), "{line}: {quote:?}");
    }
    assert_eq!(table.lines().count(), 1 + objects.len());
}
