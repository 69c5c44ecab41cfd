//! Named queries that people save beside the template's.

use crate::athena::{GROUP, lake};

#[tokio::test(flavor = "multi_thread")]
async fn a_named_query_lives_until_it_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    let athena = stack.athena();
    let create = |name: &str, sql: &str| {
        let create = athena.create_named_query().name(name).description("what it answers").database("tickerlake");
        create.query_string(sql).work_group(GROUP).client_request_token("0123456789-0123456789-0123456789-0123456789").send()
    };
    let id = create("mine", "SELECT 1").await.unwrap().named_query_id.unwrap();
    assert_eq!(create("mine", "SELECT 1").await.unwrap().named_query_id(), Some(id.as_str()), "the same token makes one query");
    assert!(create("mine", "SELECT 2").await.unwrap_err().into_service_error().is_invalid_request_exception());

    let update = athena.update_named_query().named_query_id(&id).name("my own").query_string("SELECT symbol FROM quotes");
    update.send().await.unwrap();
    let listed = athena.list_named_queries().work_group(GROUP).send().await.unwrap();
    let queries = athena.batch_get_named_query().set_named_query_ids(listed.named_query_ids).send().await.unwrap();
    let names: Vec<&str> = queries.named_queries().iter().map(|query| query.name()).collect();
    assert_eq!(names, ["latest", "my own"]);
    let found = athena.get_named_query().named_query_id(&id).send().await.unwrap().named_query.unwrap();
    assert_eq!((found.query_string(), found.database(), found.description()), ("SELECT symbol FROM quotes", "tickerlake", None));

    for query in queries.named_queries() {
        athena.delete_named_query().named_query_id(query.named_query_id().unwrap()).send().await.unwrap();
    }
    assert!(athena.list_named_queries().work_group(GROUP).send().await.unwrap().named_query_ids().is_empty());
    assert!(athena.delete_named_query().named_query_id(&id).send().await.unwrap_err().into_service_error().is_invalid_request_exception());
    let elsewhere = athena.create_named_query().name("x").database("tickerlake").query_string("SELECT 1").work_group("nowhere");
    assert!(elsewhere.send().await.unwrap_err().into_service_error().is_invalid_request_exception());
}
