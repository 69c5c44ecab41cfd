//! The repository's own template, read as the local stack reads it.

use local_aws::template::{Deployment, Settings};
use std::path::Path;

/// The template with a Kafka cluster of this machine in place of the stack's own.
fn deployment() -> Deployment {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml");
    let mut settings = Settings::default();
    settings.parameters.insert("ExistingBootstrapServers".to_owned(), "127.0.0.1:9092".to_owned());
    Deployment::load(&path, &settings).unwrap()
}

#[test]
fn every_function_has_a_package_and_is_invoked_by_something() {
    let deployment = deployment();
    assert!(!deployment.functions.is_empty());
    for function in &deployment.functions {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions").join(&function.binary);
        assert!(package.join("Cargo.toml").exists(), "{} has no package", function.binary);
    }
    let kafka: Vec<_> = deployment.functions.iter().flat_map(|function| &function.kafka).collect();
    assert_eq!(kafka.len(), 1);
    assert_eq!((kafka[0].topic.as_str(), kafka[0].bootstrap_servers.as_slice()), ("quotes", &["127.0.0.1:9092".to_owned()][..]));
    assert!(deployment.functions.iter().any(|function| !function.schedules.is_empty()));
}

#[test]
fn objects_of_quotes_are_told_to_a_queue_that_a_function_reads() {
    let deployment = deployment();
    let bucket = deployment.bucket("LakeBucket").unwrap();
    assert_eq!(bucket.name, "tickerlake-lake-000000000000-us-east-1");
    let told = |key: &str| bucket.notifications.iter().find(|rule| rule.matches("ObjectCreated:Put", key));
    let rule = told("quotes/dt=2013-10-07/c-x-quotes-00000-00000000000000000000.parquet").unwrap();
    assert!(told("state/c-x-quotes-00000.json").is_none());
    let triggers = deployment.functions.iter().flat_map(|function| &function.queues);
    assert!(triggers.clone().any(|trigger| trigger.queue == rule.queue && trigger.partial_batch_responses));
    let redrive = deployment.queue(&rule.queue).unwrap().redrive.as_ref().unwrap();
    assert!(deployment.queue(&redrive.dead_letter_queue).is_some());
}

#[test]
fn the_table_lies_in_the_lake_and_the_crawler_knows_it() {
    let deployment = deployment();
    let table = &deployment.tables[0];
    assert_eq!((table.database.as_str(), table.name.as_str()), ("tickerlake", "quotes"));
    let location = table.input["StorageDescriptor"]["Location"].as_str().unwrap();
    assert!(location.starts_with("s3://tickerlake-lake-000000000000-us-east-1/quotes"), "{location}");
    assert_eq!(table.input["PartitionKeys"][0]["Name"], "dt");
    assert!(deployment.crawlers[0].targets.to_string().contains("quotes"));
    assert!(deployment.workgroups[0].output_location.as_ref().unwrap().starts_with("s3://"));
}
