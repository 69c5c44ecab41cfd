//! Two environments on one partition, as around a rebalance of the mapping.

use std::time::Duration;

use local_aws::lambda::Start;
use local_aws::s3::faults::{Failure, Fault, Operation, Trigger};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::lake::Tally;
use crate::records::{Record, event};
use crate::stack::{LIMIT, Stack, deliver};

const ROUNDS: usize = 50;

/// Two environments at once, each with a batch of its own boundaries that begins at or before what was committed; in half
/// of the rounds S3 loses an answer as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_invocations_at_once_with_batches_that_overlap() {
    let stack = Stack::start(&["lake"]).await;
    let environments = [stack.function("one", "lake", LIMIT), stack.function("other", "lake", LIMIT)];
    let mut random = StdRng::seed_from_u64(1);
    let mut records: Vec<Record> = Vec::new();
    let mut committed = 0;
    for _ in 0..ROUNDS {
        for _ in 0..random.random_range(2..=8) {
            let offset = records.len() as i64;
            let day = random.random_range(0..4);
            records.push(if day == 3 { Record::poison(0, offset) } else { Record::quote(0, offset, day) });
        }
        let mut batch = || committed - random.random_range(0..=committed.min(4))..random.random_range(committed + 1..=records.len());
        let batches = [batch(), batch()];
        let armed = random.random_bool(0.5).then(|| {
            let key_prefix = ["state/", "quotes/", "quarantine/"][random.random_range(0..3)].to_owned();
            let trigger =
                Trigger { operation: Operation::Put, bucket: "lake".to_owned(), key_prefix, after: random.random_range(0..3), times: 1 };
            stack.faults.arm(trigger, Fault::After(Failure::Cut))
        });
        let [one, other] = [0, 1].map(|n| environments[n].invoke(event(&records[batches[n].clone()])));
        let (one, other) = tokio::join!(one, other);
        drop(armed);
        for (invocation, batch) in [one, other].into_iter().zip(&batches) {
            if invocation.unwrap().outcome.is_success() {
                committed = committed.max(batch.end);
            }
        }
    }
    for environment in &environments {
        deliver(environment, &event(&records[committed.min(records.len() - 1)..])).await.unwrap();
    }
    let lake = stack.lake("lake");
    assert_eq!(lake.tally(&records), Tally::default());
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warm_environment_whose_watermark_is_out_of_date() {
    let stack = Stack::start(&["lake"]).await;
    let [one, other] = ["one", "other"].map(|name| stack.function(name, "lake", Duration::from_secs(30)));
    let records: Vec<_> = (0..12)
        .map(|offset| if offset % 5 == 4 { Record::poison(0, offset) } else { Record::quote(0, offset, offset as usize / 6) })
        .collect();

    deliver(&one, &event(&records[..3])).await.unwrap();
    deliver(&other, &event(&records[3..8])).await.unwrap();
    // What it remembers is below what the other one stored: in the middle of the batch, then above all of it.
    let later = deliver(&one, &event(&records[3..10])).await.unwrap();
    assert_eq!(later.start, Start::Warm);
    let earlier = deliver(&other, &event(&records[..8])).await.unwrap();
    assert_eq!(earlier.start, Start::Warm);
    deliver(&other, &event(&records[8..])).await.unwrap();
    let all = deliver(&one, &event(&records)).await.unwrap();
    assert_eq!(all.start, Start::Warm);

    let lake = stack.lake("lake");
    assert_eq!(lake.tally(&records), Tally::default());
    stack.stop().await;
}
