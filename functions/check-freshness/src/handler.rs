//! The story of one invocation.

use std::time::{Duration, SystemTime};

use aws_lambda_events::eventbridge::EventBridgeEvent;
use chrono::Utc;
use lambda_runtime::LambdaEvent;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::athena::Athena;
use crate::config::Config;
use crate::error::Error;
use crate::metrics;
use crate::quarantine::Quarantine;
use crate::question::{self, Window};
use crate::summary::Summary;
use crate::trigger::Trigger;
use crate::verdict::{self, Expected};

/// Kept back of the invocation's time: to stop a query, and to answer.
const TO_END_WELL: Duration = Duration::from_secs(10);

/// The time that an invocation takes itself where nobody limits it.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(60);

/// What the function keeps from one invocation to the next.
#[derive(Debug)]
pub(crate) struct Handler {
    /// Where the table is asked.
    pub(crate) athena: Athena,
    /// Where poison is counted.
    pub(crate) quarantine: Quarantine,
    /// The settings.
    pub(crate) config: Config,
}

impl Handler {
    /// Checks the table, within the time that Lambda states.
    pub(crate) async fn handle(&self, event: LambdaEvent<EventBridgeEvent<Value>>) -> Result<Summary, Error> {
        let trigger = Trigger::of(&event.payload, &event.context.request_id, Utc::now());
        // `cargo lambda watch` states a deadline that is over.
        let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or(WITHOUT_DEADLINE);
        self.check(&trigger, Instant::now() + left.saturating_sub(TO_END_WELL)).await
    }

    /// Checks the table, and is done by `deadline` but for a moment.
    pub(crate) async fn check(&self, trigger: &Trigger, deadline: Instant) -> Result<Summary, Error> {
        if let Some(crawl) = &trigger.crawl {
            // First of all: it counts even where Athena does not answer.
            metrics::write_crawl(&self.config.function, crawl, trigger.at);
            match &crawl.failure {
                Some(reason) => tracing::error!(crawler = crawl.crawler, reason, "A crawl failed."),
                None => tracing::info!(crawler = crawl.crawler, "A crawl has succeeded."),
            }
        }

        // By the trigger's time, not by now: what is delivered twice asks one question.
        let window = Window::at(trigger.at);
        let sql = question::sql(&self.config.table, window);
        let token = question::token(&sql, &trigger.occasion);
        let counting = timeout_at(deadline, self.quarantine.count(window.today));
        let (answer, counted) = tokio::join!(self.athena.ask(&sql, &token, deadline), counting);
        let answer = answer?;
        let quarantined = counted.unwrap_or_else(|_| Err(Error::OutOfTime { what: "counting the records in quarantine".to_owned() }))?;

        let seen = answer.rows.iter().map(|row| question::seen(row)).collect::<Result<Vec<_>, _>>();
        let seen = seen.map_err(|reason| Error::Unreadable { query: answer.query.clone(), reason })?;
        // The moment that the answer is about. An earlier delivery's query is as old as that delivery.
        let at = answer.asked_at.unwrap_or_else(Utc::now);
        let Config { wanted, hours, silent_after, .. } = &self.config;
        let verdict = verdict::judge(&seen, Expected { wanted, hours: *hours, silent_after: *silent_after }, at);

        let summary = Summary::new(window, verdict, quarantined, answer.bytes_scanned, at);
        metrics::write_check(&self.config.function, &summary, at);
        tell(&summary, &answer.query);
        Ok(summary)
    }
}

fn tell(summary: &Summary, query: &str) {
    let Summary { rows, symbols, quarantined, bytes_scanned, .. } = summary;
    match (summary.unjudged, summary.silent_symbols) {
        (Some(reason), _) => {
            tracing::info!(query, ?reason, rows, symbols, quarantined, bytes_scanned, "The table was asked; its freshness is not judged.");
        }
        (None, Some(silent)) if silent > 0 => tracing::warn!(
            query,
            freshness_seconds = summary.freshness_seconds,
            silent,
            symbols = summary.silent.join(","),
            rows,
            quarantined,
            bytes_scanned,
            "Symbols are silent."
        ),
        _ => {
            let freshness_seconds = summary.freshness_seconds;
            tracing::info!(query, freshness_seconds, rows, symbols, quarantined, bytes_scanned, "The table is fresh in every symbol.");
        }
    }
}

#[cfg(test)]
mod tests;
