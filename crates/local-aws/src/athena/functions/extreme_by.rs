//! `max_by(x, y)` and `min_by(x, y)`: the x of the row with the greatest or the least y. Rows without a y do not
//! count; an x that is null does.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::{SortOptions, sort_to_indices};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{ScalarValue, internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ExtremeBy {
    signature: Signature,
    greatest: bool,
}

impl ExtremeBy {
    pub(super) fn max_by() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable), greatest: true }
    }

    pub(super) fn min_by() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable), greatest: false }
    }
}

impl AggregateUDFImpl for ExtremeBy {
    fn name(&self) -> &str {
        if self.greatest { "max_by" } else { "min_by" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [value, _] => Ok(value.clone()),
            _ => plan_err!("{} takes two arguments", self.name()),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let [value, key] = args.input_fields else { return internal_err!("{} takes two arguments", self.name()) };
        Ok(vec![
            Arc::new(Field::new(format!("{}[value]", args.name), value.data_type().clone(), true)),
            Arc::new(Field::new(format!("{}[key]", args.name), key.data_type().clone(), true)),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let [value, key] = args.expr_fields else { return internal_err!("{} takes two arguments", self.name()) };
        Ok(Box::new(Extreme {
            value: ScalarValue::try_from(value.data_type())?,
            key: ScalarValue::try_from(key.data_type())?,
            greatest: self.greatest,
        }))
    }
}

/// The best row so far; a null key means none.
#[derive(Debug)]
struct Extreme {
    value: ScalarValue,
    key: ScalarValue,
    greatest: bool,
}

impl Extreme {
    fn beats(&self, key: &ScalarValue) -> bool {
        let wanted = if self.greatest { Ordering::Greater } else { Ordering::Less };
        self.key.is_null() || key.partial_cmp(&self.key) == Some(wanted)
    }
}

impl Accumulator for Extreme {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [values, keys] = values else { return internal_err!("max_by and min_by take two arguments") };
        if keys.null_count() == keys.len() {
            return Ok(());
        }
        let order = SortOptions { descending: self.greatest, nulls_first: false };
        let best = sort_to_indices(keys, Some(order), Some(1))?;
        let Some(Some(row)) = best.iter().next() else { return Ok(()) };
        let key = ScalarValue::try_from_array(keys, row as usize)?;
        if !key.is_null() && self.beats(&key) {
            self.value = ScalarValue::try_from_array(values, row as usize)?;
            self.key = key;
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), self.key.clone()])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size() + self.key.size()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::array::{Int64Array, StringArray};

    use super::*;

    /// Batches of values and their keys.
    type Batch<'a> = (&'a [Option<&'a str>], &'a [Option<i64>]);

    fn extreme(greatest: bool, batches: &[Batch<'_>]) -> ScalarValue {
        let mut best = Extreme { value: ScalarValue::Utf8(None), key: ScalarValue::Int64(None), greatest };
        for (values, keys) in batches {
            let values: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
            let keys: ArrayRef = Arc::new(Int64Array::from(keys.to_vec()));
            best.update_batch(&[values, keys]).unwrap();
        }
        best.evaluate().unwrap()
    }

    #[test]
    fn nulls_count_in_the_value_but_not_in_the_key() {
        let batches: [Batch<'_>; 3] =
            [(&[Some("a"), Some("b")], &[Some(1), None]), (&[Some("c")], &[None]), (&[None, Some("d")], &[Some(7), Some(3)])];
        assert_eq!(extreme(true, &batches), ScalarValue::Utf8(None));
        assert_eq!(extreme(false, &batches), ScalarValue::Utf8(Some("a".to_owned())));
        assert_eq!(extreme(true, &batches[..2]), ScalarValue::Utf8(Some("a".to_owned())));
    }
}
