//! DataFusion, set up to understand and to sort as Trino does, and to reach nothing but the S3 folder.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use datafusion::catalog::CatalogProviderList;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::object_store::local::LocalFileSystem;
use datafusion::prelude::SessionConfig;

use super::operators::Operators;
use super::{CATALOG, functions};

/// The S3 folder's name among DataFusion's object stores. Its paths are `<bucket>/<key>`.
const STORE_URL: &str = "lake://local";

/// What queries share: memory, spill files and the cache of Parquet footers (checked against size and time).
pub(super) struct Engine {
    environment: Arc<RuntimeEnv>,
}

impl Engine {
    /// An engine over the folder that holds the buckets.
    pub(super) fn new(s3_root: &Path) -> Result<Self> {
        let environment = Arc::new(RuntimeEnv::default());
        let store_url = store_url()?;
        // Rooted at the S3 folder: no path can lead out of it, whatever the catalog says.
        let store = Arc::new(LocalFileSystem::new_with_prefix(s3_root)?);
        environment.register_object_store(store_url.as_ref(), store);
        Ok(Self { environment })
    }

    /// A session for one query. No file format and no table factory is registered, so that nothing but the catalog's
    /// tables can be read, and nothing written, even if a statement got past [`super::statement`].
    pub(super) fn session(&self, catalogs: Arc<dyn CatalogProviderList>, database: &str) -> Result<SessionState> {
        let mut config =
            SessionConfig::new().with_default_catalog_and_schema(CATALOG, database).with_create_default_catalog_and_schema(false);
        let options = config.options_mut();
        options.sql_parser.collect_spans = true;
        options.sql_parser.map_string_types_to_utf8view = false;
        // Trino: 0.5 is a decimal, and nulls come last in either direction.
        options.sql_parser.parse_float_as_decimal = true;
        options.sql_parser.default_null_ordering = "nulls_last".to_owned();
        options.execution.parquet.schema_force_view_types = false;
        // What a sort or an aggregate saw first lets DataFusion skip files, by chance more of them or fewer. Trino reads them
        // all, and a query's bytes are to be the same at every run.
        options.optimizer.enable_topk_dynamic_filter_pushdown = false;
        options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;

        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(Arc::clone(&self.environment))
            .with_expr_planners(vec![Arc::new(Operators::default())])
            .with_default_features()
            .with_file_formats(Vec::new())
            .with_table_factories(HashMap::new())
            .with_catalog_list(catalogs)
            .build();
        // `current_date` is a constant of the query, so that a condition with it prunes partitions.
        state.mark_start_execution();
        functions::register(&mut state)?;
        Ok(state)
    }
}

/// Where [`super::table`] finds the files.
pub(super) fn store_url() -> Result<ObjectStoreUrl> {
    ObjectStoreUrl::parse(STORE_URL)
}
