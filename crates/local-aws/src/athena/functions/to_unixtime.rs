//! `to_unixtime(t)`: seconds since 1970 with their fraction. DataFusion's own drops the fraction.

use std::sync::Arc;

use arrow::array::Float64Array;
use arrow::datatypes::DataType;
use datafusion::common::{internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::instants;

const NAME: &str = "to_unixtime";

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ToUnixtime {
    signature: Signature,
}

impl Default for ToUnixtime {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ToUnixtime {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        match arguments {
            [value] => Ok(vec![instants::coerced(NAME, value)?]),
            _ => plan_err!("{NAME} takes a timestamp"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = args.args.as_slice() else { return internal_err!("{NAME} takes one argument") };
        let millis = instants::array(value, args.number_rows)?;
        let seconds: Float64Array = millis.iter().map(|millis| millis.map(|millis| millis as f64 / 1000.0)).collect();
        Ok(ColumnarValue::Array(Arc::new(seconds)))
    }
}
