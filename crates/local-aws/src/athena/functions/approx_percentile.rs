//! `approx_percentile(x, p)`: here the exact one, by nearest rank. A bigint for whole numbers, else a double.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{ScalarValue, exec_err, internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

const NAME: &str = "approx_percentile";

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ApproxPercentile {
    signature: Signature,
}

impl Default for ApproxPercentile {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for ApproxPercentile {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        match arguments {
            [value, percentile] if value.is_numeric() && percentile.is_numeric() => {
                let value = if value.is_integer() { DataType::Int64 } else { DataType::Float64 };
                Ok(vec![value, DataType::Float64])
            }
            _ => plan_err!("{NAME} takes a number and a percentile from 0 to 1"),
        }
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [value, _] => Ok(value.clone()),
            _ => plan_err!("{NAME} takes two arguments"),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let item = Field::new_list_field(DataType::Float64, true);
        Ok(vec![
            Arc::new(Field::new_list(format!("{}[values]", args.name), item, true)),
            Arc::new(Field::new(format!("{}[percentile]", args.name), DataType::Float64, true)),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let whole = args.return_type() == &DataType::Int64;
        Ok(Box::new(Percentile { values: Vec::new(), percentile: None, whole }))
    }
}

/// Every value, as far as a double holds it.
#[derive(Debug)]
struct Percentile {
    values: Vec<f64>,
    percentile: Option<f64>,
    whole: bool,
}

impl Percentile {
    fn set(&mut self, percentiles: &ArrayRef) -> Result<()> {
        for percentile in percentiles.as_primitive::<Float64Type>().iter().flatten() {
            if !(0.0..=1.0).contains(&percentile) {
                return exec_err!("Percentile must be between 0 and 1");
            }
            self.percentile = Some(percentile);
        }
        Ok(())
    }
}

impl Accumulator for Percentile {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [values, percentiles] = values else { return internal_err!("{NAME} takes two arguments") };
        self.set(percentiles)?;
        let values = arrow::compute::cast(values, &DataType::Float64)?;
        self.values.extend(values.as_primitive::<Float64Type>().iter().flatten());
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [values, percentiles] = states else { return internal_err!("{NAME} has two states") };
        self.set(percentiles)?;
        for list in values.as_list::<i32>().iter().flatten() {
            self.values.extend(list.as_primitive::<Float64Type>().iter().flatten());
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values: Vec<ScalarValue> = self.values.iter().map(|value| ScalarValue::Float64(Some(*value))).collect();
        let values = ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Float64));
        Ok(vec![values, ScalarValue::Float64(self.percentile)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let rank = self.percentile.unwrap_or(0.5) * self.values.len() as f64;
        let index = (rank.ceil() as usize).saturating_sub(1).min(self.values.len().saturating_sub(1));
        let found = if self.values.is_empty() { None } else { Some(*self.values.select_nth_unstable_by(index, f64::total_cmp).1) };
        Ok(if self.whole { ScalarValue::Int64(found.map(|value| value as i64)) } else { ScalarValue::Float64(found) })
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.capacity() * size_of::<f64>()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_rank() {
        let at = |values: &[f64], percentile| {
            let mut state = Percentile { values: values.to_vec(), percentile: Some(percentile), whole: false };
            state.evaluate().unwrap()
        };
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(at(&values, 0.5), ScalarValue::Float64(Some(3.0)));
        assert_eq!(at(&values, 0.0), ScalarValue::Float64(Some(1.0)));
        assert_eq!(at(&values, 1.0), ScalarValue::Float64(Some(5.0)));
        assert_eq!(at(&values, 0.95), ScalarValue::Float64(Some(5.0)));
        assert_eq!(at(&[], 0.5), ScalarValue::Float64(None));
    }
}
