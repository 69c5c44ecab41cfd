//! Work groups: where results go, and how much a query may read.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Athena, AthenaError};
use crate::protocol::{ApiError, ApiResult, Input, page};
use crate::s3::S3Location;

/// The work group of a request that names none.
const PRIMARY: &str = "primary";

/// A work group of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkGroup {
    /// Its name.
    pub name: String,
    /// Where its results go, `s3://bucket/prefix/`. Without one, each request says where.
    pub output_location: Option<String>,
    /// Whether its settings win over a request's.
    pub enforced: bool,
    /// A query that reads more than so many bytes is cancelled.
    pub bytes_scanned_cutoff: Option<u64>,
}

/// The work groups and `primary`.
pub(super) fn by_name(work_groups: Vec<WorkGroup>) -> Result<BTreeMap<String, WorkGroup>, AthenaError> {
    let primary = WorkGroup { name: PRIMARY.to_owned(), output_location: None, enforced: false, bytes_scanned_cutoff: None };
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
        let mut configuration = json!({
            "EnforceWorkGroupConfiguration": work_group.enforced,
            "PublishCloudWatchMetricsEnabled": false,
            "RequesterPaysEnabled": false,
            "ResultConfiguration": {},
            "EngineVersion": engine_version(),
        });
        if let Some(location) = &work_group.output_location {
            configuration["ResultConfiguration"] = json!({ "OutputLocation": location });
        }
        if let Some(cutoff) = work_group.bytes_scanned_cutoff {
            configuration["BytesScannedCutoffPerQuery"] = json!(cutoff);
        }
        Ok(json!({ "WorkGroup": {
            "Name": work_group.name,
            "State": "ENABLED",
            "CreationTime": self.inner.started,
            "Configuration": configuration,
        } }))
    }

    pub(super) fn list_work_groups(&self, input: &Input) -> ApiResult {
        let work_groups: Vec<Value> = self
            .inner
            .work_groups
            .keys()
            .map(|name| json!({ "Name": name, "State": "ENABLED", "EngineVersion": engine_version(), "CreationTime": self.inner.started }))
            .collect();
        let (work_groups, token) = page(&work_groups, input, 50)?;
        Ok(json!({ "WorkGroups": work_groups, "NextToken": token }))
    }

    pub(super) fn list_engine_versions(&self, _: &Input) -> ApiResult {
        Ok(json!({ "EngineVersions": [engine_version()] }))
    }

    pub(super) fn work_group(&self, name: &str) -> Result<&WorkGroup, ApiError> {
        let found = self.inner.work_groups.get(name);
        found.ok_or_else(|| ApiError::new(super::INVALID_REQUEST, format!("WorkGroup {name} is not found.")))
    }

    /// The work group of a request.
    pub(super) fn work_group_of(&self, input: &Input) -> Result<&WorkGroup, ApiError> {
        self.work_group(input.optional_string("WorkGroup")?.unwrap_or(PRIMARY))
    }

    /// The work group of a request and the folder for its result.
    pub(super) fn output(&self, input: &Input) -> Result<(&WorkGroup, S3Location), ApiError> {
        let work_group = self.work_group_of(input)?;
        let asked = match input.get("ResultConfiguration") {
            Some(_) => input.object("ResultConfiguration")?.optional_string("OutputLocation")?.map(str::to_owned),
            None => None,
        };
        let own = work_group.output_location.clone();
        let location = if work_group.enforced { own.or(asked) } else { asked.or(own) };
        let location = location.ok_or_else(|| {
            input.invalid(
                "No output location provided. An output location is required either through the Workgroup result \
                 configuration setting or as an API input."
                    .to_owned(),
            )
        })?;
        let location = location.parse().map_err(|error| input.invalid(format!("OutputLocation: {error}.")))?;
        Ok((work_group, location))
    }
}

/// The engine that the local one stands in for.
pub(super) fn engine_version() -> Value {
    json!({ "SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3" })
}
