//! Time and size: what does not fit into an invocation, and the largest that does.

use std::time::Duration;

use local_aws::lambda::{Invocation, Outcome, PAYLOAD_LIMIT};
use local_aws::s3::faults::{Failure, Fault, Operation, Trigger};
use serde_json::{Value, json};

use crate::lake::Tally;
use crate::records::{DAYS, Record, event, log};
use crate::stack::{LIMIT, Stack, deliver};

/// Generous, for the binary here is not the optimised one.
const MEMORY: u64 = 128 << 20;

fn peak_memory(what: &str, invocation: &Invocation) {
    let peak = invocation.peak_memory.unwrap();
    eprintln!("{what}: peak memory {:.1} MB", peak as f64 / f64::from(1 << 20));
    assert!(peak < MEMORY, "{what}: {peak} bytes");
}

/// The fields that the fullest source gives.
fn full() -> Value {
    json!({
        "last_size": "160", "conditions": "@,I", "exchange": "V",
        "bid": "271.48", "ask": "271.51", "bid_size": "200", "ask_size": "100", "quote_time": "2026-11-23T14:31:00.907451Z",
        "day_date": "2026-11-23", "day_open": "270.9", "day_high": "271.87", "day_low": "270.65", "day_close": "271.4938",
        "day_volume": "1482911", "day_vwap": "271.2204", "day_trades": 18734, "previous_close": "271.49",
        "bar_start": "2026-11-23T14:30:00Z", "bar_seconds": 60, "bar_open": "270.9", "bar_high": "271.87", "bar_low": "270.65",
        "bar_close": "271.44", "bar_volume": "1398042", "bar_vwap": "271.1987", "bar_trades": 17102, "feed": "iex", "delay_seconds": 0,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invocation_that_cannot_finish_stops_in_time_and_says_so() {
    let stack = Stack::start(&["lake"]).await;
    let function = stack.function("writer", "lake", Duration::from_secs(8));
    let records: Vec<_> =
        (0..3).flat_map(|partition| (0..4).map(move |offset| Record::quote(partition, offset, offset as usize / 2))).collect();
    // The file of partition 1's second day never gets an answer.
    let trigger = Trigger {
        operation: Operation::Put,
        bucket: "lake".to_owned(),
        key_prefix: format!("quotes/dt={}/{}-", DAYS[1], log(1)),
        after: 0,
        times: usize::MAX,
    };
    let armed = stack.faults.arm(trigger, Fault::Before(Failure::Held));
    let stopped = function.invoke(event(&records)).await.unwrap();
    let Outcome::FunctionError { error_type, error_message } = &stopped.outcome else { panic!("{:?}", stopped.outcome) };
    assert_eq!(error_type, "Retryable");
    assert!(error_message.starts_with(&format!("1 of 3 logs could not be stored; {}: stopped before", log(1))), "{error_message}");
    assert!(armed.count() > 0);

    let lake = stack.lake("lake");
    let next = |partition| lake.watermark(partition).map(|watermark| (watermark.next, watermark.writing.is_some()));
    assert_eq!([next(0), next(1), next(2)], [Some((4, false)), Some((2, true)), Some((4, false))], "what is durable stays");
    drop(armed);
    deliver(&function, &event(&records)).await.unwrap();
    assert_eq!(lake.tally(&records), Tally::default());
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_event() {
    let full = full();
    let mut records = Vec::new();
    let one = event([&Record::quote_with(0, 1_000_000, 0, &full)]).len();
    let mut bytes = 1000;
    while bytes + one < PAYLOAD_LIMIT {
        let offset = records.len() as i64;
        records.push(Record::quote_with(0, offset, 0, &full));
        // Without what surrounds all of them.
        bytes += one - 150;
    }
    let mut batch = event(&records);
    while batch.len() > PAYLOAD_LIMIT {
        records.truncate(records.len() - 10);
        batch = event(&records);
    }
    assert!(batch.len() > PAYLOAD_LIMIT * 95 / 100, "{} bytes", batch.len());

    let stack = Stack::start(&["lake"]).await;
    let function = stack.function("writer", "lake", LIMIT);
    let invocation = deliver(&function, &batch).await.unwrap();
    let lake = stack.lake("lake");
    assert_eq!(lake.tally(&records), Tally::default());
    assert_eq!(lake.count("quotes"), 1, "all in one file");
    peak_memory(&format!("{} full quotes in {} bytes", records.len(), batch.len()), &invocation);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_a_megabyte() {
    let mut poison = Record::poison(0, 1);
    poison.value = b"[".repeat(1 << 20);
    let long = "x".repeat(1 << 20);
    let records = vec![
        Record::quote(0, 0, 0),
        poison,
        // A field that nobody asked for, and one that nobody could mean.
        Record::quote_with(0, 2, 0, &json!({ "extra": long })),
        Record { day: None, ..Record::quote_with(0, 3, 0, &json!({ "conditions": long })) },
        Record::quote(0, 4, 0),
    ];
    let stack = Stack::start(&["lake"]).await;
    let function = stack.function("writer", "lake", LIMIT);
    let invocation = deliver(&function, &event(&records)).await.unwrap();
    let lake = stack.lake("lake");
    assert_eq!(lake.tally(&records), Tally::default());
    peak_memory("three records of 1 MB", &invocation);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_records_over_fifty_partitions_and_three_days() {
    let record = |n: i64| {
        let (partition, offset) = ((n % 50) as i32, n / 50);
        if n % 97 == 0 { Record::poison(partition, offset) } else { Record::quote(partition, offset, offset as usize * DAYS.len() / 200) }
    };
    let records: Vec<_> = (0..10_000).map(record).collect();
    let stack = Stack::start(&["lake"]).await;
    let function = stack.function("writer", "lake", LIMIT);
    let invocation = deliver(&function, &event(&records)).await.unwrap();
    let lake = stack.lake("lake");
    assert_eq!(lake.tally(&records), Tally::default());
    assert_eq!(lake.count("quotes"), 150, "one file a partition and day");
    peak_memory("10,000 records over 50 partitions and 3 days", &invocation);
    stack.stop().await;
}
