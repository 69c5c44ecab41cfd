//! The list of symbols that lies in S3: read when a process starts, and looked at again while it lives.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, S3Object, listed_in};
use crate::error::{StartError, chain};

/// A process that is kept warm lives for hours: a changed list is in use after this at the latest. An unchanged one costs a
/// request without a body, 8,640 in a month of 24-hour days.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5 * 60);

/// Where lists are kept.
#[async_trait]
pub(crate) trait Objects: Send + Sync {
    /// The object's text; `None` where its ETag still is `known`.
    async fn text(&self, object: &S3Object, known: Option<&str>) -> Result<Option<Text>, ObjectError>;
}

/// What an object holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    /// All of it.
    pub(crate) text: String,
    /// Its version, as S3 names it.
    pub(crate) etag: Option<String>,
}

/// Why the list of symbols cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ObjectError {
    /// S3 does not give it.
    #[error("the symbols at {object} cannot be read: {reason}")]
    Unread {
        /// Which object.
        object: S3Object,
        /// The service's words.
        reason: String,
    },
    /// It is no text.
    #[error("the symbols at {object} are no UTF-8 text")]
    NoText {
        /// Which object.
        object: S3Object,
    },
}

/// A list in use.
pub(crate) struct SymbolList {
    objects: Arc<dyn Objects>,
    object: S3Object,
    clock: Arc<dyn Clock>,
    /// Canonical tickers, each once.
    symbols: Vec<String>,
    /// Of the object that `symbols` come from.
    etag: Option<String>,
    looked_at: Duration,
}

impl SymbolList {
    /// Reads the list that is configured, if one is, and sets its symbols in `config`: a function cannot start without them.
    pub(crate) async fn of(config: &mut Config, objects: Arc<dyn Objects>) -> Result<Option<Self>, StartError> {
        let Some(object) = config.symbols_at.take() else { return Ok(None) };
        let list = Self::read(objects, object, Arc::new(SystemClock::new())).await?;
        config.set_symbols(&list.symbols);
        Ok(Some(list))
    }

    async fn read(objects: Arc<dyn Objects>, object: S3Object, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let looked_at = clock.elapsed();
        let mut list = Self { objects, object, clock, symbols: Vec::new(), etag: None, looked_at };
        list.look().await?;
        Ok(list)
    }

    /// The symbols, where it was time to look again and they are others. A list that cannot be read, or that has an entry
    /// which is no ticker, leaves the one before in use.
    pub(crate) async fn others(&mut self) -> Option<&[String]> {
        let now = self.clock.elapsed();
        if now < self.looked_at + LOOK_AGAIN_AFTER {
            return None;
        }
        self.looked_at = now;
        match self.look().await {
            Ok(true) => {
                tracing::info!(symbols = self.symbols.len(), object = %self.object, "The list of symbols was changed.");
                Some(&self.symbols)
            }
            Ok(false) => None,
            Err(error) => {
                tracing::warn!(error = chain(&error), "The list of symbols cannot be read again; the one before stays in use.");
                None
            }
        }
    }

    /// Takes over what the object holds, and says whether the symbols are others. The ETag is kept with the symbols only: a
    /// list with a mistake in it is complained about each time.
    async fn look(&mut self) -> Result<bool, StartError> {
        let Some(Text { text, etag }) = self.objects.text(&self.object, self.etag.as_deref()).await? else { return Ok(false) };
        let symbols = listed_in(&text)?;
        self.etag = etag;
        let are_others = self.symbols != symbols;
        self.symbols = symbols;
        Ok(are_others)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Mutex;

    use super::*;
    use crate::handler::Handler;
    use crate::producer::Producer;
    use crate::source::Invocation;
    use crate::sources::provider::stub::{TestClock, time};
    use crate::sources::simulated::Simulated;

    /// An object as S3 has it: its ETag tells versions apart.
    struct Bucket(Mutex<Option<&'static str>>);

    impl Bucket {
        fn put(&self, text: Option<&'static str>) {
            *self.0.lock().unwrap() = text;
        }
    }

    #[async_trait]
    impl Objects for Bucket {
        async fn text(&self, object: &S3Object, known: Option<&str>) -> Result<Option<Text>, ObjectError> {
            let gone = || ObjectError::Unread { object: object.clone(), reason: "NoSuchKey".to_owned() };
            let text = self.0.lock().unwrap().ok_or_else(gone)?;
            let etag = format!("\"{text}\"");
            Ok((known != Some(&etag)).then(|| Text { text: text.to_owned(), etag: Some(etag) }))
        }
    }

    async fn list(bucket: &Arc<Bucket>, clock: &Arc<TestClock>) -> Result<SymbolList, StartError> {
        let object = S3Object { bucket: "lists".to_owned(), key: "us.txt".to_owned() };
        SymbolList::read(bucket.clone(), object, clock.clone()).await
    }

    #[tokio::test]
    async fn a_changed_list_is_in_use_after_some_minutes_and_a_broken_one_never() {
        let (bucket, clock) = (Arc::new(Bucket(Mutex::new(Some("AAPL\nMSFT")))), TestClock::at("2026-11-23T15:00:00Z"));
        let mut list = list(&bucket, &clock).await.unwrap();
        assert_eq!(list.symbols, ["AAPL", "MSFT"]);

        bucket.put(Some("AAPL\nIBM # new"));
        clock.advance_to(time("2026-11-23T15:04:59Z"));
        assert_eq!(list.others().await, None, "too soon to look");
        clock.advance_to(time("2026-11-23T15:05:00Z"));
        assert_eq!(list.others().await, Some(&["AAPL".to_owned(), "IBM".to_owned()][..]));
        assert_eq!(list.others().await, None, "looked at a moment ago");

        for (at, text) in [
            ("2026-11-23T15:10:00Z", Some("AAPL\nIBM # new")),
            ("2026-11-23T15:15:00Z", Some("AAPL IBM")),
            ("2026-11-23T15:20:00Z", Some("AAPL, IBM, <Error>")),
            ("2026-11-23T15:25:00Z", Some("# nothing left")),
            ("2026-11-23T15:30:00Z", None),
        ] {
            bucket.put(text);
            clock.advance_to(time(at));
            assert_eq!(list.others().await, None, "{text:?}");
            assert_eq!(list.symbols, ["AAPL", "IBM"]);
        }
        bucket.put(Some("SPY"));
        clock.advance_to(time("2026-11-23T15:35:00Z"));
        assert_eq!(list.others().await, Some(&["SPY".to_owned()][..]), "it has recovered");
    }

    #[tokio::test]
    async fn an_invocation_fetches_the_symbols_that_the_list_has_by_then() {
        let (bucket, clock) = (Arc::new(Bucket(Mutex::new(Some("AAPL MSFT")))), TestClock::at("2026-11-23T15:00:00Z"));
        let list = list(&bucket, &clock).await.unwrap();
        let (_cluster, kafka) = crate::handler::tests::cluster();
        let source = Box::new(Simulated::new(&list.symbols, 1));
        let mut handler = Handler::new(source, Producer::new(kafka).unwrap(), None).with(None, Some(list), "fetch-quotes".to_owned());
        for (at, text, produced) in [
            ("2026-11-23T15:00:00Z", "AAPL MSFT", 2),
            ("2026-11-23T15:06:00Z", "AAPL IBM SPY", 3),
            ("2026-11-23T15:12:00Z", "<Error>", 3),
            ("2026-11-23T15:18:00Z", "IBM", 1),
        ] {
            bucket.put(Some(text));
            clock.advance_to(time(at));
            let summary = handler.run(&Invocation::new(Duration::from_secs(60))).await.unwrap();
            assert_eq!((summary.produced, summary.failed), (produced, 0), "{at}");
        }
    }

    #[tokio::test]
    async fn a_function_does_not_start_without_its_list() {
        let clock = TestClock::at("2026-11-23T15:00:00Z");
        let told = async |text| list(&Arc::new(Bucket(Mutex::new(text))), &clock).await.err().map(|error| chain(&error)).unwrap();
        assert_eq!(told(None).await, "the symbols at s3://lists/us.txt cannot be read: NoSuchKey");
        assert!(told(Some("AAPL <Error>")).await.starts_with("SYMBOLS_S3_URI is \"<ERROR>\": allowed is the URI of a list"));
    }
}
