//! The default event bus.

use super::pattern::Pattern;
use crate::lambda::Invoke;
use bytes::Bytes;
use serde_json::Value;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A rule whose target is a function.
#[derive(Clone)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Which events it wants.
    pub pattern: Pattern,
    /// What the function is given instead of the event.
    pub input: Option<String>,
    /// The function.
    pub function: Arc<dyn Invoke>,
}

/// The bus. Clones are the same bus.
#[derive(Clone, Default)]
pub struct Bus(Arc<Inner>);

#[derive(Default)]
struct Inner {
    rules: RwLock<Vec<Rule>>,
    /// Invocations under way.
    at_work: watch::Sender<usize>,
    stop: CancellationToken,
}

impl Bus {
    /// Adds a rule, for the events that come from now on.
    pub fn add(&self, rule: Rule) {
        self.0.rules.write().unwrap_or_else(PoisonError::into_inner).push(rule);
    }

    /// Hands an event to every rule that wants it. Returns at once; must be called on a Tokio runtime.
    pub fn put(&self, event: &Value) {
        let rules = self.0.rules.read().unwrap_or_else(PoisonError::into_inner);
        for rule in rules.iter().filter(|rule| rule.pattern.matches(event)) {
            let payload = rule.input.clone().unwrap_or_else(|| event.to_string());
            self.0.at_work.send_modify(|count| *count += 1);
            tokio::spawn(self.clone().invoke(rule.clone(), payload.into()));
        }
    }

    /// Returns once no invocation is under way.
    pub async fn idle(&self) {
        // The sender lives as long as this.
        let _ = self.0.at_work.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Ends the invocations under way, and takes no more events.
    pub async fn stop(&self) {
        self.0.rules.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.0.stop.cancel();
        self.idle().await;
    }

    async fn invoke(self, rule: Rule, payload: Bytes) {
        let error = match self.0.stop.run_until_cancelled(rule.function.invoke(payload)).await {
            Some(Ok(invocation)) => invocation.outcome.error().map(|(error_type, message)| format!("{error_type}: {message}")),
            Some(Err(error)) => Some(error.to_string()),
            None => Some("the bus has stopped".to_owned()),
        };
        if let Some(error) = error {
            tracing::warn!(rule = rule.name, function = rule.function.name(), error = %error, "An invocation by a rule failed.");
        }
        self.0.at_work.send_modify(|count| *count = count.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Bus, Rule};
    use crate::eventbridge::Pattern;
    use crate::lambda::{Invocation, Invoke, InvokeError, Outcome, Start};
    use bytes::Bytes;
    use serde_json::{Value, json};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use tokio::sync::Semaphore;

    /// Keeps what it is given, and works until it is let go.
    struct Held {
        given: Mutex<Vec<String>>,
        go: Semaphore,
    }

    #[async_trait::async_trait]
    impl Invoke for Held {
        fn name(&self) -> &str {
            "held"
        }

        async fn invoke(&self, payload: Bytes) -> Result<Invocation, InvokeError> {
            self.given.lock().unwrap().push(String::from_utf8(payload.to_vec()).unwrap());
            self.go.acquire().await.unwrap().forget();
            Ok(Invocation {
                request_id: "id".into(),
                outcome: Outcome::FunctionError { error_type: "Retryable".into(), error_message: "a failure is not tried again".into() },
                duration: Duration::ZERO,
                init_duration: None,
                peak_memory: None,
                start: Start::Warm,
            })
        }
    }

    fn bus(permits: usize) -> (Bus, Arc<Held>) {
        let function = Arc::new(Held { given: Mutex::default(), go: Semaphore::new(permits) });
        let bus = Bus::default();
        for (name, pattern, input) in [("a", json!({"source": ["a"]}), None), ("b", json!({"source": ["b"]}), Some("constant".to_owned()))]
        {
            let pattern = Pattern::parse(&pattern).unwrap();
            bus.add(Rule { name: name.to_owned(), pattern, input, function: Arc::clone(&function) as _ });
        }
        (bus, function)
    }

    #[tokio::test]
    async fn an_event_goes_to_the_rules_that_want_it_once() {
        let (bus, function) = bus(3);
        for source in ["a", "c", "b"] {
            bus.put(&json!({"source": source, "detail": 1}));
        }
        bus.idle().await;
        let mut given = function.given.lock().unwrap().clone();
        given.sort();
        assert_eq!(given[0], "constant");
        assert_eq!(serde_json::from_str::<Value>(&given[1]).unwrap(), json!({"source": "a", "detail": 1}));
        assert_eq!(given.len(), 2, "a failed one is not tried again");
    }

    #[tokio::test]
    async fn a_bus_that_has_stopped_waits_for_nobody_and_takes_nothing() {
        let (bus, function) = bus(0);
        bus.put(&json!({"source": "a"}));
        while function.given.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        bus.stop().await;
        bus.put(&json!({"source": "a"}));
        bus.idle().await;
        assert_eq!(function.given.lock().unwrap().len(), 1);
    }
}
