//! What Athena calls a statement, and what its result's object is called.

use super::Statement;

/// A statement's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::athena) struct Kind {
    /// Athena's StatementType: DML, DDL or UTILITY.
    pub(in crate::athena) statement_type: &'static str,
    /// Athena's SubstatementType.
    pub(in crate::athena) substatement_type: &'static str,
    file: ResultFile,
}

/// What a result's object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ResultFile {
    /// A header and rows.
    Csv,
    /// Lines of text.
    Text,
    /// None of its own: the rows are in other files, which a manifest lists.
    Manifest,
    /// None of its own: the rows are the new table's.
    Table,
}

impl Kind {
    const fn new(statement_type: &'static str, substatement_type: &'static str, file: ResultFile) -> Self {
        Self { statement_type, substatement_type, file }
    }

    /// A statement's kind.
    pub(in crate::athena) fn of(statement: &Statement) -> Self {
        match statement {
            Statement::Query(_) => Self::new("DML", "SELECT", ResultFile::Csv),
            Statement::Show(_) => Self::new("UTILITY", "SHOW", ResultFile::Text),
            Statement::Unload(_) => Self::new("DML", "UNLOAD", ResultFile::Manifest),
            Statement::Insert(_) => Self::new("DML", "INSERT", ResultFile::Manifest),
            Statement::CreateTableAs(_) => Self::new("DDL", "CREATE_TABLE_AS_SELECT", ResultFile::Table),
            Statement::AddPartitions { .. } => Self::new("DDL", "ALTER_TABLE_ADD_PARTITION", ResultFile::Text),
            Statement::DropPartitions { .. } => Self::new("DDL", "ALTER_TABLE_DROP_PARTITION", ResultFile::Text),
            Statement::Repair(_) => Self::new("DDL", "MSCK_REPAIR_TABLE", ResultFile::Text),
            Statement::DropTable { .. } => Self::new("DDL", "DROP_TABLE", ResultFile::Text),
            Statement::Prepare { .. } => Self::new("UTILITY", "PREPARE", ResultFile::Text),
            Statement::Deallocate(_) => Self::new("UTILITY", "DEALLOCATE", ResultFile::Text),
            Statement::Execute { .. } => Self::new("DML", "EXECUTE", ResultFile::Csv),
            Statement::Elsewhere(_) => Self::new("DDL", "OTHER", ResultFile::Text),
        }
    }

    /// The name below the output location that OutputLocation names.
    pub(in crate::athena) fn result_name(self, id: &str) -> String {
        match self.file {
            ResultFile::Csv => format!("{id}.csv"),
            ResultFile::Text => format!("{id}.txt"),
            ResultFile::Manifest => id.to_owned(),
            ResultFile::Table => format!("tables/{id}"),
        }
    }

    /// The name of the object that describes the result's columns.
    pub(in crate::athena) fn metadata_name(self, id: &str) -> String {
        match self.file {
            ResultFile::Csv | ResultFile::Text => format!("{}.metadata", self.result_name(id)),
            ResultFile::Manifest | ResultFile::Table => format!("{id}.metadata"),
        }
    }
}
