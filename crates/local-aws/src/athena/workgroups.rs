//! Work groups: where results go.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Athena, AthenaError};
use crate::protocol::{ApiError, ApiResult, Input, now, page};
use crate::s3::S3Location;

/// The work group of a request that names none.
const PRIMARY: &str = "primary";

/// A work group of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkGroup {
    /// Its name.
    pub name: String,
    /// Where its results go, `s3://bucket/prefix/`, whatever a request says. Without one, each request says where.
    pub output_location: Option<String>,
}

/// The work groups and `primary`.
pub(super) fn by_name(work_groups: Vec<WorkGroup>) -> Result<BTreeMap<String, WorkGroup>, AthenaError> {
    let primary = WorkGroup { name: PRIMARY.to_owned(), output_location: None };
    let mut by_name = BTreeMap::from([(PRIMARY.to_owned(), primary)]);
    for work_group in work_groups {
        if let Some(location) = &work_group.output_location {
            location.parse::<S3Location>().map_err(|source| AthenaError::OutputLocation { work_group: work_group.name.clone(), source })?;
        }
        by_name.insert(work_group.name.clone(), work_group);
    }
    Ok(by_name)
}

impl Athena {
    pub(super) fn get_work_group(&self, input: &Input) -> ApiResult {
        let work_group = self.work_group(input.string("WorkGroup")?)?;
        Ok(json!({ "WorkGroup": {
            "Name": work_group.name,
            "State": "ENABLED",
            "CreationTime": now(),
            "Configuration": {
                "EnforceWorkGroupConfiguration": work_group.output_location.is_some(),
                "PublishCloudWatchMetricsEnabled": false,
                "RequesterPaysEnabled": false,
                "ResultConfiguration": { "OutputLocation": work_group.output_location },
                "EngineVersion": engine_version(),
            },
        } }))
    }

    pub(super) fn list_work_groups(&self, input: &Input) -> ApiResult {
        let work_groups: Vec<Value> = self
            .inner
            .work_groups
            .keys()
            .map(|name| json!({ "Name": name, "State": "ENABLED", "EngineVersion": engine_version() }))
            .collect();
        let (work_groups, token) = page(&work_groups, input, 50)?;
        Ok(json!({ "WorkGroups": work_groups, "NextToken": token }))
    }

    pub(super) fn work_group(&self, name: &str) -> Result<&WorkGroup, ApiError> {
        let found = self.inner.work_groups.get(name);
        found.ok_or_else(|| ApiError::new(super::INVALID_REQUEST, format!("WorkGroup {name} is not found.")))
    }

    /// The work group of a request and the folder for its result.
    pub(super) fn output(&self, input: &Input) -> Result<(String, S3Location), ApiError> {
        let work_group = self.work_group(input.optional_string("WorkGroup")?.unwrap_or(PRIMARY))?;
        let asked = match input.get("ResultConfiguration") {
            Some(_) => input.object("ResultConfiguration")?.optional_string("OutputLocation")?.map(str::to_owned),
            None => None,
        };
        let location = work_group.output_location.clone().or(asked).ok_or_else(|| {
            input.invalid(
                "No output location provided. An output location is required either through the Workgroup result \
                 configuration setting or as an API input."
                    .to_owned(),
            )
        })?;
        let location = location.parse().map_err(|error| input.invalid(format!("OutputLocation: {error}.")))?;
        Ok((work_group.name.clone(), location))
    }
}

/// The engine that the local one stands in for.
pub(super) fn engine_version() -> Value {
    json!({ "SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3" })
}
