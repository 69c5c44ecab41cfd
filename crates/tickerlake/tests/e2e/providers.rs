//! Quotes of a provider through the whole stack: what its server said stands in the lake to the digit, what it did not say is
//! told, and the key is nowhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::exchange::{Asked, Exchange, Reply};
use crate::harness::{Counts, Ended, Tickerlake, query, run, sound_audit};
use crate::lake::COLUMNS;

const ID: &str = "PKTESTIDENT42";
const SECRET: &str = "s3cr3t/K3y+of-the-test";

/// Polls until it has been answered so often.
const ANSWERS: u64 = 4;

/// A refusal that passes: the wait that it asks for is kept.
const WAIT: Duration = Duration::from_secs(1);

fn rate_limited(words: &str) -> Reply {
    Reply { header: "Retry-After: 1", ..Reply::new(429, words) }
}

#[test]
fn what_alpaca_says_is_in_the_lake_to_the_digit_and_the_key_is_nowhere() {
    const SYMBOLS: &str = "AAPL,BAC.PR.K,BRK-X,ECHO,HALT";
    let exchange = Exchange::start(|asked, number| match number {
        _ if asked.headers["apca-api-key-id"] != ID || asked.headers["apca-api-secret-key"] != SECRET => Reply::new(401, "unauthorized."),
        _ if asked.parameter("symbols").contains("BRK-X") => Reply::new(400, r#"{"message":"code=400, message=invalid symbol: BRK-X"}"#),
        1 => rate_limited(r#"{"message":"too many requests."}"#),
        number => Reply::new(200, snapshots(number - 2)),
    });
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let key = format!("{ID}:{SECRET}");
    let printed = fetched(&data, "alpaca", SYMBOLS, &exchange, &key);

    let asked = exchange.asked();
    let symbols: Vec<_> = asked.iter().map(|asked| asked.parameter("symbols")).collect();
    assert_eq!(symbols[0], "AAPL,BAC.PRK,BRK-X,ECHO,HALT");
    assert!(symbols[1..].iter().all(|symbols| symbols == "AAPL,BAC.PRK,ECHO,HALT"), "the refused symbol is left out: {symbols:?}");
    assert!(asked.iter().all(|asked| asked.parameter("feed") == "iex"));
    assert!(asked[2].at - asked[1].at >= WAIT, "{asked:?}");

    let answers = asked.len() - 2;
    let common = texts(&[("currency", "USD"), ("source", "alpaca"), ("feed", "iex"), ("delay_seconds", "0"), ("session", "regular")]);
    let expected = (0..answers).flat_map(|answer| [apple(answer), bank()].map(|columns| row([common.clone(), columns])));
    assert_rows(&data, expected.collect());

    for told in [
        "not fetched: BRK-X: the provider refuses the request for a symbol in it: code=400, message=invalid symbol: BRK-X",
        "not fetched: BRK-X: the provider does not know the symbol",
        "not fetched: HALT: the provider has no trade of it",
        "not fetched: ECHO: the provider's entry is no quote: ",
    ] {
        assert!(printed.contains(told), "{told:?} is not told: {printed}");
    }
    assert_eq!(Counts::last(&printed).not_fetched, 3 * answers as u64, "{printed}");
    assert_metrics(&data, &[("BRK-X", "unknown_symbol"), ("ECHO", "malformed"), ("HALT", "no_trade")]);
    assert_sound_and_silent(&data, &printed, &[ID, SECRET], &exchange);
}

/// Alpaca's answer. Each one's price is another, so that a lost, doubled or mixed-up one is seen. `ECHO` says the key back.
fn snapshots(answer: usize) -> String {
    let price = alpaca_price(answer);
    format!(
        r#"{{"AAPL": {{
          "latestTrade": {{"t":"2024-06-12T14:30:05.123999999Z","x":"V","p":{price},"s":160.5,"c":["@","I"],"i":1011,"z":"C"}},
          "latestQuote": {{"t":"2024-06-12T14:30:06.5Z","ax":"V","ap":213.07,"as":540,"bx":"V","bp":213.0001,"bs":200,"c":["R"],"z":"C"}},
          "minuteBar": {{"t":"2024-06-12T14:29:00Z","o":212.9,"h":213.11,"l":212.85,"c":213.02,"v":4212,"n":57,"vw":212.987654}},
          "dailyBar": {{"t":"2024-06-12T04:00:00Z","o":207.37,"h":220.2,"l":206.9,"c":213.05,"v":56457.25,"n":5151,"vw":213.123456}},
          "prevDailyBar": {{"t":"2024-06-11T04:00:00Z","o":193.65,"h":207.16,"l":193.63,"c":207.15,"v":700123,"n":6100,"vw":201.99}}}},
        "BAC.PRK": {{
          "latestTrade": {{"t":"2024-06-12T13:31:00Z","x":" ","p":24.5,"s":10,"c":[" "]}},
          "latestQuote": {{"t":"2024-06-12T13:31:01Z","ap":24.75,"as":100,"bp":0,"bs":0}},
          "minuteBar": null,
          "dailyBar": {{"t":"2024-06-11T04:00:00Z","o":24,"h":24.9,"l":23.5,"c":24.25,"v":1200,"n":9,"vw":24.3}},
          "prevDailyBar": {{"t":"2024-06-10T04:00:00Z","c":24.1}}}},
        "HALT": {{"latestTrade": null, "latestQuote": null, "minuteBar": null, "dailyBar": null, "prevDailyBar": null}},
        "ECHO": "no entry for the key {SECRET} of {ID}"}}"#
    )
}

fn alpaca_price(answer: usize) -> String {
    format!("213.05{answer:04}")
}

fn apple(answer: usize) -> BTreeMap<&'static str, String> {
    texts(&[
        ("symbol", "AAPL"),
        ("price", &alpaca_price(answer)),
        ("last_size", "160.500000"),
        ("event_time", "2024-06-12 14:30:05.123"),
        ("event_time_ns", "1718202605123999999"),
        ("conditions", "@,I"),
        ("exchange", "V"),
        ("bid", "213.000100"),
        ("ask", "213.070000"),
        ("bid_size", "200.000000"),
        ("ask_size", "540.000000"),
        ("quote_time", "2024-06-12 14:30:06.500"),
        ("day_date", "2024-06-12"),
        ("day_open", "207.370000"),
        ("day_high", "220.200000"),
        ("day_low", "206.900000"),
        ("day_close", "213.050000"),
        ("day_volume", "56457.250000"),
        ("day_vwap", "213.123456"),
        ("day_trades", "5151"),
        ("previous_close", "207.150000"),
        ("bar_start", "2024-06-12 14:29:00.000"),
        ("bar_seconds", "60"),
        ("bar_open", "212.900000"),
        ("bar_high", "213.110000"),
        ("bar_low", "212.850000"),
        ("bar_close", "213.020000"),
        ("bar_volume", "4212.000000"),
        ("bar_vwap", "212.987654"),
        ("bar_trades", "57"),
        ("trade_date", "2024-06-12"),
    ])
}

/// Its day bar is still yesterday's, whose close is the previous one; nobody bids for it.
fn bank() -> BTreeMap<&'static str, String> {
    texts(&[
        ("symbol", "BAC.PR.K"),
        ("price", "24.500000"),
        ("last_size", "10.000000"),
        ("event_time", "2024-06-12 13:31:00.000"),
        ("event_time_ns", "1718199060000000000"),
        ("conditions", " "),
        ("exchange", " "),
        ("ask", "24.750000"),
        ("ask_size", "100.000000"),
        ("quote_time", "2024-06-12 13:31:01.000"),
        ("day_date", "2024-06-11"),
        ("day_open", "24.000000"),
        ("day_high", "24.900000"),
        ("day_low", "23.500000"),
        ("day_close", "24.250000"),
        ("day_volume", "1200.000000"),
        ("day_vwap", "24.300000"),
        ("day_trades", "9"),
        ("previous_close", "24.250000"),
        ("trade_date", "2024-06-12"),
    ])
}

#[test]
fn what_finnhub_says_one_symbol_at_a_time_is_in_the_lake_too() {
    let exchange = Exchange::start({
        let mut answers = 0;
        move |asked, number| match asked.parameter("symbol").as_str() {
            _ if asked.headers["x-finnhub-token"] != SECRET => Reply::new(401, r#"{"error":"Invalid API key."}"#),
            _ if number == 0 => rate_limited(r#"{"error":"API limit reached. Please try again later. Remaining Limit: 0"}"#),
            "BRK.B" => {
                answers += 1;
                let price = finnhub_price(answers - 1);
                Reply::new(200, format!(r#"{{"c":{price},"d":2.04,"dp":0.5,"h":412.5,"l":407.001,"o":408.1,"pc":409.87,"t":1718202605}}"#))
            }
            "GONE" => Reply::new(200, r#"{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}"#),
            _ => Reply::new(403, format!(r#"{{"error":"You don't have access to this resource with {SECRET}."}}"#)),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let printed = fetched(&data, "finnhub", "BRK.B,ECHO,GONE", &exchange, SECRET);

    let asked = |symbol: &str| exchange.asked().iter().filter(|asked| asked.parameter("symbol") == symbol).count();
    // Whichever was asked for first was asked for again.
    let answers = asked("GONE").min(asked("ECHO")).min(asked("BRK.B"));
    assert_eq!(asked("BRK.B") + asked("ECHO") + asked("GONE"), 3 * answers + 1);
    let common = texts(&[("symbol", "BRK.B"), ("currency", "USD"), ("source", "finnhub")]);
    let expected = (0..answers).map(|answer| row([common.clone(), berkshire(answer)]));
    assert_rows(&data, expected.collect());

    for told in [
        "not fetched: GONE: the provider does not know the symbol",
        "not fetched: ECHO: the provider refuses the request (403): You don't have access to this resource with (key).",
    ] {
        assert!(printed.contains(told), "{told:?} is not told: {printed}");
    }
    assert_eq!(Counts::last(&printed).not_fetched, 2 * answers as u64, "{printed}");
    // The plan is no fault of the symbol's.
    assert_metrics(&data, &[("GONE", "unknown_symbol")]);
    assert_sound_and_silent(&data, &printed, &[SECRET], &exchange);
}

fn finnhub_price(answer: usize) -> String {
    format!("410.{answer:02}")
}

fn berkshire(answer: usize) -> BTreeMap<&'static str, String> {
    texts(&[
        ("price", &format!("{}0000", finnhub_price(answer))),
        ("event_time", "2024-06-12 14:30:05.000"),
        ("event_time_ns", "1718202605000000000"),
        ("day_date", "2024-06-12"),
        ("day_open", "408.100000"),
        ("day_high", "412.500000"),
        ("day_low", "407.001000"),
        ("previous_close", "409.870000"),
        ("session", "regular"),
        ("trade_date", "2024-06-12"),
    ])
}

#[test]
fn a_first_look_needs_no_lake_and_shows_no_key() {
    let exchange = Exchange::start(|_, _| Reply::new(200, snapshots(7)));
    let flags = ["fetch", "--source", "alpaca", "--symbols", "AAPL,HALT,ECHO", "--format", "json"];
    let ended = Tickerlake::start_with(&flags, &environment(&exchange, &format!("{ID}:{SECRET}"))).finish();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let quote: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (&quote["symbol"], &quote["price"], &quote["event_time"]),
        (&"AAPL".into(), &"213.050007".into(), &"2024-06-12T14:30:05.123999999Z".into())
    );
    assert!(ended.stderr.contains("tickerlake: HALT: no trade: ") && ended.stderr.contains("(key)"), "{ended:#?}");
    assert_silent(&ended, &[ID, SECRET]);
}

fn environment(exchange: &Exchange, key: &str) -> Vec<(String, String)> {
    let url = exchange.url();
    let variables = [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("QUOTE_API_URL", &url),
        ("QUOTE_API_KEY", key),
        ("MARKET_HOURS", "always"),
        ("QUOTE_RATE_LIMIT", "100000/1m"),
        // The servers' trades are of one day of 2024, whatever today is.
        ("STALE_AFTER", "9999d"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// Fetches from the server until it has given some answers, and drains: what was printed.
fn fetched(data: &Path, source: &str, symbols: &str, exchange: &Exchange, key: &str) -> String {
    let fixed = ["local", "--port", "0", "--kafka-port", "0", "--every", "200ms", "--data", data.to_str().unwrap()];
    let flags = [&fixed[..], &["--source", source, "--symbols", symbols]].concat();
    let mut local = Tickerlake::start_with(&flags, &environment(exchange, key));
    local.wait_for_counts("some answers in the lake", |counts| counts.rows >= 2 * ANSWERS && counts.crawled > 0);
    local.interrupt();
    let printed = local.finish().succeeded();
    let last = Counts::last(&printed);
    assert_eq!((last.fetched, last.fetched, last.lag), (last.produced, last.rows, 0), "{printed}");
    printed
}

/// A row of which these columns are not null.
fn row(columns: [BTreeMap<&'static str, String>; 2]) -> BTreeMap<String, String> {
    columns.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn texts(columns: &[(&'static str, &str)]) -> BTreeMap<&'static str, String> {
    columns.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

/// Every column but those that only the run itself knows, null where `expected` has none.
fn assert_rows(data: &Path, expected: Vec<BTreeMap<String, String>>) {
    const OF_THE_RUN: [&str; 4] = ["fetched_at", "kafka_cluster", "kafka_partition", "kafka_offset"];
    let columns: Vec<_> = COLUMNS.iter().map(|(name, ..)| *name).filter(|name| !OF_THE_RUN.contains(name)).collect();
    let found = query(data, &format!("SELECT {} FROM quotes ORDER BY symbol, price", columns.join(", ")));
    let mut expected = expected;
    for row in &mut expected {
        for column in &columns {
            row.entry((*column).to_owned()).or_default();
        }
    }
    expected.sort_by_key(|row| (row["symbol"].clone(), row["price"].clone()));
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}

/// The function's log holds a metric of each of these symbols with the reason, and of no other.
fn assert_metrics(data: &Path, expected: &[(&str, &str)]) {
    let log = fs::read_to_string(data.join("logs/fetch-quotes.log")).unwrap();
    let metrics = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line.get(line.find('{')?..)?).ok());
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut found: Vec<_> = metrics.filter(|line| line["Misses"] == 1).map(|line| (text(&line["Symbol"]), text(&line["Reason"]))).collect();
    found.sort();
    found.dedup();
    assert_eq!(found, expected.iter().map(|(symbol, reason)| ((*symbol).to_owned(), (*reason).to_owned())).collect::<Vec<_>>(), "{log}");
}

/// The audit finds the lake sound, and neither what was printed nor any file nor any URL has a part of the key.
fn assert_sound_and_silent(data: &Path, printed: &str, key: &[&str], exchange: &Exchange) {
    sound_audit(data);
    let audit = run(&["audit", "--data", data.to_str().unwrap()]);
    assert_silent(&audit, key);
    audit.succeeded();
    for part in key {
        assert!(!printed.contains(part), "{printed}");
        assert!(!exchange.asked().iter().any(|Asked { target, .. }| target.contains(part)), "{:?}", exchange.asked());
        assert_eq!(files_with(data, part), [""; 0], "{part}");
    }
    // The server did say it, and the same search finds what stands in its place.
    assert!(printed.contains("(key)") && !files_with(data, "(key)").is_empty(), "{printed}");
}

fn assert_silent(ended: &Ended, key: &[&str]) {
    assert!(!key.iter().any(|part| ended.stdout.contains(part) || ended.stderr.contains(part)), "{ended:#?}");
}

/// The files below a folder that hold a text, wherever.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files_with(&entry, text));
        } else if fs::read(&entry).unwrap().windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(entry.display().to_string());
        }
    }
    found
}
