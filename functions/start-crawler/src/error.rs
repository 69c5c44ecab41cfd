//! Why a message could not be worked off, and for how long it is worth a try.

use std::error::Error as StdError;
use std::fmt::Write as _;

use aws_sdk_glue::error::{ProvideErrorMetadata, SdkError};
use chrono::{DateTime, SecondsFormat, Utc};
use lake_store::StoreError;

/// How often a message is tried that only someone's hand can help: with the template's queue, for a quarter of an hour.
///
/// Long enough for what mends itself after all (a new role's rights take a while, a deployment replaces a table), short
/// enough that someone is told soon, and that crawls that fail one after the other stay cheap.
const FEW_TRIES: u32 = 5;

/// Why a message is not done yet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The body is nothing that S3 sends.
    #[error("the message is not an S3 notification")]
    NotANotification(#[source] serde_json::Error),
    /// Glue does not have the table, or its database.
    #[error("Glue has no table {database}.{table}")]
    NoTable {
        /// The configured database.
        database: String,
        /// The configured table.
        table: String,
        /// Glue's answer.
        #[source]
        source: BoxError,
    },
    /// Glue does not have the crawler.
    #[error("Glue has no crawler {crawler}")]
    NoCrawler {
        /// The configured crawler.
        crawler: String,
        /// Glue's answer.
        #[source]
        source: BoxError,
    },
    /// The partition is registered, or would have to be, for another place: Athena does not see the object.
    #[error("{partition} lies in {expected}, but Glue looks for it in {found}")]
    OtherLocation {
        /// The partition, `dt=YYYY-MM-DD`.
        partition: String,
        /// The object's folder.
        expected: String,
        /// The partition's Location, or what the table's makes of it.
        found: String,
    },
    /// A compacted generation without its manifest: nobody can tell whether the object's rows are in it already.
    #[error("s3://{bucket}/{folder} has no manifest that says what was compacted into it")]
    NoManifest {
        /// The bucket.
        bucket: String,
        /// The generation's folder.
        folder: String,
    },
    /// A compacted generation whose manifest makes no sense.
    #[error("the manifest of s3://{bucket}/{folder} cannot be read")]
    BadManifest {
        /// The bucket.
        bucket: String,
        /// The generation's folder.
        folder: String,
        /// Where it stops making sense.
        #[source]
        source: serde_json::Error,
    },
    /// Others changed the partition each time that it was looked at.
    #[error("{partition} does not stay where it is registered")]
    Unsettled {
        /// The partition, `dt=YYYY-MM-DD`.
        partition: String,
    },
    /// The crawl that the message waits for is under way.
    #[error("crawler {crawler} is at work since {}", time(began))]
    CrawlUnderway {
        /// The configured crawler.
        crawler: String,
        /// When the crawl began.
        began: DateTime<Utc>,
    },
    /// A crawl is under way that began before the object landed: it may have listed the folder by then.
    #[error("crawler {crawler} is at work since {}, before the object landed: the crawl is asked for again", time(began))]
    CrawlerBusy {
        /// The configured crawler.
        crawler: String,
        /// When the crawl that is running began.
        began: DateTime<Utc>,
    },
    /// The crawl that the message waited for has failed or was stopped.
    #[error("the crawl of {crawler} that began at {} did not succeed: {reason}", time(began))]
    CrawlFailed {
        /// The configured crawler.
        crawler: String,
        /// When the crawl began.
        began: DateTime<Utc>,
        /// Glue's own words.
        reason: String,
    },
    /// The invocation's time is over.
    #[error("the invocation's time was over before {subject} was done")]
    OutOfTime {
        /// The partition or crawler that had its turn.
        subject: String,
    },
    /// A service answered a call with an error, or not at all.
    #[error("{operation} of {subject} failed")]
    Call {
        /// The API's operation.
        operation: &'static str,
        /// The partition, table, crawler or queue that it was about.
        subject: String,
        /// Whether the service refused: it will again, until someone changes something.
        refused: bool,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// S3 answered a call with an error, or not at all.
    #[error(transparent)]
    Lake(#[from] StoreError),
}

type BoxError = Box<dyn StdError + Send + Sync>;

impl Error {
    /// What the SDK reported about `operation` on `subject`.
    pub(crate) fn call<E>(operation: &'static str, subject: impl Into<String>, error: SdkError<E>) -> Self
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        // Only what is known to be a refusal: throttled, overloaded or unknown, the next try may fare better.
        let refused = error.as_service_error().and_then(ProvideErrorMetadata::code).is_some_and(|code| {
            matches!(
                code,
                "AccessDeniedException"
                    | "AccessDenied"
                    | "InvalidInputException"
                    | "ValidationException"
                    | "GlueEncryptionException"
                    | "UnrecognizedClientException"
                    | "InvalidSignatureException"
                    | "AWS.SimpleQueueService.NonExistentQueue"
                    | "QueueDoesNotExist"
            )
        });
        Self::Call { operation, subject: subject.into(), refused, source: error.into() }
    }

    /// How often a message is received with this error before it is given up, where its queue would give it up by itself
    /// after `most` times.
    pub(crate) fn tries(&self, most: u32) -> u32 {
        let helped_by_hand = match self {
            Self::NotANotification(_) => return 1,
            Self::NoTable { .. }
            | Self::NoCrawler { .. }
            | Self::OtherLocation { .. }
            | Self::BadManifest { .. }
            | Self::CrawlFailed { .. } => true,
            Self::Call { refused, .. } => *refused,
            Self::Lake(error) => !error.retryable,
            Self::NoManifest { .. }
            | Self::Unsettled { .. }
            | Self::CrawlUnderway { .. }
            | Self::CrawlerBusy { .. }
            | Self::OutOfTime { .. } => false,
        };
        if helped_by_hand { most.min(FEW_TRIES) } else { most }
    }

    /// Whether the message only waits for a crawl, as a day's first ones do.
    pub(crate) fn is_expected(&self) -> bool {
        matches!(self, Self::CrawlUnderway { .. } | Self::CrawlerBusy { .. })
    }

    /// The error and all that caused it, in one line.
    pub(crate) fn chain(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            // Writing to a String cannot fail.
            let _ = write!(line, ": {error}");
            cause = error.source();
        }
        line
    }
}

fn time(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
