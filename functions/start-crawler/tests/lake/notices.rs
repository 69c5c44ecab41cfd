//! S3's notifications, delivered as early, as late and as often as a test says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use local_aws::s3::ObjectCreated;
use local_aws::sqs::Queue;
use local_aws::template::Notification;

/// How long S3 takes to tell of an object, unless a test says otherwise.
const USUAL: [i64; 1] = [1];

/// Notifications that are under way.
#[derive(Clone, Default)]
pub(crate) struct Notices(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    rules: Vec<Notification>,
    /// Seconds after which an object is told of, each time; for keys that differ from the usual.
    delays: HashMap<String, Vec<i64>>,
    under_way: Vec<(DateTime<Utc>, String)>,
}

impl Notices {
    /// By these rules of the bucket.
    pub(crate) fn new(rules: Vec<Notification>) -> Self {
        Self(Arc::new(Mutex::new(State { rules, ..State::default() })))
    }

    /// An object will be told of after each of these seconds.
    pub(crate) fn delay(&self, key: &str, seconds: &[i64]) {
        self.0.lock().unwrap().delays.insert(key.to_owned(), seconds.to_vec());
    }

    /// An object landed.
    pub(crate) fn landed(&self, object: &ObjectCreated, now: DateTime<Utc>) {
        let mut state = self.0.lock().unwrap();
        if !state.rules.iter().any(|rule| rule.matches(object.event_name, &object.key)) {
            return;
        }
        let mut event = object.event();
        event["Records"][0]["eventTime"] = now.to_rfc3339_opts(SecondsFormat::Millis, true).into();
        let delays = state.delays.get(&object.key).cloned().unwrap_or_else(|| USUAL.to_vec());
        state.under_way.extend(delays.into_iter().map(|seconds| (now + TimeDelta::seconds(seconds), event.to_string())));
    }

    /// Sends what is due by now, the newest first: queues do not keep an order.
    pub(crate) fn deliver(&self, queue: &Queue, now: DateTime<Utc>) {
        let mut state = self.0.lock().unwrap();
        let (due, later) = std::mem::take(&mut state.under_way).into_iter().partition(|(at, _)| *at <= now);
        state.under_way = later;
        let due: Vec<(DateTime<Utc>, String)> = due;
        for (_, body) in due.into_iter().rev() {
            queue.send(body).unwrap();
        }
    }
}
