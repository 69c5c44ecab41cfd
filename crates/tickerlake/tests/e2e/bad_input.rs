//! What cannot work is told in one line, with the right exit code.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use crate::harness::{Counts, Ended, Tickerlake, number, query, run};

fn local(data: &Path, flags: &[&str]) -> Ended {
    Tickerlake::local(data, flags).finish()
}

#[test]
fn a_command_that_is_called_wrongly_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (flags, reason) in [
        (&["--source", "bloomberg"][..], "unknown source \"bloomberg\""),
        (&["--source", "replay"], "--replay-file"),
        (&["--until-drained"], "--until-drained needs a source that ends"),
        (&["--every", "soon"], "'soon'"),
        (&["--every", "0s"], "'0s'"),
        (&["--for", "1d"], "'1d'"),
        (&["--speed", "fast"], "'fast'"),
        (&["--speed", "-1x"], "-1x"),
        (&["--kafka", "nowhere"], "--kafka"),
        (&["--quickly"], "'--quickly'"),
        (&["--for", "1s", "--until-drained"], "--until-drained"),
    ] {
        local(&data, flags).refused(2, reason);
    }
    run(&["local", "--port", "99999"]).refused(2, "'99999'");
    run(&["query", "--format", "xml", "SELECT 1"]).refused(2, "'xml'");
    run(&["query"]).refused(2, "<SQL");
    run(&["audit", "--format", "csv"]).refused(2, "'csv'");
    run(&["report"]).refused(2, "'report'");
    assert!(!data.exists(), "nothing was begun");
    // What is asked for is no mistake.
    assert!(run(&["--help"]).succeeded().contains("Usage: tickerlake"));
    assert!(run(&["--version"]).succeeded().starts_with("tickerlake "));
}

#[test]
fn folders_and_ports_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let (below_a_file, nothing, fresh) = (file.join("data"), folder.path().join("nothing"), folder.path().join("fresh"));
    let shown = |path: &Path| path.to_str().unwrap().to_owned();

    local(&below_a_file, &[]).refused(1, &shown(&below_a_file));
    for command in [&["query", "--data", &shown(&nothing), "SELECT 1"][..], &["audit", "--data", &shown(&nothing)]] {
        run(command).refused(1, &format!("there is no lake in {}", shown(&nothing)));
    }
    assert!(!nothing.exists(), "a question makes no lake");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for flags in [["--port", &port, "--kafka-port", "0"], ["--port", "0", "--kafka-port", &port]] {
        run(&[&["local", "--data", fresh.to_str().unwrap()][..], &flags].concat()).refused(1, &port);
    }
}

#[test]
fn a_replay_file_that_is_none_is_told_by_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let missing = folder.path().join("missing.csv");
    local(&data, &["--source", "replay", "--replay-file", missing.to_str().unwrap(), "--until-drained"])
        .refused(1, missing.to_str().unwrap());
    assert!(!data.exists(), "nothing was begun");

    for (header, reason) in [
        ("symbol,event_time,price,colour", "unknown columns in the header: colour"),
        ("symbol,event_time", "the header lacks the column price"),
        ("", "the header lacks the column symbol"),
    ] {
        let file = folder.path().join("file.csv");
        fs::write(&file, format!("{header}\nAAPL,2013-10-07T13:30:00Z,1,red\n")).unwrap();
        let ended = local(&data, &["--source", "replay", "--replay-file", file.to_str().unwrap(), "--until-drained"]);
        ended.refused(1, reason);
        assert!(ended.stderr.contains(file.to_str().unwrap()), "{ended:#?}");
    }
}

#[test]
fn bad_lines_are_shown_and_counted_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("bad.csv"));
    let lines = [
        "symbol,event_time,price,bid,conditions",
        "AAPL,2013-10-07T13:30:00Z,487.75,487.7,\"@,",
        "T\"",
        "AAPL,2013-10-07T13:30:01Z,free,,",
        "AAPL,2013-10-07T13:30:02Z,0,,",
        "AAPL,2013-10-07T13:30:03Z,1",
        "<html>,2013-10-07T13:30:04Z,1,,",
        "AAPL,tomorrow,1,,",
        "AAPL,2013-10-07T13:30:06Z,0.0000001,,",
        "MSFT,2013-10-07T13:30:07Z,33.3,,",
        "MSFT,2013-10-07T13:30:08Z,33.31,-1,",
    ];
    fs::write(&file, lines.join("\n")).unwrap();
    let ended = local(&data, &["--source", "replay", "--replay-file", file.to_str().unwrap(), "--speed", "max", "--until-drained"]);
    let printed = ended.succeeded();
    for (line, reason) in [
        (4, "price: \"free\": not a decimal number"),
        (5, "price: 0 is not above 0"),
        (6, "3 fields, the header has 5"),
        (7, "symbol: not a canonical ticker"),
        (8, "event_time: \"tomorrow\""),
        (9, "price: \"0.0000001\": more than 6 digits after the point"),
        (11, "bid: -1 is below 0"),
    ] {
        let told = printed.lines().filter(|told| told.contains(&format!("not fetched: line {line}: {reason}")));
        assert_eq!(told.count(), 1, "line {line}: {reason}\n{printed}");
    }
    let counts = Counts::last(&printed);
    assert_eq!((counts.not_fetched, counts.fetched, counts.rows), (7, 2, 2), "{printed}");
    let rows = query(&data, "SELECT symbol, price, conditions FROM quotes ORDER BY price");
    assert_eq!((rows[0]["price"].as_str(), rows[1]["conditions"].as_str(), rows.len()), ("33.300000", "@,\nT", 2));
}

#[test]
fn a_folder_belongs_to_one_stack_and_sql_is_answered_in_the_engines_words() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut first = Tickerlake::local(data, &["--every", "200ms", "--symbols", "AAPL"]);
    first.endpoints();
    local(data, &["--for", "1s"]).refused(1, &format!("another tickerlake works in {}", data.display()));

    let refused = |sql: &str, reason: &str| run(&["query", "--data", data.to_str().unwrap(), sql]).refused(1, reason);
    let wrong = || {
        refused("SELEC symbol FROM quotes", "SELEC");
        refused("SELECT colour FROM quotes", "Column 'colour' cannot be resolved");
        refused("SELECT symbol FROM quoats", "quoats");
        refused("DELETE FROM quotes", "the local engine does not do DELETE FROM; Athena does");
        run(&["query", "--data", data.to_str().unwrap(), "--name", "no_such_query"]).refused(2, "no named query \"no_such_query\"");
    };
    wrong();
    // The stack is none the worse for it.
    first.wait_for_counts("rows", |counts| counts.rows > 0);
    first.interrupt();
    first.finish().succeeded();
    wrong();
    assert!(number(data, "SELECT count(*) FROM quotes") > 0);
}
