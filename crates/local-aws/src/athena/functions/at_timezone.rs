//! `at_timezone(t, zone)`: the same instant, seen in another zone. Also what `t AT TIME ZONE zone` becomes.
//!
//! A timestamp without a zone is UTC, as in an Athena session. DataFusion's own AT TIME ZONE takes it for a time in
//! the target zone instead, which is off by the zone's offset.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{ScalarValue, internal_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::instants;

const NAME: &str = "at_timezone";

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct AtTimezone {
    signature: Signature,
}

impl Default for AtTimezone {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for AtTimezone {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        match arguments {
            [value, _] => Ok(vec![instants::coerced(NAME, value)?, DataType::Utf8]),
            _ => plan_err!("{NAME} takes a timestamp and a zone"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("{NAME}'s type depends on its arguments' values")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let zone = match args.scalar_arguments.get(1) {
            Some(Some(ScalarValue::Utf8(Some(zone)) | ScalarValue::Utf8View(Some(zone)))) => zone,
            _ => return plan_err!("{NAME} takes a literal zone"),
        };
        if zone.parse::<Tz>().is_err() {
            return Err(DataFusionError::Plan(format!("'{zone}' is not a valid time zone")));
        }
        let data_type = DataType::Timestamp(TimeUnit::Millisecond, Some(zone.as_str().into()));
        Ok(Arc::new(Field::new(NAME, data_type, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value, _] = args.args.as_slice() else { return internal_err!("{NAME} takes two arguments") };
        instants::returned(instants::array(value, args.number_rows)?, args.return_field.data_type())
    }
}
