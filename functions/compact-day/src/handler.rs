//! The story of one invocation.

use std::time::{Duration, SystemTime};

use chrono::{Days, NaiveDate, TimeDelta, Utc};
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
        let days = self.days(&event);
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

    /// The days to look at, oldest first.
    fn days(&self, event: &Event) -> Vec<NaiveDate> {
        if let Some(day) = event.day {
            return vec![day];
        }
        // What is removed later than after `days_back` must still be looked at then.
        let removal = self.config.remove_after.map_or(TimeDelta::zero(), |after| after + self.config.settle).num_days() + 2;
        let back = u64::from(self.config.days_back).max(self.config.remove_after.map_or(0, |_| u64::try_from(removal).unwrap_or(0)));
        let today = today();
        (1..=back).rev().filter_map(|days| today.checked_sub_days(Days::new(days))).collect()
    }
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
