//! Athena for one machine: its JSON protocol over DataFusion.
//!
//! A query sees what Athena would see: the Glue table's columns, the files under the registered partitions' locations
//! and nothing else. Catalog, partitions and files are looked up anew for each query. The SQL is Trino's as far as
//! [`rewrite`] and [`functions`] bring DataFusion to it.

mod catalog;
mod columns;
mod csv;
mod engine;
mod execution;
mod executions;
mod failure;
mod functions;
mod hidden;
mod information_schema;
mod kept;
mod metadata;
mod named_queries;
mod objects;
mod operations;
mod operators;
mod partitions;
mod prepared;
mod pruning;
mod query;
mod result_metadata;
mod results;
mod rewrite;
mod running;
mod scan;
mod select;
mod show;
mod show_create;
mod sql;
mod statement;
mod table;
mod text;
mod workgroups;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

pub use named_queries::NamedQuery;
pub use workgroups::WorkGroup;

use crate::glue::Glue;
use crate::protocol::{ApiError, ApiResult, Input, now};
use crate::s3::{LocationError, Store};
use executions::Executions;

/// What Athena calls a bad request.
const INVALID_REQUEST: &str = "InvalidRequestException";

/// The catalog's name in queries.
const CATALOG: &str = "awsdatacatalog";

/// Queries that run at once; more of them wait in the queue.
const CONCURRENT_QUERIES: usize = 4;

/// A debug build's planner takes more stack than a thread has by default.
const STACK: usize = 16 << 20;

/// The template's work groups and named queries.
#[derive(Debug, Clone, Default)]
pub struct AthenaSeed {
    /// `primary` exists without being named, but has no output location.
    pub work_groups: Vec<WorkGroup>,
    /// What ListNamedQueries answers.
    pub named_queries: Vec<NamedQuery>,
}

/// Why Athena did not start.
#[derive(Debug, thiserror::Error)]
pub enum AthenaError {
    /// The folder for results under way cannot be made or emptied, or the engine's threads cannot be started.
    #[error("{path} cannot be used for query results")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A work group's output location is none.
    #[error("the output location of the work group {work_group:?} is refused")]
    OutputLocation {
        /// Its name.
        work_group: String,
        /// What is wrong with it.
        #[source]
        source: LocationError,
    },
    /// The query engine does not come up.
    #[error("the query engine did not start")]
    Engine(#[source] Box<datafusion::error::DataFusionError>),
}

/// A handle to the service; clones share it.
#[derive(Clone)]
pub struct Athena {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    glue: Glue,
    engine: engine::Engine,
    executions: Executions,
    /// Queries compute on threads of their own, so that a heavy one does not hold up the rest of the stack.
    threads: Option<Runtime>,
    slots: Arc<Semaphore>,
    work_groups: BTreeMap<String, WorkGroup>,
    named_queries: named_queries::NamedQueries,
    prepared: prepared::PreparedStatements,
    /// Seconds since 1970.
    started: f64,
    /// Where results are written before they become objects.
    folder: PathBuf,
}

impl Athena {
    /// Makes the folder and the engine.
    pub(crate) fn open(folder: &Path, store: Store, glue: Glue, seed: AthenaSeed) -> Result<Self, AthenaError> {
        let unusable = |source| AthenaError::Folder { path: folder.to_owned(), source };
        results::clear(folder).map_err(unusable)?;
        let work_groups = workgroups::by_name(seed.work_groups)?;
        let engine = engine::Engine::new(store.root()).map_err(|error| AthenaError::Engine(Box::new(error)))?;
        let threads = tokio::runtime::Builder::new_multi_thread()
            .thread_name("athena")
            .thread_stack_size(STACK)
            .enable_all()
            .build()
            .map_err(unusable)?;
        let inner = Inner {
            store,
            glue,
            engine,
            executions: Executions::default(),
            threads: Some(threads),
            slots: Arc::new(Semaphore::new(CONCURRENT_QUERIES)),
            work_groups,
            named_queries: named_queries::NamedQueries::open(folder, seed.named_queries)?,
            prepared: prepared::PreparedStatements::open(folder)?,
            started: now(),
            folder: folder.to_owned(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Answers one request.
    pub(crate) fn call(&self, operation: &str, body: &[u8]) -> ApiResult {
        let input = Input::parse(body, INVALID_REQUEST)?;
        match operation {
            "StartQueryExecution" => self.start_query_execution(&input),
            "GetQueryExecution" => self.get_query_execution(&input),
            "BatchGetQueryExecution" => self.batch_get_query_execution(&input),
            "ListQueryExecutions" => self.list_query_executions(&input),
            "StopQueryExecution" => self.stop_query_execution(&input),
            "GetQueryResults" => self.get_query_results(&input),
            "GetWorkGroup" => self.get_work_group(&input),
            "ListWorkGroups" => self.list_work_groups(&input),
            "CreateNamedQuery" => self.create_named_query(&input),
            "UpdateNamedQuery" => self.update_named_query(&input),
            "DeleteNamedQuery" => self.delete_named_query(&input),
            "GetNamedQuery" => self.get_named_query(&input),
            "ListNamedQueries" => self.list_named_queries(&input),
            "BatchGetNamedQuery" => self.batch_get_named_query(&input),
            "ListEngineVersions" => self.list_engine_versions(&input),
            "CreatePreparedStatement" => self.create_prepared_statement(&input),
            "UpdatePreparedStatement" => self.update_prepared_statement(&input),
            "DeletePreparedStatement" => self.delete_prepared_statement(&input),
            "GetPreparedStatement" => self.get_prepared_statement(&input),
            "BatchGetPreparedStatement" => self.batch_get_prepared_statement(&input),
            "ListPreparedStatements" => self.list_prepared_statements(&input),
            "ListDataCatalogs" => self.list_data_catalogs(&input),
            "GetDataCatalog" => self.get_data_catalog(&input),
            "GetDatabase" => self.get_database(&input),
            "ListDatabases" => self.list_databases(&input),
            "ListTableMetadata" => self.list_table_metadata(&input),
            "GetTableMetadata" => self.get_table_metadata(&input),
            other => Err(ApiError::new("UnknownOperationException", format!("Athena's {other} is not served by the local stack."))),
        }
    }

    /// Cancels what runs.
    pub(crate) fn stop(&self) {
        self.inner.executions.cancel_all();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Waiting for the threads is not allowed where the last handle may be dropped: inside another runtime.
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}
