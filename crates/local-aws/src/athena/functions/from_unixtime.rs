//! `from_unixtime(seconds)`: an instant with milliseconds, in UTC. DataFusion's own drops the fraction and the zone.

use std::sync::Arc;

use arrow::array::{AsArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Float64Type, TimeUnit};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct FromUnixtime {
    signature: Signature,
}

impl Default for FromUnixtime {
    fn default() -> Self {
        Self { signature: Signature::exact(vec![DataType::Float64], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for FromUnixtime {
    fn name(&self) -> &str {
        "from_unixtime"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [seconds] = args.args.as_slice() else { return internal_err!("from_unixtime takes one argument") };
        let seconds = seconds.to_array(args.number_rows)?;
        let seconds = seconds.as_primitive::<Float64Type>();
        let millis: TimestampMillisecondArray =
            seconds.iter().map(|seconds| seconds.map(|seconds| (seconds * 1000.0).round() as i64)).collect();
        Ok(ColumnarValue::Array(Arc::new(millis.with_timezone("UTC"))))
    }
}
