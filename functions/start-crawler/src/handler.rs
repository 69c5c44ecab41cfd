//! The story of one invocation.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use chrono::{DateTime, Utc};
use tokio::time::{Instant, timeout_at};

use crate::Clock;
use crate::batch::{Batch, Message, NoMessageId, Object};
use crate::catalog::Catalog;
use crate::config::Config;
use crate::crawl::{Crawl, Crawls, Standing};
use crate::dead_letters::DeadLetters;
use crate::error::Error;
use crate::generation::Generations;
use crate::partition::{Partition, Place};

/// What is left of an invocation's time for the answer, and for sending what is given up to the dead letters.
const RESERVE: Duration = Duration::from_secs(4);

/// How often a partition may move while objects are added to it. Compaction moves a day once, and an invocation is short.
const MOVES: usize = 4;

/// The clients of the services that the function speaks to.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Glue.
    pub glue: aws_sdk_glue::Client,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
}

/// What the function keeps from one invocation to the next.
pub struct Handler {
    catalog: Catalog,
    generations: Generations,
    crawls: Crawls,
    dead_letters: DeadLetters,
    max_receive_count: u32,
}

/// A message that a crawl is owed for.
#[derive(Debug, Clone, Copy)]
struct Owed {
    message: usize,
    /// When the crawl must have begun, or later.
    since: DateTime<Utc>,
}

impl Handler {
    /// A handler that has seen nothing yet. `clock` tells how long ago a crawl began that is under way.
    pub fn new(clients: Clients, config: Config, clock: Clock) -> Self {
        Self {
            catalog: Catalog::new(clients.glue.clone(), config.database, config.table),
            generations: Generations::new(clients.s3),
            crawls: Crawls::new(clients.glue, config.crawler, clock),
            dead_letters: DeadLetters::new(clients.sqs, config.dead_letter_queue_url),
            max_receive_count: config.max_receive_count,
        }
    }

    /// Works off a batch within `time_left` and answers which messages must come back.
    ///
    /// A message is done when its objects are visible to Athena and, where a day was registered for them, a crawl that began
    /// after they landed has succeeded; or when it is among the dead letters with the reason.
    pub async fn handle(&self, event: SqsEvent, time_left: Duration) -> Result<SqsBatchResponse, NoMessageId> {
        let end = Instant::now() + time_left;
        let until = end.checked_sub(RESERVE).unwrap_or(end);
        let (mut batch, objects) = Batch::read(event)?;

        // Each partition is looked up once, however many of the messages tell of it.
        let mut owed = Vec::new();
        for (partition, objects) in objects {
            match in_time(until, &partition.to_string(), self.make_visible(&partition, &objects)).await {
                Ok(Some(since)) => owed.extend(objects.iter().filter(|o| o.landed_at <= since).map(|o| Owed { message: o.message, since })),
                Ok(None) => {}
                Err(error) => {
                    let error = Arc::new(error);
                    objects.iter().for_each(|object| batch.fail(object.message, &error));
                }
            }
        }
        if !owed.is_empty() {
            match in_time(until, self.crawls.crawler(), self.crawls.newest()).await {
                Ok(newest) => self.crawl(&mut batch, owed, newest, until).await,
                Err(error) => {
                    let error = Arc::new(error);
                    owed.iter().for_each(|owed| batch.fail(owed.message, &error));
                }
            }
        }

        let mut response = SqsBatchResponse::default();
        response.set_failures(self.settle(batch, end).await);
        Ok(response)
    }

    /// Lets Athena see the objects. Answers since when a crawl is owed for having registered their partition, now or earlier.
    async fn make_visible(&self, partition: &Partition, objects: &[Object]) -> Result<Option<DateTime<Utc>>, Error> {
        let newest = objects.iter().map(|object| object.landed_at).max().unwrap_or_default();
        let mut found = self.catalog.ensure(partition, newest).await?;
        for _ in 0..MOVES {
            let Place::Compacted(folder) = &found.place else { return Ok(found.registered_for) };
            let keys = objects.iter().map(|object| object.key.as_str());
            self.generations.add(partition.bucket(), folder, keys).await?;
            // Compaction may have moved the partition before it could see the copies.
            let now = self.catalog.ensure(partition, newest).await?;
            if now.place == found.place {
                return Ok(now.registered_for);
            }
            found = now;
        }
        Err(Error::Unsettled { partition: partition.to_string() })
    }

    /// Sees to it that a crawl serves those that one is owed for. Those that `newest` has not served fail: they come back.
    async fn crawl(&self, batch: &mut Batch, owed: Vec<Owed>, newest: Option<Crawl>, until: Instant) {
        let has_seen = |since| newest.as_ref().is_some_and(|newest| newest.has_seen(since));
        let waiting: Vec<Owed> = owed.into_iter().filter(|owed| !has_seen(owed.since)).collect();
        if waiting.is_empty() {
            return;
        }
        // One that failed is started again, but not for messages that are given up for it.
        let failures: Vec<_> = waiting.iter().map(|owed| self.failure(newest.as_ref(), owed)).collect();
        let given_up = waiting.iter().zip(&failures).all(|(owed, failure)| {
            failure.as_ref().is_some_and(|failure| batch.receives(owed.message) >= failure.tries(self.max_receive_count))
        });
        let began = match &newest {
            Some(Crawl { began, standing: Standing::Running }) => Ok(*began),
            Some(newest) if given_up => Ok(newest.began),
            _ => in_time(until, self.crawls.crawler(), self.crawls.start()).await.map_err(Arc::new),
        };
        for (owed, failure) in waiting.into_iter().zip(failures) {
            let crawler = self.crawls.crawler().to_owned();
            let error = match (failure, &began) {
                (Some(failure), _) => Arc::new(failure),
                (None, Err(error)) => Arc::clone(error),
                (None, Ok(began)) if *began < owed.since => Arc::new(Error::CrawlerBusy { crawler, began: *began }),
                (None, Ok(began)) => Arc::new(Error::CrawlUnderway { crawler, began: *began }),
            };
            batch.fail(owed.message, &error);
        }
    }

    /// The failure of the crawl that this message waited for, if that is how it ended.
    fn failure(&self, newest: Option<&Crawl>, owed: &Owed) -> Option<Error> {
        let crawl = newest.filter(|crawl| crawl.began >= owed.since)?;
        let Standing::Failed(reason) = &crawl.standing else { return None };
        Some(Error::CrawlFailed { crawler: self.crawls.crawler().to_owned(), began: crawl.began, reason: reason.clone() })
    }

    /// Gives up the messages that were tried often enough. Answers the ids of those that must come back.
    async fn settle(&self, batch: Batch, end: Instant) -> Vec<String> {
        let mut back = Vec::new();
        for message in batch.messages {
            let Some(error) = message.error.clone() else { continue };
            let given_up = message.receives >= error.tries(self.max_receive_count);
            if given_up && self.give_up(&message, &error, end).await {
                continue;
            }
            if error.is_expected() {
                tracing::info!(message_id = message.id, error = %error, "A message waits for a crawl.");
            } else {
                tracing::warn!(message_id = message.id, receives = message.receives, error = %error.chain(), "A message goes back to its queue.");
            }
            back.push(message.id);
        }
        back
    }

    /// Whether the message is among the dead letters now. If not, it goes back: its queue gives it up by itself in the end.
    async fn give_up(&self, message: &Message, error: &Error, end: Instant) -> bool {
        let reason = error.chain();
        match in_time(end, "the dead-letter queue", self.dead_letters.send(message, &reason)).await {
            Ok(()) => {
                tracing::error!(
                    message_id = message.id,
                    receives = message.receives,
                    error = reason,
                    "A message went to the dead letters."
                );
                true
            }
            Err(failed) => {
                tracing::error!(message_id = message.id, error = %failed.chain(), "A message could not be sent to the dead letters.");
                false
            }
        }
    }
}

/// Does a part of the work unless the invocation's time is over first.
async fn in_time<T>(until: Instant, subject: &str, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout_at(until, work).await.unwrap_or_else(|_| Err(Error::OutOfTime { subject: subject.to_owned() }))
}
