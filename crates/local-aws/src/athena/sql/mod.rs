//! What a statement says: Athena's statements, parsed, with nothing looked up.

mod kind;
mod parameters;
mod parser;
mod properties;
#[cfg(test)]
mod tests;

use datafusion::sql::sqlparser::ast::{Expr, Query, SetExpr, Statement as Ast};

pub(super) use kind::Kind;
pub(super) use parameters::WrongCount;
pub(super) use parser::{expression, parse};
pub(super) use properties::{Properties, PropertyError};

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Statement {
    /// A query, or EXPLAIN of one.
    Query(Box<Ast>),
    /// SHOW or DESCRIBE: its text.
    Show(String),
    /// A query's rows into files.
    Unload(Unload),
    /// A query's rows into a new table.
    CreateTableAs(CreateTableAs),
    /// A query's rows into a table.
    Insert(Insert),
    /// ALTER TABLE … ADD PARTITION.
    AddPartitions {
        /// Whose partitions.
        table: TableName,
        /// Those that exist are no error.
        if_not_exists: bool,
        /// At least one.
        partitions: Vec<PartitionSpec>,
    },
    /// ALTER TABLE … DROP PARTITION.
    DropPartitions {
        /// Whose partitions.
        table: TableName,
        /// Those that do not exist are no error.
        if_exists: bool,
        /// At least one.
        partitions: Vec<PartitionSpec>,
    },
    /// MSCK REPAIR TABLE.
    Repair(TableName),
    /// DROP TABLE.
    DropTable {
        /// Which.
        table: TableName,
        /// That it does not exist is no error.
        if_exists: bool,
    },
    /// PREPARE.
    Prepare {
        /// By which EXECUTE calls it.
        name: String,
        /// The statement's text.
        query: String,
    },
    /// DEALLOCATE PREPARE.
    Deallocate(String),
    /// EXECUTE.
    Execute {
        /// The prepared statement.
        name: String,
        /// What stands for its question marks.
        using: Vec<Expr>,
    },
    /// What Athena does and the local engine does not, by its first words.
    Elsewhere(String),
}

/// `UNLOAD (query) TO 'location' WITH (properties)`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unload {
    /// Whose rows.
    pub(super) query: Box<Query>,
    /// `s3://bucket/prefix/`.
    pub(super) location: String,
    /// Its properties.
    pub(super) properties: Properties,
}

/// `CREATE TABLE table WITH (properties) AS query`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CreateTableAs {
    /// The new table.
    pub(super) table: TableName,
    /// That it exists is no error, and nothing is done.
    pub(super) if_not_exists: bool,
    /// Its properties.
    pub(super) properties: Properties,
    /// Whose rows.
    pub(super) query: Box<Query>,
    /// False with `WITH NO DATA`: the table alone.
    pub(super) with_data: bool,
}

/// `INSERT INTO table (columns) query`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Insert {
    /// Into which table.
    pub(super) table: TableName,
    /// In lower case; none: all of them, in their order.
    pub(super) columns: Vec<String>,
    /// Whose rows.
    pub(super) query: Box<Query>,
}

/// A table as a statement names it, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableName {
    /// None: the database of the request.
    pub(super) database: Option<String>,
    /// The table's own name.
    pub(super) table: String,
}

/// `PARTITION (key = 'value', …) LOCATION 'location'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartitionSpec {
    /// Keys, in lower case, and their values.
    pub(super) values: Vec<(String, String)>,
    /// Where its files are.
    pub(super) location: Option<String>,
}

impl Statement {
    /// The query inside that may hold question marks.
    fn query_mut(&mut self) -> Option<&mut Query> {
        match self {
            Self::Query(ast) => inner_query_mut(ast),
            Self::Unload(Unload { query, .. }) | Self::CreateTableAs(CreateTableAs { query, .. }) | Self::Insert(Insert { query, .. }) => {
                Some(query)
            }
            _ => None,
        }
    }

    /// The same statement with values for its question marks, in their order.
    pub(super) fn bind(mut self, values: &[Expr]) -> Result<Self, WrongCount> {
        match self.query_mut() {
            Some(query) => parameters::bind(query, values)?,
            None => parameters::none_wanted(values)?,
        }
        Ok(self)
    }
}

impl TableName {
    /// The database, and the table.
    pub(super) fn within<'a>(&'a self, database: &'a str) -> (&'a str, &'a str) {
        (self.database.as_deref().unwrap_or(database), &self.table)
    }
}

/// The query of a statement that is one, or explains one. Nothing if it changes anything.
pub(super) fn inner_query_mut(ast: &mut Ast) -> Option<&mut Query> {
    match ast {
        Ast::Query(query) => reads(&query.body).then_some(query.as_mut()),
        Ast::Explain { statement, .. } => inner_query_mut(statement),
        _ => None,
    }
}

/// SQL's grammar allows a change in a query's place.
fn reads(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => select.into.is_none(),
        SetExpr::Values(_) | SetExpr::Table(_) => true,
        SetExpr::Query(query) => reads(&query.body),
        SetExpr::SetOperation { left, right, .. } => reads(left) && reads(right),
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => false,
    }
}
