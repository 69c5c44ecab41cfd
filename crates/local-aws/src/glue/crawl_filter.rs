//! The filters of ListCrawls.

use std::cmp::Ordering;

use serde_json::Value;

use super::INVALID_INPUT;
use super::catalog::Crawl;
use crate::protocol::{ApiError, Input};

/// One filter: a field of a crawl, an operator and a value.
pub(super) struct CrawlFilter {
    field: Field,
    operator: Operator,
    value: String,
}

#[derive(Clone, Copy)]
enum Field {
    CrawlId,
    State,
    StartTime,
    EndTime,
    DpuHour,
}

#[derive(Clone, Copy)]
enum Operator {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

impl CrawlFilter {
    /// Reads `Filters`. Times are milliseconds since 1970, as Glue takes them.
    pub(super) fn all(input: &Input) -> Result<Vec<Self>, ApiError> {
        input.array("Filters")?.iter().map(Self::read).collect()
    }

    fn read(filter: &Value) -> Result<Self, ApiError> {
        let filter = Input::from_value(filter, INVALID_INPUT)?;
        let field = match filter.string("FieldName")? {
            "CRAWL_ID" => Field::CrawlId,
            "STATE" => Field::State,
            "START_TIME" => Field::StartTime,
            "END_TIME" => Field::EndTime,
            "DPU_HOUR" => Field::DpuHour,
            other => return Err(filter.invalid(format!("{other} is no field of a crawl."))),
        };
        let operator = match filter.string("FilterOperator")? {
            "EQ" => Operator::Eq,
            "NE" => Operator::Ne,
            "GT" => Operator::Gt,
            "GE" => Operator::Ge,
            "LT" => Operator::Lt,
            "LE" => Operator::Le,
            other => return Err(filter.invalid(format!("{other} is no operator of a filter."))),
        };
        let value = filter.string("FieldValue")?.to_owned();
        if !matches!(field, Field::CrawlId | Field::State) && value.parse::<f64>().is_err() {
            return Err(filter.invalid(format!("{value:?} is not a number.")));
        }
        Ok(Self { field, operator, value })
    }

    /// Whether the crawl passes, as it is at `now`, in seconds since 1970.
    pub(super) fn passes(&self, crawl: &Crawl, now: f64) -> bool {
        let number = |value: f64| self.value.parse().ok().and_then(|wanted: f64| value.partial_cmp(&wanted));
        let order = match self.field {
            Field::CrawlId => Some(crawl.id.as_str().cmp(&self.value)),
            Field::State => {
                serde_json::to_value(crawl.state).ok().and_then(|state| state.as_str().map(|state| state.cmp(self.value.as_str())))
            }
            Field::StartTime => number(crawl.started * 1000.0),
            Field::EndTime => crawl.ended.and_then(|ended| number(ended * 1000.0)),
            Field::DpuHour => number(crawl.dpu_hours(now)),
        };
        order.is_some_and(|order| match self.operator {
            Operator::Eq => order == Ordering::Equal,
            Operator::Ne => order != Ordering::Equal,
            Operator::Gt => order == Ordering::Greater,
            Operator::Ge => order != Ordering::Less,
            Operator::Lt => order == Ordering::Less,
            Operator::Le => order != Ordering::Greater,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::glue::catalog::CrawlState;

    fn crawl() -> Crawl {
        Crawl { id: "a".into(), state: CrawlState::Failed, started: 100.0, ended: Some(160.0), error: None, created: Vec::new() }
    }

    fn passes(field: &str, operator: &str, value: &str) -> bool {
        let filter = json!({ "FieldName": field, "FilterOperator": operator, "FieldValue": value });
        CrawlFilter::read(&filter).unwrap().passes(&crawl(), 1000.0)
    }

    #[test]
    fn a_crawl_passes_by_its_fields() {
        for (field, operator, value) in [
            ("CRAWL_ID", "EQ", "a"),
            ("STATE", "EQ", "FAILED"),
            ("STATE", "NE", "COMPLETED"),
            ("START_TIME", "GE", "100000"),
            ("END_TIME", "LT", "160001"),
            ("DPU_HOUR", "GT", "0.01"),
        ] {
            assert!(passes(field, operator, value), "{field} {operator} {value}");
        }
        for (field, operator, value) in
            [("CRAWL_ID", "NE", "a"), ("STATE", "EQ", "RUNNING"), ("START_TIME", "GT", "100000"), ("END_TIME", "LE", "159999")]
        {
            assert!(!passes(field, operator, value), "{field} {operator} {value}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for (field, operator, value) in [("COLOUR", "EQ", "1"), ("STATE", "LIKE", "R%"), ("START_TIME", "GT", "yesterday")] {
            let filter = json!({ "FieldName": field, "FilterOperator": operator, "FieldValue": value });
            assert!(CrawlFilter::read(&filter).is_err(), "{field} {operator} {value}");
        }
    }
}
