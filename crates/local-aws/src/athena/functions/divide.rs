//! `a / b` of decimals as Trino has it: as many digits behind the point as the longer of the two, the last one rounded half up.
//! DataFusion's own operator has other digits and cuts off, so [`super::super::operators`] plans this function for it.

use std::sync::Arc;

use arrow::array::{AsArray, Decimal128Array};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, i256};
use arrow::error::ArrowError;
use datafusion::common::{exec_datafusion_err, internal_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};

use super::scalar::Scalar;

const NAME: &str = "decimal_divide";

/// The function.
pub(in super::super) fn function() -> ScalarUDF {
    ScalarUDF::from(Scalar { name: NAME, takes, returns, body })
}

/// The decimal that a number of this type is in Trino's decimal arithmetic; none for a floating-point number.
pub(in super::super) fn as_decimal(number: &DataType) -> Option<DataType> {
    let digits = match number {
        DataType::Decimal128(..) => return Some(number.clone()),
        DataType::Int8 => 3,
        DataType::Int16 => 5,
        DataType::Int32 => 10,
        DataType::Int64 => 19,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => 20,
        _ => return None,
    };
    Some(DataType::Decimal128(digits, 0))
}

fn takes(arguments: &[DataType]) -> Result<Vec<DataType>> {
    let decimals = arguments.iter().map(as_decimal).collect::<Option<Vec<_>>>();
    match decimals {
        Some(decimals) if decimals.len() == 2 => Ok(decimals),
        _ => plan_err!("{NAME} takes two decimals"),
    }
}

fn returns(args: &ReturnFieldArgs<'_>) -> Result<DataType> {
    match args.arg_fields {
        [dividend, divisor] => quotient_type(dividend.data_type(), divisor.data_type()),
        _ => plan_err!("{NAME} takes two decimals"),
    }
}

fn quotient_type(dividend: &DataType, divisor: &DataType) -> Result<DataType> {
    let (DataType::Decimal128(precision, scale), DataType::Decimal128(_, divisor_scale)) = (dividend, divisor) else {
        return plan_err!("{NAME} takes two decimals");
    };
    let more = (*divisor_scale - *scale).max(0);
    let precision = i16::from(*precision) + i16::from(*divisor_scale) + i16::from(more);
    let precision = u8::try_from(precision).unwrap_or(DECIMAL128_MAX_PRECISION).min(DECIMAL128_MAX_PRECISION);
    Ok(DataType::Decimal128(precision, *scale.max(divisor_scale)))
}

fn body(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let [dividends, divisors] = args.args.as_slice() else { return internal_err!("{NAME} takes two decimals") };
    let DataType::Decimal128(precision, scale) = *args.return_field.data_type() else { return internal_err!("{NAME} gives a decimal") };
    let (dividends, divisors) = (dividends.to_array(args.number_rows)?, divisors.to_array(args.number_rows)?);
    let (dividends, divisors) = (dividends.as_primitive::<Decimal128Type>(), divisors.as_primitive::<Decimal128Type>());
    // As whole numbers, the dividend must have the digits that the quotient and the divisor have behind the point.
    let missing = u32::try_from(scale + divisors.scale() - dividends.scale()).unwrap_or(0);
    let missing = i256::from_i128(10).checked_pow(missing).ok_or_else(overflow)?;
    let limit = 10_i128.pow(u32::from(precision));
    let quotients = dividends.iter().zip(divisors.iter()).map(|pair| {
        let (Some(dividend), Some(divisor)) = pair else { return Ok(None) };
        if divisor == 0 {
            return Err(ArrowError::DivideByZero.into());
        }
        let dividend = i256::from_i128(dividend).checked_mul(missing).ok_or_else(overflow)?;
        let quotient = divide_half_up(dividend, divisor).filter(|quotient| (-limit < *quotient) && (*quotient < limit));
        quotient.map(Some).ok_or_else(overflow)
    });
    let quotients = quotients.collect::<Result<Decimal128Array>>()?.with_precision_and_scale(precision, scale)?;
    Ok(ColumnarValue::Array(Arc::new(quotients)))
}

/// Half up means away from zero, on either side of it.
fn divide_half_up(dividend: i256, divisor: i128) -> Option<i128> {
    let divisor = i256::from_i128(divisor);
    let (quotient, rest) = (dividend.checked_div(divisor)?, dividend.checked_rem(divisor)?);
    let twice = rest.wrapping_abs().checked_mul(i256::from_i128(2))?;
    if twice < divisor.wrapping_abs() {
        return quotient.to_i128();
    }
    let negative = (dividend < i256::ZERO) != (divisor < i256::ZERO);
    let away = if negative { i256::MINUS_ONE } else { i256::ONE };
    quotient.checked_add(away)?.to_i128()
}

fn overflow() -> DataFusionError {
    exec_datafusion_err!("NUMERIC_VALUE_OUT_OF_RANGE: Decimal overflow")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_away_from_zero() {
        let divide = |dividend, divisor| divide_half_up(i256::from_i128(dividend), divisor).unwrap();
        for (dividend, divisor, quotient) in
            [(7, 2, 4), (-7, 2, -4), (7, -2, -4), (-7, -2, 4), (1, 3, 0), (2, 3, 1), (-2, 3, -1), (6, 3, 2)]
        {
            assert_eq!(divide(dividend, divisor), quotient, "{dividend} / {divisor}");
        }
    }

    #[test]
    fn the_quotient_has_the_longer_fraction() {
        let quotient = |dividend: (u8, i8), divisor: (u8, i8)| {
            quotient_type(&DataType::Decimal128(dividend.0, dividend.1), &DataType::Decimal128(divisor.0, divisor.1)).unwrap()
        };
        // As `typeof(a / b)` answers on Trino 476.
        assert_eq!(quotient((18, 6), (18, 6)), DataType::Decimal128(24, 6));
        assert_eq!(quotient((18, 3), (10, 0)), DataType::Decimal128(18, 3));
        assert_eq!(quotient((10, 0), (18, 6)), DataType::Decimal128(22, 6));
        assert_eq!(quotient((38, 12), (38, 6)), DataType::Decimal128(38, 12));
    }
}
