//! GetQueryResults: pages of a result, read from its object.

use std::fs;
use std::io::{self, BufReader, Seek as _, SeekFrom};
use std::path::Path;

use serde_json::{Value, json};

use super::execution::State;
use super::running::Rows;
use super::{Athena, csv};
use crate::protocol::{ApiError, ApiResult, Input, page};

/// The most rows in a page, the header's among them.
const MAX_PAGE: usize = 1000;

/// Makes the folder for results under way, and removes what a crash left there.
pub(super) fn clear(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "part") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

impl Athena {
    pub(super) fn get_query_results(&self, input: &Input) -> ApiResult {
        let id = input.string("QueryExecutionId")?;
        let size = input.page_size("MaxResults", MAX_PAGE)?;
        self.inner.executions.with(id, |execution| {
            let Some(finished) = execution.finished.as_ref().filter(|_| execution.state == State::Succeeded) else {
                let reason = execution.reason.as_deref().unwrap_or("it has not finished");
                return Err(input.invalid(format!("Query did not finish successfully. Final query state: {:?}: {reason}", execution.state)));
            };
            let (rows, token) = match &finished.rows {
                Rows::Memory(rows) => {
                    let (rows, token) = page(rows, input, MAX_PAGE)?;
                    (rows.to_vec(), token)
                }
                Rows::Object(key) => {
                    let path = self.inner.store.root().join(execution.request.output.bucket()).join(key);
                    let offset = match input.optional_string("NextToken")? {
                        None => 0,
                        Some(token) => token.parse().map_err(|_| input.invalid(format!("NextToken {token:?} was not given out here.")))?,
                    };
                    rows_of_file(&path, offset, size).map_err(|error| unreadable(input, &error))?
                }
            };
            let columns: Vec<Value> = execution.columns().iter().map(super::columns::ColumnInfo::to_api).collect();
            Ok(json!({
                "UpdateCount": finished.written,
                "ResultSet": {
                    "Rows": rows.iter().map(|row| row_to_api(row)).collect::<Vec<_>>(),
                    "ResultSetMetadata": { "ColumnInfo": columns },
                },
                "NextToken": token,
            }))
        })?
    }
}

/// Rows from a byte offset on, and the offset of those after them.
fn rows_of_file(path: &Path, offset: u64, size: usize) -> io::Result<(Vec<csv::Row>, Option<String>)> {
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(offset))?;
    let mut reader = BufReader::new(file);
    let (mut rows, mut offset) = (Vec::new(), offset);
    while rows.len() < size {
        let Some((row, length)) = csv::read_row(&mut reader)? else { break };
        rows.push(row);
        offset += length;
    }
    Ok((rows, (offset < length).then(|| offset.to_string())))
}

fn unreadable(input: &Input, error: &io::Error) -> ApiError {
    match error.kind() {
        io::ErrorKind::NotFound => input.invalid("Could not find results".to_owned()),
        _ => ApiError::new("InternalServerException", format!("The results cannot be read: {error}.")),
    }
}

fn row_to_api(row: &[Option<String>]) -> Value {
    let datum = |value: &Option<String>| match value {
        Some(text) => json!({ "VarCharValue": text }),
        None => json!({}),
    };
    json!({ "Data": row.iter().map(datum).collect::<Vec<_>>() })
}
