//! Objects that land in a day while it is compacted, and after that.

use std::collections::BTreeSet;

use quotes::compaction::{MANIFEST, Manifest, file_name};

use crate::objects::{key, rows};
use crate::world::World;

const DAY: &str = "2026-11-02";

/// A compaction, step by step: what it listed goes into one part.
struct Compaction {
    folder: String,
    covers: BTreeSet<String>,
    offsets: Vec<i64>,
}

impl Compaction {
    async fn list(world: &World, generation: &str) -> Self {
        let listed = world.clients.s3.list_objects_v2().bucket(world.bucket()).prefix(format!("quotes/dt={DAY}/")).send().await.unwrap();
        let covers: BTreeSet<String> = listed.contents().iter().map(|object| file_name(object.key().unwrap()).to_owned()).collect();
        let offset = |name: &String| name.trim_end_matches(".parquet").rsplit('-').next().unwrap().parse().unwrap();
        Self { folder: format!("compacted/dt={DAY}/{generation}/"), offsets: covers.iter().map(offset).collect(), covers }
    }

    /// Writes the part and the manifest, then leads the readers there.
    async fn switch(&self, world: &World) {
        world.put(&format!("{}part-quotes-00000.parquet", self.folder), rows(&self.offsets)).await;
        let manifest =
            Manifest { rows: self.offsets.len() as u64, parts: vec!["part-quotes-00000.parquet".into()], covers: self.covers.clone() };
        world.put(&format!("{}{MANIFEST}", self.folder), manifest.to_json().unwrap()).await;
        let glue = &world.clients.glue;
        let found = glue.get_partition().database_name("tickerlake").table_name("quotes").partition_values(DAY).send().await.unwrap();
        let found = found.partition.unwrap();
        let mut descriptor = found.storage_descriptor.unwrap();
        descriptor.location = Some(format!("s3://{}/{}", world.bucket(), self.folder));
        let input = aws_sdk_glue::types::PartitionInput::builder().values(DAY).storage_descriptor(descriptor);
        let input = input.set_parameters(found.parameters).build();
        let update = glue.update_partition().database_name("tickerlake").table_name("quotes").partition_value_list(DAY);
        update.partition_input(input).send().await.unwrap();
    }
}

/// The offsets of the rows in the files of a folder, by their names and what the part was made of.
async fn names(world: &World, folder: &str) -> BTreeSet<String> {
    let listed = world.clients.s3.list_objects_v2().bucket(world.bucket()).prefix(folder).send().await.unwrap();
    listed.contents().iter().map(|object| file_name(object.key().unwrap()).to_owned()).collect()
}

fn name(offset: i64) -> String {
    file_name(&key(DAY, offset)).to_owned()
}

#[tokio::test(start_paused = true)]
async fn what_lands_later_is_added_once_and_what_was_compacted_never() {
    let world = World::begin("2026-11-02T09:00:00Z").await;
    // One whose notification comes again after the day was compacted.
    world.notices.delay(&key(DAY, 0), &[1, 400]);
    world.put(&key(DAY, 0), rows(&[0])).await;
    world.pass(330).await;

    // One lands while the compaction works, one right after the switch, both unknown to its manifest.
    let first = Compaction::list(&world, "1f00").await;
    world.notices.delay(&key(DAY, 1), &[1, 1, 9]);
    world.put(&key(DAY, 1), rows(&[1])).await;
    first.switch(&world).await;
    world.put(&key(DAY, 2), rows(&[2])).await;
    world.pass(100).await;
    let parts = ["part-quotes-00000.parquet".to_owned(), MANIFEST.to_owned()];
    let expected = |offsets: &[i64]| parts.iter().cloned().chain(offsets.iter().map(|offset| name(*offset))).collect::<BTreeSet<_>>();
    assert_eq!(names(&world, &first.folder).await, expected(&[1, 2]));
    assert!(world.queue.is_empty(), "a copy is not told of");

    // A second generation covers all three; late news of the first ones adds nothing to it.
    let second = Compaction::list(&world, "2a00").await;
    second.switch(&world).await;
    world.queue.send(notice(&world, 1)).unwrap();
    world.notices.delay(&key(DAY, 3), &[1]);
    world.put(&key(DAY, 3), rows(&[3])).await;
    world.pass(10).await;
    assert_eq!(names(&world, &second.folder).await, expected(&[3]));

    // A crawl leaves the day where it is read from.
    world.put(&key("2026-11-03", 4), rows(&[4])).await;
    world.pass(330).await;
    assert_eq!(world.crawls_begun(), 2);
    let found = world.clients.glue.get_partition().database_name("tickerlake").table_name("quotes").partition_values(DAY).send().await;
    let location = found.unwrap().partition.unwrap().storage_descriptor.unwrap().location.unwrap();
    assert_eq!(location, format!("s3://{}/{}", world.bucket(), second.folder));
    assert!(world.queue.is_empty() && world.dead_letters.is_empty());
    world.end().await;
}

/// A notification of an object that landed long ago.
fn notice(world: &World, offset: i64) -> String {
    let object = local_aws::s3::ObjectCreated {
        bucket: world.bucket().to_owned(),
        key: key(DAY, offset),
        size: 1,
        etag: "1".into(),
        event_name: "ObjectCreated:Put",
    };
    object.event().to_string()
}
