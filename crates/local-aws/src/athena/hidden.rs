//! The columns that every Trino table has without showing them: which file a row is in, how large it is and from when.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Ident, ObjectName, Query, Select, SelectItem, TableFactor, VisitMut as _, VisitorMut,
};

use crate::s3::{S3Location, StoredFile};

/// Their names, as SQL quotes them, and their types.
fn columns() -> [(&'static str, DataType); 3] {
    [
        ("$path", DataType::Utf8),
        ("$file_size", DataType::Int64),
        ("$file_modified_time", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))),
    ]
}

/// The hidden columns that a statement names. The tables of other statements need not have them.
pub(super) fn named(sql: &str) -> Vec<FieldRef> {
    let named = columns().into_iter().filter(|(name, _)| sql.to_lowercase().contains(&format!("\"{name}\"")));
    named.map(|(name, data_type)| Arc::new(Field::new(name, data_type, true)) as FieldRef).collect()
}

/// A file's value of a hidden column; null for a name that is none.
pub(super) fn value(column: &str, folder: &S3Location, file: &StoredFile) -> ScalarValue {
    match column {
        "$path" => ScalarValue::Utf8(Some(format!("s3://{}/{}", folder.bucket(), file.key))),
        "$file_size" => ScalarValue::Int64(i64::try_from(file.size).ok()),
        "$file_modified_time" => {
            let since = file.modified.duration_since(std::time::UNIX_EPOCH).ok();
            let millis = since.and_then(|since| i64::try_from(since.as_millis()).ok());
            ScalarValue::TimestampMillisecond(millis, Some("UTC".into()))
        }
        _ => ScalarValue::Null,
    }
}

/// `SELECT *` shows no hidden column, even if the statement names some.
pub(super) fn leave_out_of_stars(query: &mut Query) {
    let hidden: Vec<ObjectName> =
        named(&query.to_string()).iter().map(|column| ObjectName::from(vec![Ident::with_quote('"', column.name())])).collect();
    if !hidden.is_empty() {
        let _ = query.visit(&mut Stars { hidden, defined: HashSet::new() });
    }
}

struct Stars {
    hidden: Vec<ObjectName>,
    /// Names that the query itself defines: those are no tables.
    defined: HashSet<String>,
}

impl VisitorMut for Stars {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some(with) = &query.with {
            self.defined.extend(with.cte_tables.iter().map(|cte| cte.alias.name.value.to_lowercase()));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let [from] = select.from.as_slice() else { return ControlFlow::Continue(()) };
        let TableFactor::Table { name, .. } = &from.relation else { return ControlFlow::Continue(()) };
        if !from.joins.is_empty() || self.defined.contains(&name.to_string().to_lowercase()) {
            return ControlFlow::Continue(());
        }
        for item in &mut select.projection {
            if let SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) = item {
                options.opt_exclude.get_or_insert_with(|| ExcludeSelectItem::Multiple(self.hidden.clone()));
            }
        }
        ControlFlow::Continue(())
    }
}
