//! What could not be worked off, by queue.

use std::path::Path;

use aws_config::BehaviorVersion;
use aws_sdk_sqs::types::QueueAttributeName;
use local_aws::sqs;
use local_aws::template::{Deployment, Queue};
use serde::Serialize;

use crate::failure::Failure;
use crate::lake::aws;

/// A queue of dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct DeadLetters {
    /// The queue's logical id in the template.
    pub(super) queue: String,
    /// The messages in it; null where there is no such queue.
    pub(super) messages: Option<usize>,
}

/// The queues that no function reads.
fn unread(deployment: &Deployment) -> impl Iterator<Item = &Queue> {
    let is_read = |id: &str| deployment.functions.iter().flat_map(|function| &function.queues).any(|trigger| trigger.queue == id);
    deployment.queues.iter().filter(move |queue| !is_read(&queue.logical_id))
}

/// Counts by the queues' files in `folder`.
pub(super) fn in_folder(folder: &Path, deployment: &Deployment) -> Result<Vec<DeadLetters>, Failure> {
    let count = |queue: &Queue| {
        let messages = sqs::messages_in(folder, &queue.name);
        let messages = messages.map_err(|error| Failure::new(format_args!("the queue {} cannot be read", queue.name), error))?;
        Ok(DeadLetters { queue: queue.logical_id.clone(), messages: Some(messages) })
    };
    unread(deployment).map(count).collect()
}

/// Asks SQS for a deployed stack's queues, as far as this template knows them.
pub(super) async fn of_stack(stack: &str, deployment: &Deployment) -> Result<Vec<DeadLetters>, Failure> {
    let sqs = aws_sdk_sqs::Client::new(&aws_config::defaults(BehaviorVersion::latest()).load().await);
    let mut urls = Vec::new();
    let mut pages = sqs.list_queues().queue_name_prefix(format!("{stack}-")).into_paginator().send();
    while let Some(page) = pages.next().await {
        urls.extend(page.map_err(|error| aws("cannot list the stack's queues in SQS", &error))?.queue_urls.unwrap_or_default());
    }
    let mut found = Vec::new();
    for queue in unread(deployment).map(|queue| &queue.logical_id) {
        let messages = match urls.iter().find(|url| is_made_of(url, stack, queue)) {
            Some(url) => Some(messages(&sqs, url).await?),
            None => None,
        };
        found.push(DeadLetters { queue: queue.clone(), messages });
    }
    Ok(found)
}

async fn messages(sqs: &aws_sdk_sqs::Client, url: &str) -> Result<usize, Failure> {
    let wanted = QueueAttributeName::ApproximateNumberOfMessages;
    let asked = sqs.get_queue_attributes().queue_url(url).attribute_names(wanted.clone()).send().await;
    let attributes = asked.map_err(|error| aws(format_args!("cannot count the messages in {url}"), &error))?.attributes;
    let count = attributes.unwrap_or_default().remove(&wanted).and_then(|count| count.parse().ok());
    count.ok_or_else(|| Failure::plain(format_args!("SQS does not tell how many messages are in {url}")))
}

/// Whether CloudFormation made up this queue's name: the stack, the logical id and a random end.
fn is_made_of(url: &str, stack: &str, logical_id: &str) -> bool {
    let name = url.rsplit('/').next().unwrap_or_default();
    let rest = name.strip_prefix(stack).and_then(|rest| rest.strip_prefix('-')).and_then(|rest| rest.strip_prefix(logical_id));
    rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix('-').is_some_and(|end| !end.contains('-')))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use local_aws::sqs::{Queue, QueueConfig};

    use super::*;
    use crate::deployment;

    #[test]
    fn queues_that_nobody_reads_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml");
        let deployment = deployment::read(Some(Path::new(template)), "127.0.0.1:0").unwrap();
        let declared = deployment.queue("ObjectCreatedDeadLetterQueue").unwrap();
        let config = QueueConfig { name: declared.name.clone(), arn: declared.arn.clone(), visibility_timeout: Duration::from_secs(30) };
        let queue = Queue::open(folder.path(), config, None).unwrap();
        queue.send("one").unwrap();
        queue.send("two").unwrap();

        let found = in_folder(folder.path(), &deployment).unwrap();
        let of_queue = |id: &str| found.iter().find(|found| found.queue == id).and_then(|found| found.messages);
        assert_eq!(of_queue("ObjectCreatedDeadLetterQueue"), Some(2));
        assert_eq!(of_queue("CheckFreshnessDeadLetterQueue"), Some(0), "a queue that was never used has no file");
        assert!(found.iter().all(|found| found.queue != "ObjectCreatedQueue"), "it is worked off");
    }

    #[test]
    fn a_stacks_queues_are_told_by_their_names() {
        let is = |name: &str| is_made_of(&format!("https://sqs.us-east-1.amazonaws.com/123456789012/{name}"), "lake", "DeadLetters");
        assert!(is("lake-DeadLetters-1A2B3C4D5E6F") && is("lake-DeadLetters"));
        assert!(!is("lake-2-DeadLetters-1A2B3C4D5E6F") && !is("lake-DeadLettersToo-1A2B3C4D5E6F") && !is("lake-Queue-1A2B3C4D5E6F"));
    }
}
