//! The Glue catalog as DataFusion looks names up in it: `awsdatacatalog.<database>.<table>`, without regard to case.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::FieldRef;
use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result};

use super::CATALOG;
use super::information_schema::{self, InformationSchema};
use super::scan::ScannedBytes;
use super::table::LakeTable;
use crate::glue::Glue;

/// All that a query can see. Made for one query; looks into the catalog as it is when a name is looked up.
#[derive(Clone)]
pub(super) struct LakeCatalog {
    glue: Glue,
    s3_root: PathBuf,
    scanned: ScannedBytes,
    hidden: Vec<FieldRef>,
}

impl LakeCatalog {
    pub(super) fn new(glue: Glue, s3_root: PathBuf, scanned: ScannedBytes) -> Self {
        Self { glue, s3_root, scanned, hidden: Vec::new() }
    }

    /// Every table also has these columns, of [`super::hidden`].
    pub(super) fn with_hidden(self, hidden: Vec<FieldRef>) -> Self {
        Self { hidden, ..self }
    }
}

impl std::fmt::Debug for LakeCatalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LakeCatalog")
    }
}

impl CatalogProviderList for LakeCatalog {
    fn register_catalog(&self, _: String, catalog: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        // The trait has no refusal: the newcomer is handed back as if it had been replaced.
        Some(catalog)
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        name.eq_ignore_ascii_case(CATALOG).then(|| Arc::new(self.clone()) as Arc<dyn CatalogProvider>)
    }
}

impl CatalogProvider for LakeCatalog {
    fn schema_names(&self) -> Vec<String> {
        let mut names = self.glue.read(|catalog| catalog.database_names());
        names.push(information_schema::NAME.to_owned());
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let database = name.to_lowercase();
        if database == information_schema::NAME {
            return Some(Arc::new(InformationSchema::new(self.glue.clone())));
        }
        self.glue.read(|catalog| catalog.table_names(&database))?;
        Some(Arc::new(LakeDatabase { catalog: self.clone(), database }))
    }
}

/// One database.
#[derive(Debug)]
struct LakeDatabase {
    catalog: LakeCatalog,
    database: String,
}

#[async_trait]
impl SchemaProvider for LakeDatabase {
    fn table_names(&self) -> Vec<String> {
        self.catalog.glue.read(|catalog| catalog.table_names(&self.database)).unwrap_or_default()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        let LakeCatalog { glue, s3_root, scanned, hidden } = &self.catalog;
        let table = glue.read(|catalog| catalog.find_table(&self.database, &name.to_lowercase()).cloned());
        let Some(table) = table else { return Ok(None) };
        let provider = LakeTable::new(&table, s3_root.clone(), scanned.clone(), hidden)?;
        Ok(Some(Arc::new(provider)))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.catalog.glue.read(|catalog| catalog.find_table(&self.database, &name.to_lowercase()).is_some())
    }
}
