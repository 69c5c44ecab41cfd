//! A client that is there to be refused.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;

use crate::reason::{self, Cause};

/// How long one request waits before the errors are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// The settings that a knock takes over.
const TAKEN_OVER: [&str; 9] = [
    "bootstrap.servers",
    "security.protocol",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
    "ssl.ca.pem",
    "ssl.ca.location",
    "ssl.endpoint.identification.algorithm",
];

/// Something that went wrong with a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) cause: Cause,
    /// `host:port`.
    pub(crate) broker: String,
    /// In librdkafka's words.
    pub(crate) reason: String,
}

/// The most telling event so far.
#[derive(Debug, Default)]
struct Listener(Mutex<Option<Event>>);

impl Listener {
    fn heard(&self) -> Option<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Listener {
    // All that is logged is an event too.
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, text: &str) {
        let Some((broker, reason)) = reason::parse(text) else { return };
        let Some(cause) = error.rdkafka_error_code().and_then(|code| Cause::of(code, &reason)) else { return };
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !heard.as_ref().is_some_and(|event| event.cause.is_telling()) {
            *heard = Some(Event { cause, broker, reason });
        }
    }
}

impl ConsumerContext for Listener {}

/// What goes wrong when a client is to reach the cluster; `None` if nothing does, or nothing shows in `time`.
pub(crate) fn knock(config: &ClientConfig, time: Duration) -> Option<Event> {
    let deadline = Instant::now() + time;
    let mut own = ClientConfig::new();
    for name in TAKEN_OVER {
        if let Some(value) = config.get(name) {
            own.set(name, value);
        }
    }
    own.set("client.id", "tickerlake-knock").set("reconnect.backoff.ms", "50").set("reconnect.backoff.max.ms", "200");
    // A consumer, because its events come when it is asked for them and not on a thread of its own.
    let client: BaseConsumer<Listener> = own.create_with_context(Listener::default()).ok()?;
    loop {
        if client.fetch_metadata(None, LOOK).is_ok() {
            return None;
        }
        // Nothing is assigned, so that no message is thrown away.
        while client.poll(Duration::ZERO).is_some() {}
        let heard = client.context().heard();
        if heard.as_ref().is_some_and(|event| event.cause.is_telling()) || Instant::now() >= deadline {
            return heard;
        }
    }
}
