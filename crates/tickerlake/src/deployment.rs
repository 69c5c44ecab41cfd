//! What the template declares, for this machine.

use std::path::Path;

use local_aws::athena::{AthenaSeed, NamedQuery, WorkGroup};
use local_aws::gateway::GatewayConfig;
use local_aws::glue::GlueSeed;
use local_aws::template::{self, Deployment, Settings};
use serde_json::{Value, json};

use crate::failure::Failure;

/// The template that ships with this build, for where there is none at hand.
const TEMPLATE: &str = include_str!("../../../template.yaml");

/// The template's parameter that names a cluster other than the stack's own: on this machine that is what there is.
const CLUSTER: &str = "ExistingBootstrapServers";

/// Reads a template, or the one in this folder, or the one that ships with this build.
pub(crate) fn read(template: Option<&Path>, bootstrap_servers: &str) -> Result<Deployment, Failure> {
    let mut settings = Settings::default();
    settings.parameters.insert(CLUSTER.to_owned(), bootstrap_servers.to_owned());
    let here = Path::new("template.yaml");
    match template.or_else(|| here.is_file().then_some(here)) {
        Some(path) => Deployment::load(path, &settings).map_err(|error| Failure::new(format_args!("cannot use {}", path.display()), error)),
        None => Deployment::parse(TEMPLATE, &settings).map_err(|error| Failure::new("cannot use the template of this build", error)),
    }
}

/// The gateway over a data folder, with what the template declares in it.
pub(crate) fn gateway_config(data: &Path, deployment: &Deployment) -> GatewayConfig {
    let mut config = GatewayConfig::new(data.to_owned());
    config.buckets = deployment.buckets.iter().map(|bucket| bucket.name.clone()).collect();
    config.glue = GlueSeed {
        databases: deployment.databases.iter().map(|database| json!({"DatabaseInput": database.input})).collect(),
        tables: deployment.tables.iter().map(|table| json!({"DatabaseName": table.database, "TableInput": table.input})).collect(),
        crawlers: deployment.crawlers.iter().map(crawler).collect(),
    };
    config.athena = AthenaSeed {
        work_groups: deployment
            .workgroups
            .iter()
            .map(|group| WorkGroup {
                name: group.name.clone(),
                output_location: group.output_location.clone(),
                enforced: group.enforced,
                bytes_scanned_cutoff: group.bytes_scanned_cutoff,
            })
            .collect(),
        named_queries: deployment
            .named_queries
            .iter()
            .map(|query| NamedQuery {
                name: query.name.clone(),
                description: query.description.clone(),
                database: query.database.clone(),
                query: query.query.clone(),
                work_group: query.workgroup.clone().unwrap_or_else(|| "primary".to_owned()),
            })
            .collect(),
    };
    config
}

fn crawler(crawler: &template::Crawler) -> Value {
    let mut definition = json!({
        "Name": crawler.name,
        "Role": crawler.role,
        "Targets": crawler.targets,
        "SchemaChangePolicy": crawler.schema_change_policy,
        "RecrawlPolicy": crawler.recrawl_policy,
        "DatabaseName": crawler.database,
        "Configuration": crawler.configuration,
        "TablePrefix": crawler.table_prefix,
    });
    if let Some(members) = definition.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    definition
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_template_of_this_build_can_be_used() {
        let deployment = read(Some(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml"))), "127.0.0.1:9492").unwrap();
        let binaries: Vec<_> = deployment.functions.iter().map(|function| function.binary.as_str()).collect();
        assert!(
            ["fetch-quotes", "write-quotes", "start-crawler", "check-freshness"].iter().all(|binary| binaries.contains(binary)),
            "{binaries:?}"
        );
    }
    #[test]
    fn one_broker_three_and_another_cluster_run_alike_here() {
        let template = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml"));
        let deployment = |parameter: &str, value: &str| {
            let mut settings = Settings::default();
            settings.parameters.insert(parameter.to_owned(), value.to_owned());
            let deployment = Deployment::load(template, &settings).unwrap();
            let triggers = deployment.functions.iter().flat_map(|function| &function.kafka);
            let triggers: Vec<_> =
                triggers.map(|trigger| (trigger.topic.clone(), trigger.consumer_group.clone(), trigger.batch_size)).collect();
            (deployment.functions.iter().map(|function| function.binary.clone()).collect::<Vec<_>>(), triggers)
        };
        let deployed = deployment("BrokerCount", "1");
        assert_eq!(deployed.1, [("quotes".to_owned(), Some("tickerlake-write-quotes".to_owned()), 10_000)]);
        assert_eq!(deployment("BrokerCount", "3"), deployed);
        assert_eq!(deployment(CLUSTER, "127.0.0.1:9492"), deployed);
    }
}
