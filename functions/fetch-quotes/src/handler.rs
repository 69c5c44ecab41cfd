//! One invocation: fetch, produce, say what happened, and again while there is more and time.

use std::time::{Duration, SystemTime};

use chrono::Utc;
use lambda_runtime::LambdaEvent;
use serde_json::{Map, Value};

use crate::error::{InvocationError, chain};
use crate::logins::Logins;
use crate::metrics;
use crate::producer::{Cluster, Outcome, ProduceError, Producer, TIME_NEEDED};
use crate::source::{Batch, Fetched, Invocation, Next, Source};
use crate::sources::provider::fault::Reason;
use crate::summary::{Failure, Subject, Summary};
use crate::symbols::SymbolList;

/// The time that an invocation takes itself where nobody limits it.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(60);

/// What an invocation is given: any JSON object. The schedule says its `time`, a person `{}`.
pub(crate) type Event = Map<String, Value>;

/// Moves quotes from a source to the topic.
pub(crate) struct Handler {
    source: Box<dyn Source>,
    producer: Producer,
    poll_every: Option<Duration>,
    /// Gives the producer another user where the one it has is refused.
    logins: Option<Logins>,
    /// Gives the source other symbols where the list was changed.
    symbols: Option<SymbolList>,
    /// The name under which its metrics are written; `None`: they are not.
    function: Option<String>,
}

impl Handler {
    /// A handler that asks `source` once an invocation, or repeatedly with `poll_every` between the
    /// starts of two polls, until the invocation's time is up.
    pub(crate) fn new(source: Box<dyn Source>, producer: Producer, poll_every: Option<Duration>) -> Self {
        Self { source, producer, poll_every, logins: None, symbols: None, function: None }
    }

    /// The same, with a user from a secret, with symbols from a list, and with metrics under the function's name.
    pub(crate) fn with(mut self, logins: Option<Logins>, symbols: Option<SymbolList>, function: String) -> Self {
        (self.logins, self.symbols, self.function) = (logins, symbols, Some(function));
        self
    }

    /// Answers one event. The deadline is the one that Lambda states.
    pub(crate) async fn invoke(&mut self, event: LambdaEvent<Event>) -> Result<Summary, InvocationError> {
        // Lambda's deadline is never over when an invocation begins; `cargo lambda watch` states none that is not.
        let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or(WITHOUT_DEADLINE);
        let scheduled = event.payload.get("scheduled_time").or(event.payload.get("time")).and_then(Value::as_str);
        tracing::debug!(scheduled, ?left, "The invocation begins.");
        self.run(&Invocation::new(left)).await
    }

    /// Moves what there is within the invocation's time. Partial success is success with a report;
    /// the metrics tell of total failure too.
    pub(crate) async fn run(&mut self, invocation: &Invocation) -> Result<Summary, InvocationError> {
        let mut summary = Summary::new(self.source.name());
        let moved = self.move_all(&mut summary, invocation).await;
        if let Some(function) = &self.function {
            metrics::write(function, &summary, Utc::now().timestamp_millis());
        }
        moved.map(|()| summary)
    }

    async fn move_all(&mut self, summary: &mut Summary, invocation: &Invocation) -> Result<(), InvocationError> {
        if let Some(list) = &mut self.symbols
            && let Some(symbols) = list.others().await
        {
            self.source.set_symbols(symbols);
        }
        let mut cluster = None;
        loop {
            let (next, failed) = match self.source.fetch(invocation).await {
                Ok(batch) => self.produce(batch, &mut cluster, summary, invocation).await,
                Err(source) => {
                    source.failures().iter().cloned().for_each(|failure| summary.fail(failure));
                    (Next::Later, Some(InvocationError::Fetch { name: self.source.name(), source }))
                }
            };
            if let (Some(InvocationError::Produce(_)), Some(logins)) = (&failed, &mut self.logins)
                && let Some(producer) = logins.another_producer().await
            {
                // For the polls and invocations that follow: this batch's time is over.
                self.producer = producer;
                cluster = None;
            }
            match failed {
                Some(error) if summary.produced == 0 => return Err(error),
                Some(error) => {
                    tracing::error!(error = chain(&error), "The invocation ends early; what was produced is kept.");
                    break;
                }
                None => {}
            }
            if !self.goes_on(next, invocation).await {
                summary.exhausted = next == Next::Never;
                summary.closed = next == Next::Closed;
                break;
            }
        }
        tracing::info!(
            source = summary.source,
            fetched = summary.fetched,
            produced = summary.produced,
            failed = summary.failed,
            unchanged = summary.unchanged,
            deferred = summary.deferred,
            closed = summary.closed,
            exhausted = summary.exhausted,
            "The invocation is done."
        );
        Ok(())
    }

    /// Produces one batch, accounts for it, and says when the source is worth asking again.
    async fn produce(
        &mut self,
        batch: Batch,
        cluster: &mut Option<Cluster>,
        summary: &mut Summary,
        invocation: &Invocation,
    ) -> (Next, Option<InvocationError>) {
        let Batch { rows, failures, unchanged, deferred, next } = batch;
        summary.fetched += rows.len() + unchanged;
        summary.unchanged += unchanged;
        summary.deferred += deferred;
        for failure in failures {
            tracing::warn!(subject = ?failure.subject, reason = failure.reason, "Something could not be fetched.");
            summary.fail(failure);
        }
        if rows.is_empty() {
            return (next, None);
        }
        let delivered = match self.deliver(&rows, cluster, invocation).await {
            Ok(delivered) => delivered,
            Err(error) => {
                let reason = chain(&error);
                rows.iter().for_each(|row| summary.fail(failure(row, &reason)));
                return (Next::Later, Some(InvocationError::Produce(error)));
            }
        };
        for (row, outcome) in rows.iter().zip(&delivered.outcomes) {
            match outcome {
                Outcome::Stored { .. } => summary.produced += 1,
                Outcome::Failed(error) => {
                    tracing::warn!(symbol = %row.quote.symbol, %error, "Kafka did not acknowledge a quote.");
                    summary.fail(failure(row, &error.to_string()));
                }
            }
        }
        self.source.acknowledge(&rows, &delivered, invocation).await;
        // A source that has given everything has not, while a row of it may be tried again.
        (if delivered.is_settled() { next } else { Next::Later }, None)
    }

    async fn deliver(
        &mut self,
        rows: &[Fetched],
        cluster: &mut Option<Cluster>,
        invocation: &Invocation,
    ) -> Result<crate::producer::Delivered, ProduceError> {
        let cluster = match cluster {
            Some(cluster) => cluster,
            None => cluster.insert(self.producer.refresh(invocation).await?),
        };
        self.producer.produce(rows, cluster, invocation).await
    }

    /// Whether to ask the source again in this invocation; waits until that is due.
    async fn goes_on(&self, next: Next, invocation: &Invocation) -> bool {
        match (next, self.poll_every) {
            (Next::Never | Next::Closed, _) | (Next::Later, None) => false,
            (Next::Now, _) => invocation.left() > TIME_NEEDED,
            (Next::Later, Some(every)) => {
                let wait = until_next(invocation.elapsed(), every);
                let in_time = invocation.left() > wait + TIME_NEEDED;
                if in_time {
                    tokio::time::sleep(wait).await;
                }
                in_time
            }
        }
    }
}

/// The time to the next multiple of `every`, so that slow polls don't shift those after them.
fn until_next(elapsed: Duration, every: Duration) -> Duration {
    let into = elapsed.as_nanos() % every.as_nanos().max(1);
    every.saturating_sub(Duration::from_nanos(u64::try_from(into).unwrap_or(u64::MAX)))
}

fn failure(row: &Fetched, reason: &str) -> Failure {
    let subject = match &row.mark {
        Some(mark) => Subject::Line(mark.line),
        None => Subject::Symbol(row.quote.symbol.clone().into_owned()),
    };
    Failure { subject, kind: Reason::NotProduced, reason: reason.to_owned() }
}

#[cfg(test)]
pub(crate) mod tests {
    //! Against librdkafka's own broker in this process.
    #![allow(clippy::unwrap_used)]

    use std::io::Write;
    use std::path::Path;

    use rdkafka::Message;
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::error::KafkaError;
    use rdkafka::message::Headers;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::DefaultProducerContext;
    use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

    use super::*;
    use crate::config::{KafkaConfig, Security, Speed};
    use crate::kafka::client_config;
    use crate::partition;
    use crate::sources::replay::Replay;
    use crate::sources::simulated::Simulated;

    const PARTITIONS: i32 = 3;

    /// A cluster with the topic `quotes`, and how to reach it.
    pub(crate) fn cluster() -> (MockCluster<'static, DefaultProducerContext>, KafkaConfig) {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("quotes", PARTITIONS, 1).unwrap();
        let kafka =
            KafkaConfig { bootstrap_servers: cluster.bootstrap_servers(), topic: "quotes".to_owned(), security: Security::Plaintext };
        (cluster, kafka)
    }

    fn invocation() -> Invocation {
        Invocation::new(Duration::from_secs(60))
    }

    /// What a process does after its start.
    fn replay(file: &Path, kafka: &KafkaConfig) -> Handler {
        let source = Replay::new(file, Speed::Max, kafka).unwrap();
        Handler::new(Box::new(source), Producer::new(kafka.clone()).unwrap(), None)
    }

    /// A file of `rows` good rows and, on the lines given, bad ones.
    fn file(rows: u64, bad: &[u64]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "symbol,event_time,price").unwrap();
        for line in 2..2 + rows {
            let symbol = ["AIG", "BAC", "IBM", "SPY", "BRK.B"][line as usize % 5];
            let price = if bad.contains(&line) { "free".to_owned() } else { format!("{line}.25") };
            writeln!(file, "{symbol},2013-10-07T08:00:00.{:03}Z,{price}", line % 1_000).unwrap();
        }
        file
    }

    /// A record as it stands in the log.
    struct Stored {
        partition: i32,
        key: String,
        value: Vec<u8>,
        line: Option<u64>,
        cluster: Option<String>,
    }

    /// The whole log, each partition in its order.
    fn log(kafka: &KafkaConfig) -> Vec<Stored> {
        let consumer: BaseConsumer = client_config(kafka).set("group.id", "reader").set("enable.partition.eof", "true").create().unwrap();
        let mut all = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            all.add_partition_offset("quotes", partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&all).unwrap();
        let (mut stored, mut ended) = (Vec::new(), 0);
        while ended < PARTITIONS {
            match consumer.poll(Duration::from_secs(10)) {
                Some(Ok(message)) => {
                    let header = |key: &str| {
                        let headers = message.headers()?;
                        let header = headers.iter().find(|header| header.key == key)?;
                        String::from_utf8(header.value?.to_vec()).ok()
                    };
                    stored.push(Stored {
                        partition: message.partition(),
                        key: String::from_utf8(message.key().unwrap().to_vec()).unwrap(),
                        value: message.payload().unwrap().to_vec(),
                        line: header("replay").and_then(|mark| mark.split_once(':')?.1.parse().ok()),
                        cluster: header("kafka_cluster"),
                    });
                }
                Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
                other => unreachable!("the log cannot be read: {other:?}"),
            }
        }
        stored
    }

    /// Each of the file's good lines is in the log once.
    fn assert_lines(kafka: &KafkaConfig, expected: impl Iterator<Item = u64>) {
        let mut lines: Vec<_> = log(kafka).iter().filter_map(|stored| stored.line).collect();
        lines.sort_unstable();
        assert_eq!(lines, expected.collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn simulated_quotes_reach_their_partitions_with_the_clusters_id() {
        let (_cluster, kafka) = cluster();
        let symbols = ["AAPL", "BRK.B", "MSFT", "NVDA", "SPY"].map(str::to_owned);
        let mut handler = Handler::new(Box::new(Simulated::new(&symbols, 1)), Producer::new(kafka.clone()).unwrap(), None);
        for _ in 0..2 {
            let summary = handler.run(&invocation()).await.unwrap();
            assert_eq!((summary.fetched, summary.produced, summary.failed, summary.exhausted), (5, 5, 0, false));
        }
        let log = log(&kafka);
        assert_eq!(log.len(), 10);
        for stored in &log {
            let quote = quotes::json::from_record(Some(&stored.value), -1).unwrap();
            assert_eq!(quote.symbol, stored.key);
            assert_eq!(stored.partition, partition::of(stored.key.as_bytes(), PARTITIONS));
            assert!(stored.cluster.as_ref().unwrap().starts_with("mockCluster"), "{:?}", stored.cluster);
        }
    }

    #[tokio::test]
    async fn polls_repeat_until_the_next_would_not_end_in_time() {
        let (_cluster, kafka) = cluster();
        let every = Some(Duration::from_millis(100));
        let source = Box::new(Simulated::new(&["AAPL".to_owned()], 1));
        let mut handler = Handler::new(source, Producer::new(kafka.clone()).unwrap(), every);
        let summary = handler.run(&Invocation::new(TIME_NEEDED + Duration::from_secs(1))).await.unwrap();
        assert!((2..=10).contains(&summary.produced), "{summary:?}");
        assert_eq!(log(&kafka).len(), summary.produced);
    }

    #[tokio::test]
    async fn a_file_is_stored_once_however_often_it_is_replayed() {
        let (_cluster, kafka) = cluster();
        let file = file(4_500, &[7, 4_501]);
        let summary = replay(file.path(), &kafka).run(&invocation()).await.unwrap();
        assert_eq!((summary.fetched, summary.produced, summary.failed, summary.exhausted), (4_498, 4_498, 2, true));
        assert_eq!(summary.failures[0].subject, Subject::Line(7));

        let again = replay(file.path(), &kafka).run(&invocation()).await.unwrap();
        assert_eq!((again.fetched, again.produced, again.exhausted), (0, 0, true));
        assert_lines(&kafka, (2..4_502).filter(|line| ![7, 4_501].contains(line)));
    }

    #[tokio::test]
    async fn a_symbols_quotes_keep_the_files_order() {
        let (_cluster, kafka) = cluster();
        let file = file(2_300, &[]);
        replay(file.path(), &kafka).run(&invocation()).await.unwrap();
        let log = log(&kafka);
        for partition in 0..PARTITIONS {
            let lines: Vec<_> = log.iter().filter(|stored| stored.partition == partition).map(|stored| stored.line).collect();
            assert!(lines.is_sorted());
        }
    }

    #[tokio::test]
    async fn a_crash_after_producing_and_before_the_commit_doubles_nothing() {
        let (_cluster, kafka) = cluster();
        let file = file(4_500, &[]);
        // Another producer's records before and between the replay's own.
        let simulate = async || {
            let source = Box::new(Simulated::new(&["AAPL".to_owned(), "MSFT".to_owned()], 1));
            Handler::new(source, Producer::new(kafka.clone()).unwrap(), None).run(&invocation()).await.unwrap();
        };
        simulate().await;
        // One batch whole, with its commit; the next without; each by a process of its own.
        for crashes in [false, true, true] {
            let mut source = Replay::new(file.path(), Speed::Max, &kafka).unwrap();
            let mut producer = Producer::new(kafka.clone()).unwrap();
            let invocation = invocation();
            let rows = source.fetch(&invocation).await.unwrap().rows;
            let mut cluster = producer.refresh(&invocation).await.unwrap();
            let delivered = producer.produce(&rows, &mut cluster, &invocation).await.unwrap();
            if !crashes {
                source.acknowledge(&rows, &delivered, &invocation).await;
            }
            simulate().await;
        }
        let summary = replay(file.path(), &kafka).run(&invocation()).await.unwrap();
        assert_eq!((summary.fetched, summary.exhausted), (0, true));
        assert_lines(&kafka, 2..4_502);
    }

    #[tokio::test]
    async fn a_crash_that_left_gaps_is_filled_and_stays_filled() {
        let (_cluster, kafka) = cluster();
        let file = file(900, &[]);
        // Of the first batch only every third record was stored when the process died.
        let mut source = Replay::new(file.path(), Speed::Max, &kafka).unwrap();
        let mut producer = Producer::new(kafka.clone()).unwrap();
        let mut rows = source.fetch(&invocation()).await.unwrap().rows;
        rows.retain(|row| row.mark.as_ref().unwrap().line % 3 == 0);
        let mut cluster = producer.refresh(&invocation()).await.unwrap();
        producer.produce(&rows, &mut cluster, &invocation()).await.unwrap();

        for expected in [600, 0] {
            let summary = replay(file.path(), &kafka).run(&invocation()).await.unwrap();
            assert_eq!((summary.produced, summary.exhausted), (expected, true));
        }
        assert_lines(&kafka, 2..902);
    }

    #[tokio::test]
    async fn producing_that_failed_as_a_whole_is_done_again_by_the_same_process() {
        let (_cluster, kafka) = cluster();
        let file = file(50, &[3]);
        let mut handler = replay(file.path(), &kafka);
        // The first batch is handed out and never heard of again.
        let lost = handler.source.fetch(&invocation()).await.unwrap();
        assert_eq!((lost.rows.len(), lost.failures.len()), (49, 1));
        let summary = handler.run(&invocation()).await.unwrap();
        assert_eq!((summary.produced, summary.failed, summary.exhausted), (49, 0, true));
        assert_lines(&kafka, (2..52).filter(|line| *line != 3));
    }

    #[tokio::test]
    async fn what_is_wrong_with_kafka_is_the_invocations_error() {
        let (_cluster, kafka) = cluster();
        let handler = |kafka: &KafkaConfig| {
            let source = Box::new(Simulated::new(&["AAPL".to_owned()], 1));
            Handler::new(source, Producer::new(kafka.clone()).unwrap(), None)
        };
        let short = handler(&kafka).run(&Invocation::new(Duration::from_secs(3))).await.unwrap_err();
        assert!(chain(&short).contains("raise the function's timeout"), "{}", chain(&short));
        assert!(!short.is_retryable());

        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let nobody = KafkaConfig { bootstrap_servers: format!("127.0.0.1:{port}"), ..kafka };
        let error = handler(&nobody).run(&invocation()).await.unwrap_err();
        let expected =
            format!("nothing was produced: no access to Kafka at 127.0.0.1:{port}: the broker 127.0.0.1:{port} cannot be reached: ");
        assert!(chain(&error).starts_with(&expected), "{}", chain(&error));
        assert!(error.is_retryable());
    }

    #[test]
    fn any_json_object_is_an_event() {
        let schedule = include_str!("../../../events/fetch-quotes-schedule.json");
        for text in ["{}", r#"{"scheduled_time":"2026-11-23T14:31:00Z"}"#, schedule] {
            assert!(serde_json::from_str::<Event>(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn polls_keep_their_grid() {
        let seconds = Duration::from_secs;
        assert_eq!(until_next(Duration::ZERO, seconds(5)), seconds(5));
        assert_eq!(until_next(seconds(3), seconds(5)), seconds(2));
        assert_eq!(until_next(seconds(12), seconds(5)), seconds(3));
    }
}
