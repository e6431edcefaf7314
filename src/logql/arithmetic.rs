//! Operations on two numbers, as the parser folds them and the evaluator applies them.

use crate::logql::ast::BinaryOp;

/// What `left op right` gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Outcome {
    /// A number.
    Number(f64),
    /// Whether a comparison holds.
    Truth(bool),
}

/// Applies an operation; `None` for those on sets, which have no meaning for numbers.
pub(super) fn apply(op: BinaryOp, left: f64, right: f64) -> Option<Outcome> {
    Some(Outcome::Number(match op {
        BinaryOp::Or | BinaryOp::And | BinaryOp::Unless => return None,
        BinaryOp::Compare(op) => return Some(Outcome::Truth(op.holds(&left, &right))),
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        // Not infinity: a rate of nothing by nothing is no number, and neither is any other.
        BinaryOp::Div | BinaryOp::Mod if right == 0.0 => f64::NAN,
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => left.powf(right),
    }))
}

/// A truth as a number.
pub(super) fn number(truth: bool) -> f64 {
    if truth { 1.0 } else { 0.0 }
}
