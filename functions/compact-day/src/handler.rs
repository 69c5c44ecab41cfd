//! The story of one invocation.

use std::time::{Duration, SystemTime};

use chrono::{Days, NaiveDate, Utc};
use lake_store::Store;
use quotes::calendar::new_york_date;
use serde::Serialize;
use tokio::time::Instant;

use crate::catalog::Catalog;
use crate::config::Config;
use crate::day::{self, Outcome, State};
use crate::error::{Error, HandlerError};
use crate::event::Event;
use crate::lake::LakeDay;
use crate::retention;

/// Time to log and to answer in.
const RESERVE: Duration = Duration::from_secs(2);

/// The part of the memory that a day's files may have: they are held in it sorted, beside what is decoded of them. Measured: files
/// of 80 MB took 305 MB.
const SHARE: u64 = 5;

/// What is kept between invocations: clients and settings.
#[derive(Debug)]
pub(crate) struct Handler {
    store: Store,
    catalog: Catalog,
    config: Config,
}

/// The invocation's answer.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// What came of each day that has anything.
    days: Vec<Outcome>,
}

impl Handler {
    pub(crate) fn new(store: Store, catalog: Catalog, config: Config) -> Self {
        Self { store, catalog, config }
    }

    /// Compacts the day that the event names, or the last days. One that fails does not hold up the others, but fails the
    /// invocation in the end.
    pub(crate) async fn handle(&self, event: Event, deadline: SystemTime) -> Result<Summary, HandlerError> {
        let until = Instant::now() + deadline.duration_since(SystemTime::now()).unwrap_or_default().saturating_sub(RESERVE);
        let days = days(&self.config, &event, today());
        let mut summary = Summary { days: Vec::new() };
        let mut failure: Option<HandlerError> = None;
        for date in &days {
            let compacted = tokio::time::timeout_at(until, self.compact(*date)).await.unwrap_or(Err(Error::OutOfTime));
            match compacted {
                Ok(outcome) => summary.tell(outcome),
                Err(source) => {
                    tracing::error!(day = %date, error = %source.chain(), "A day could not be compacted.");
                    let first = failure.get_or_insert(HandlerError { date: *date, failed: 0, days: days.len(), source });
                    first.failed += 1;
                }
            }
        }
        failure.map_or(Ok(summary), Err)
    }

    async fn compact(&self, date: NaiveDate) -> Result<Outcome, Error> {
        if date >= today() {
            return Err(Error::NotClosed(date));
        }
        let day = LakeDay { store: &self.store, catalog: &self.catalog, date, limit: self.config.memory / SHARE };
        let mut outcome = day::compact(&day, self.config.settle).await?;
        if let Some(after) = self.config.remove_after {
            outcome.removed = retention::remove(&day, after).await?;
        }
        Ok(outcome)
    }
}

/// The days to look at, oldest first: the one that the event names, or the last ones before today. What is removed only after
/// longer than `days_back` must still be looked at then.
fn days(config: &Config, event: &Event, today: NaiveDate) -> Vec<NaiveDate> {
    if let Some(day) = event.day {
        return vec![day];
    }
    let removal = config.remove_after.map_or(0, |after| (after + config.settle).num_days() + 2);
    let back = u64::from(config.days_back).max(u64::try_from(removal).unwrap_or(0));
    (1..=back).rev().filter_map(|days| today.checked_sub_days(Days::new(days))).collect()
}

impl Summary {
    fn tell(&mut self, outcome: Outcome) {
        if outcome.state == State::NotRegistered {
            return;
        }
        tracing::info!(
            day = %outcome.day,
            state = ?outcome.state,
            files_before = outcome.files_before,
            bytes_before = outcome.bytes_before,
            files_after = outcome.files_after,
            bytes_after = outcome.bytes_after,
            rows = outcome.rows,
            removed = outcome.removed,
            "A day was looked at."
        );
        self.days.push(outcome);
    }
}

/// The date in New York.
fn today() -> NaiveDate {
    new_york_date(Utc::now().into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn the_last_days_are_looked_at_as_long_as_anything_is_to_be_done_with_them() {
        let date = |text: &str| text.parse::<NaiveDate>().unwrap();
        let (today, event) = (date("2026-11-24"), Event::default());
        let (settle, memory) = (TimeDelta::hours(1), 512 << 20);
        let [bucket, database, table] = ["lake", "tickerlake", "quotes"].map(str::to_owned);
        let mut config = Config { bucket, database, table, days_back: 3, settle, remove_after: None, memory };
        assert_eq!(days(&config, &event, today), ["2026-11-21", "2026-11-22", "2026-11-23"].map(date), "never the day that is not over");
        for (after, first) in [(1, "2026-11-21"), (7, "2026-11-15"), (30, "2026-10-23")] {
            config.remove_after = Some(TimeDelta::days(after));
            assert_eq!(days(&config, &event, today)[0], date(first), "{after}");
        }
        assert_eq!(days(&config, &Event { day: Some(date("2013-10-07")) }, today), [date("2013-10-07")]);
    }
}
