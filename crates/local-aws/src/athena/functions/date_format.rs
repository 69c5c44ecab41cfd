//! `date_format(t, format)` with MySQL's letters, as Trino has it: `%i` are minutes and `%M` is the month's name.
//! DataFusion's function of this name takes chrono's letters, where `%M` are minutes.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, StringArray};
use arrow::datatypes::DataType;
use chrono::NaiveDateTime;
use datafusion::common::{exec_datafusion_err, internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};

use super::instants;
use super::scalar::Scalar;

const NAME: &str = "date_format";

/// The function.
pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(Scalar { name: NAME, takes, returns, body })
}

fn takes(arguments: &[DataType]) -> Result<Vec<DataType>> {
    match arguments {
        [value, _] => Ok(vec![instants::coerced(NAME, value)?, DataType::Utf8]),
        _ => plan_err!("{NAME} takes a timestamp and a format"),
    }
}

fn returns(_: &ReturnFieldArgs<'_>) -> Result<DataType> {
    Ok(DataType::Utf8)
}

fn body(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let [value, format] = args.args.as_slice() else { return internal_err!("{NAME} takes two arguments") };
    let format = chrono_format(&instants::literal(NAME, Some(format))?)?;
    let zone = instants::zone(&value.data_type())?;
    let values = instants::array(value, args.number_rows)?;
    let texts = (0..args.number_rows).map(|row| {
        if values.is_null(row) {
            return Ok(None);
        }
        write(instants::wall_clock(values.value(row), zone)?, &format).map(Some)
    });
    Ok(ColumnarValue::Array(Arc::new(texts.collect::<Result<StringArray>>()?)))
}

fn write(time: NaiveDateTime, format: &str) -> Result<String> {
    let mut text = String::new();
    // chrono's Display fails on letters that it does not know, where to_string would panic.
    write!(text, "{}", time.format(format)).map_err(|_| exec_datafusion_err!("{NAME} cannot write {format}"))?;
    Ok(text)
}

/// MySQL's letters in chrono's.
fn chrono_format(mysql: &str) -> Result<String> {
    let mut format = String::new();
    let mut chars = mysql.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            format.push(char);
            continue;
        }
        let other;
        format.push_str(match chars.next() {
            Some('a') => "%a",
            Some('b') => "%b",
            Some('c') => "%-m",
            Some('d') => "%d",
            Some('e') => "%-d",
            Some('f') => "%6f",
            Some('H') => "%H",
            Some('h' | 'I') => "%I",
            Some('i') => "%M",
            Some('j') => "%j",
            Some('k') => "%-H",
            Some('l') => "%-I",
            Some('M') => "%B",
            Some('m') => "%m",
            Some('p') => "%p",
            Some('r') => "%I:%M:%S %p",
            Some('S' | 's') => "%S",
            Some('T') => "%H:%M:%S",
            Some('v') => "%V",
            Some('W') => "%A",
            Some('x') => "%G",
            Some('Y') => "%Y",
            Some('y') => "%y",
            Some('%') => "%%",
            Some(letter @ ('D' | 'U' | 'u' | 'V' | 'w' | 'X')) => {
                return plan_err!("%{letter} not currently supported in the date format string");
            }
            Some(letter) => {
                other = letter.to_string();
                &other
            }
            None => return plan_err!("the date format string ends with %"),
        });
    }
    Ok(format)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn mysqls_letters() {
        let time: NaiveDateTime = "2013-10-07T08:05:09.120".parse().unwrap();
        for (format, text) in [
            ("%Y-%m-%d", "2013-10-07"),
            ("%H:%i:%s", "08:05:09"),
            ("%Y-%m-%d %H:%i:%s.%f", "2013-10-07 08:05:09.120000"),
            ("%M %e, %y", "October 7, 13"),
            ("%l:%i %p", "8:05 AM"),
            ("%x-W%v", "2013-W41"),
            ("100%%", "100%"),
        ] {
            assert_eq!(write(time, &chrono_format(format).unwrap()).unwrap(), text, "{format}");
        }
        assert!(chrono_format("%D").is_err());
        assert!(chrono_format("%").is_err());
    }
}
