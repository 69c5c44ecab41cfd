//! Reads an `AWS::Lambda::EventSourceMapping` that stands beside its function. It means what the function's own event
//! would: SAM makes such a mapping of each. A template writes it out where conditions switch parts that SAM does not switch.

use super::deployment::Function;
use super::error::Error;
use super::function;
use super::node::Node;
use super::read::Properties;
use serde_json::{Map, Value as Json};

/// The properties that have the same name in a function's event.
const SAME: [&str; 6] = ["BatchSize", "Enabled", "FunctionResponseTypes", "MaximumBatchingWindowInSeconds", "StartingPosition", "Topics"];

/// Adds the mapping to its function's triggers, under its logical id. One whose function is not built here is left out.
pub(super) fn attach(properties: &Properties<'_>, functions: &mut [Function]) -> Result<(), Error> {
    let named = properties.require("FunctionName")?.text()?;
    let Some(function) = functions.iter_mut().find(|function| named == function.name || named == function.arn) else {
        return Ok(());
    };
    let event = event(properties)?;
    let name = properties.logical_id;
    if event.get("Topics").is_some() {
        function.kafka.push(function::kafka(name, &event)?);
    } else {
        function.queues.push(function::queue(properties, name, &event)?);
    }
    Ok(())
}

/// The mapping's properties under the names that they have in a function's event.
fn event(properties: &Properties<'_>) -> Result<Node, Error> {
    let mut event = Map::new();
    let mut put = |name: &str, value: Option<Node>| event.extend(value.map(|value| (name.to_owned(), value.value)));
    for name in SAME {
        put(name, properties.get(name)?);
    }
    let servers = properties.get("SelfManagedEventSource")?.and_then(|source| source.get("Endpoints")?.get("KafkaBootstrapServers"));
    put("KafkaBootstrapServers", servers);
    for kafka in ["SelfManagedKafkaEventSourceConfig", "AmazonManagedKafkaEventSourceConfig"] {
        put("ConsumerGroupId", properties.get(kafka)?.and_then(|config| config.get("ConsumerGroupId")));
    }
    put("Queue", properties.get("EventSourceArn")?);
    Ok(Node::new(Json::Object(event), properties.place()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Deployment, Error, Settings, StartingPosition};
    use std::time::Duration;

    /// A function with one mapping beside it.
    fn template(mapping: &str) -> Result<Deployment, Error> {
        let text = format!(
            "Parameters:\n  Servers: {{Type: String, Default: 'a:1,b:2'}}\nConditions:\n  Never: !Equals [a, b]\nResources:\n  \
             F: {{Type: AWS::Serverless::Function, Properties: {{CodeUri: functions/f}}}}\n  Q: {{Type: AWS::SQS::Queue}}\n  \
             M:\n    Type: AWS::Lambda::EventSourceMapping\n    Properties: {mapping}\n"
        );
        Deployment::parse(&text, &Settings::default())
    }

    #[test]
    fn a_kafka_mapping_is_its_functions_trigger() {
        let deployment = template(
            "{FunctionName: !Ref F, Topics: [quotes], BatchSize: 10000, MaximumBatchingWindowInSeconds: 30, StartingPosition: LATEST, \
             SelfManagedEventSource: {Endpoints: {KafkaBootstrapServers: !If [Never, [x:1], !Split [',', !Ref Servers]]}}, \
             SelfManagedKafkaEventSourceConfig: {ConsumerGroupId: group}, \
             SourceAccessConfigurations: [!If [Never, {Type: X, URI: !Ref Nowhere}, !Ref AWS::NoValue]]}",
        );
        let deployment = deployment.unwrap();
        let function = deployment.function("F").unwrap();
        let [trigger] = function.kafka.as_slice() else { unreachable!("{function:?}") };
        assert_eq!((trigger.name.as_str(), trigger.topic.as_str()), ("M", "quotes"));
        assert_eq!(trigger.bootstrap_servers, ["a:1", "b:2"]);
        assert_eq!(trigger.consumer_group.as_deref(), Some("group"));
        assert_eq!((trigger.batch_size, trigger.batch_window), (10_000, Duration::from_secs(30)));
        assert_eq!(trigger.starting_position, StartingPosition::Latest);
        assert!(trigger.enabled && function.queues.is_empty());
    }

    #[test]
    fn a_queues_mapping_finds_its_function_by_arn_too() {
        let deployment = template(
            "{FunctionName: !GetAtt F.Arn, EventSourceArn: !GetAtt Q.Arn, Enabled: false, FunctionResponseTypes: [ReportBatchItemFailures]}",
        );
        let deployment = deployment.unwrap();
        let [trigger] = deployment.function("F").unwrap().queues.as_slice() else { unreachable!() };
        assert_eq!((trigger.queue.as_str(), trigger.batch_size), ("Q", 10));
        assert!(trigger.partial_batch_responses && !trigger.enabled);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_another_functions_mapping_is_left_out() {
        let error = template("{FunctionName: !Ref F, Topics: [a, b]}").unwrap_err();
        assert!(error.to_string().contains("M at Properties.Topics"), "{error}");
        let error = template("{Topics: [a]}").unwrap_err();
        assert!(matches!(error, Error::MissingProperty { .. }), "{error}");
        assert!(template("{FunctionName: elsewhere, Topics: [a, b]}").is_ok());
    }
}
