//! What invokes the function.

use chrono::NaiveDate;
use serde::Deserialize;

/// The scheduler's event, of which nothing is read, or one by hand that names a day: `{"day": "2013-10-07"}`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Event {
    /// The one day to compact; the last few days where it is not given.
    #[serde(default)]
    pub(crate) day: Option<NaiveDate>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_schedule_names_no_day_and_a_person_one() {
        let scheduled: Event = serde_json::from_str(include_str!("../../../events/compact-day-schedule.json")).unwrap();
        assert_eq!(scheduled, Event::default());
        let by_hand: Event = serde_json::from_str(include_str!("../../../events/compact-day-by-hand.json")).unwrap();
        assert_eq!(by_hand, Event { day: NaiveDate::from_ymd_opt(2013, 10, 7) });
        assert!(serde_json::from_str::<Event>(r#"{"day": "yesterday"}"#).is_err());
    }
}
