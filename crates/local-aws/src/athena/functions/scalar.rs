//! What every scalar function of ours has in common, so that each one's file holds only what is its own.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

/// What is a function's own.
#[derive(Debug)]
pub(super) struct Scalar {
    /// As SQL calls it, in lower case.
    pub(super) name: &'static str,
    /// The types that its arguments become, or what is wrong with them.
    pub(super) takes: fn(&[DataType]) -> Result<Vec<DataType>>,
    /// The type of its result, for arguments of those types; some are literals.
    pub(super) returns: fn(&ReturnFieldArgs<'_>) -> Result<DataType>,
    /// The result for arguments of those types.
    pub(super) body: fn(&ScalarFunctionArgs) -> Result<ColumnarValue>,
}

impl From<Scalar> for ScalarUDF {
    fn from(function: Scalar) -> Self {
        Self::new_from_impl(Implementation { function, signature: Signature::user_defined(Volatility::Immutable) })
    }
}

#[derive(Debug)]
struct Implementation {
    function: Scalar,
    signature: Signature,
}

// A name stands for one function: DataFusion compares expressions by it.
impl PartialEq for Implementation {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name
    }
}

impl Eq for Implementation {}

impl Hash for Implementation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
    }
}

impl ScalarUDFImpl for Implementation {
    fn name(&self) -> &str {
        self.function.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        (self.function.takes)(arguments)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type of {} is known by its field", self.function.name)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.function.name, (self.function.returns)(&args)?, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        (self.function.body)(&args)
    }
}
