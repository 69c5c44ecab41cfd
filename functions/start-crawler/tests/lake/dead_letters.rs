//! What is given up lies among the dead letters with its reason, seen through SQS itself.

use aws_sdk_sqs::types::Message;

use crate::objects::{key, rows};
use crate::world::World;

/// Takes them out of their queue.
async fn dead_letters(world: &World) -> Vec<Message> {
    let url = world.deployment.queues.iter().find(|queue| queue.name == world.dead_letters.name()).unwrap().url.clone();
    let sqs = &world.clients.sqs;
    let received = sqs.receive_message().queue_url(&url).max_number_of_messages(10).message_attribute_names("All").send().await.unwrap();
    for message in received.messages() {
        sqs.delete_message().queue_url(&url).receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
    }
    received.messages.unwrap_or_default()
}

fn reason(message: &Message) -> &str {
    message.message_attributes().unwrap()["reason"].string_value().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_dropped_table_a_deleted_crawler_and_nonsense_are_told_apart() {
    let world = World::begin("2026-11-02T09:00:00Z").await;
    let glue = &world.clients.glue;
    world.queue.send("nonsense").unwrap();
    world.pass(6).await;
    let given_up = dead_letters(&world).await;
    assert_eq!(given_up[0].body(), Some("nonsense"));
    assert!(reason(&given_up[0]).starts_with("the message is not an S3 notification: "), "{given_up:?}");

    // The day is visible all the same; only its crawl is given up.
    glue.delete_crawler().name(world.crawler()).send().await.unwrap();
    world.put(&key("2026-11-02", 0), rows(&[0])).await;
    world.pass(4 * 246 + 10).await;
    let given_up = dead_letters(&world).await;
    assert!(given_up[0].body().unwrap().contains("dt%3D2026-11-02"));
    assert!(reason(&given_up[0]).starts_with("Glue has no crawler "), "{given_up:?}");
    glue.get_partition().database_name("tickerlake").table_name("quotes").partition_values("2026-11-02").send().await.unwrap();

    glue.delete_table().database_name("tickerlake").name("quotes").send().await.unwrap();
    world.put(&key("2026-11-03", 1), rows(&[1])).await;
    world.pass(4 * 246 + 10).await;
    let given_up = dead_letters(&world).await;
    assert!(reason(&given_up[0]).starts_with("Glue has no table tickerlake.quotes: "), "{given_up:?}");
    assert!(world.queue.is_empty());
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_crawl_that_never_succeeds_is_given_up_with_the_file_that_it_stumbles_over() {
    let world = World::begin("2026-11-02T09:00:00Z").await;
    world.put(&key("2026-11-02", 0), b"cut off".to_vec()).await;
    world.pass(4 * 246 + 10).await;
    let given_up = dead_letters(&world).await;
    assert!(reason(&given_up[0]).contains("00000000000000000000.parquet: not a Parquet file"), "{given_up:?}");
    // No crawl for nobody: one for each try but the last.
    assert_eq!(world.crawls_begun(), 4);
    world.end().await;
}
