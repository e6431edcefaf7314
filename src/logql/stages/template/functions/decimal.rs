//! Arithmetic on floats as on the decimal numbers that they are written as: 0.1 and 0.2 are 0.3, as in sprig.

/// Decimal places of a quotient.
const QUOTIENT_PLACES: u32 = 16;

/// `units` times ten to the power of minus `places`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decimal {
    units: i128,
    places: u32,
}

/// What is done with two numbers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Add,
    Sub,
    Mul,
    Div,
}

/// Carries an operation out: exactly, or as floats where the digits are too many. `None` for a division by zero.
pub(super) fn apply(operation: Operation, left: f64, right: f64) -> Option<f64> {
    if matches!(operation, Operation::Div) && right == 0.0 {
        return None;
    }
    let exact = || Decimal::new(left)?.apply(operation, Decimal::new(right)?)?.to_float();
    Some(exact().unwrap_or_else(|| match operation {
        Operation::Add => left + right,
        Operation::Sub => left - right,
        Operation::Mul => left * right,
        Operation::Div => left / right,
    }))
}

impl Decimal {
    fn new(number: f64) -> Option<Self> {
        let text = number.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let units = format!("{whole}{fraction}").parse().ok()?;
        Some(Self { units, places: u32::try_from(fraction.len()).ok()? })
    }

    fn to_float(self) -> Option<f64> {
        format!("{}e-{}", self.units, self.places).parse().ok()
    }

    fn apply(self, operation: Operation, other: Self) -> Option<Self> {
        let places = self.places.max(other.places);
        let sum = |left: i128, right: i128| Some(Self { units: left.checked_add(right)?, places });
        match operation {
            Operation::Add => sum(self.scaled(places)?, other.scaled(places)?),
            Operation::Sub => sum(self.scaled(places)?, other.scaled(places)?.checked_neg()?),
            Operation::Mul => Some(Self {
                units: self.units.checked_mul(other.units)?,
                places: self.places.checked_add(other.places)?,
            }),
            Operation::Div => {
                let dividend = self.scaled(places.checked_add(QUOTIENT_PLACES)?)?;
                let divisor = other.scaled(places)?;
                // Half a unit away from zero, so that what is cut off is rounded.
                let half = (divisor.checked_abs()? / 2).checked_mul(if self.units < 0 { -1 } else { 1 })?;
                let units = dividend.checked_add(half)?.checked_div(divisor)?;
                Some(Self { units, places: QUOTIENT_PLACES })
            }
        }
    }

    /// The units if there were `places` decimal places, which are no fewer than there are.
    fn scaled(self, places: u32) -> Option<i128> {
        self.units.checked_mul(10_i128.checked_pow(places - self.places)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(operation: Operation, left: f64, right: f64, expected: Option<f64>) {
        assert_eq!(apply(operation, left, right), expected);
    }

    #[test]
    fn decimals_add_up() {
        check(Operation::Add, 0.1, 0.2, Some(0.3));
        check(Operation::Sub, 0.3, 0.1, Some(0.2));
        check(Operation::Mul, 1.1, 1.1, Some(1.21));
        check(Operation::Div, 20.2, 5.25, Some(3.847_619_047_619_047_6));
        check(Operation::Div, -2.0, 3.0, Some(-0.666_666_666_666_666_7));
        check(Operation::Div, 1.0, 0.0, None);
    }

    #[test]
    fn too_many_digits_are_left_to_floats() {
        check(Operation::Mul, 1e300, 1e10, Some(f64::INFINITY));
        check(Operation::Add, 1e300, 1.0, Some(1e300));
        check(Operation::Add, f64::INFINITY, 1.0, Some(f64::INFINITY));
    }
}
