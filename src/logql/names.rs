//! What functions and operators are called; each name stands here only.

use std::fmt;

use crate::logql::ast::{BinaryOp, CompareOp, Conversion, LineFilterOp, MatchOp, RangeOp, VectorOp};

/// Every value of a type with its name.
trait Named: Copy + PartialEq + Sized + 'static {
    /// Each value once.
    const NAMES: &'static [(Self, &'static str)];
}

/// Gives a type its names, and with them `name`, `from_name` and `Display`.
macro_rules! names {
    ($type:ty { $($value:expr => $name:literal,)+ }) => {
        impl Named for $type {
            const NAMES: &'static [(Self, &'static str)] = &[$(($value, $name)),+];
        }

        impl $type {
            /// How queries write it.
            pub fn name(self) -> &'static str {
                let (_, name) = Self::NAMES.iter().find(|(value, _)| *value == self).expect("every value has a name");
                name
            }

            /// The value that queries write as `name`, in lower case.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::NAMES.iter().find(|(_, candidate)| *candidate == name).map(|(value, _)| *value)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

names!(RangeOp {
    Self::Rate => "rate",
    Self::RateCounter => "rate_counter",
    Self::Count => "count_over_time",
    Self::Bytes => "bytes_over_time",
    Self::BytesRate => "bytes_rate",
    Self::Sum => "sum_over_time",
    Self::Avg => "avg_over_time",
    Self::Max => "max_over_time",
    Self::Min => "min_over_time",
    Self::Stdvar => "stdvar_over_time",
    Self::Stddev => "stddev_over_time",
    Self::Quantile => "quantile_over_time",
    Self::First => "first_over_time",
    Self::Last => "last_over_time",
    Self::Absent => "absent_over_time",
});

names!(VectorOp {
    Self::Sum => "sum",
    Self::Avg => "avg",
    Self::Max => "max",
    Self::Min => "min",
    Self::Count => "count",
    Self::Stddev => "stddev",
    Self::Stdvar => "stdvar",
    Self::Topk => "topk",
    Self::Bottomk => "bottomk",
    Self::ApproxTopk => "approx_topk",
    Self::Sort => "sort",
    Self::SortDesc => "sort_desc",
});

names!(Conversion {
    Self::Number => "",
    Self::Bytes => "bytes",
    Self::Duration => "duration",
    Self::DurationSeconds => "duration_seconds",
});

names!(MatchOp {
    Self::Equal => "=",
    Self::NotEqual => "!=",
    Self::Matches => "=~",
    Self::NotMatches => "!~",
});

names!(LineFilterOp {
    Self::Contains => "|=",
    Self::NotContains => "!=",
    Self::Matches => "|~",
    Self::NotMatches => "!~",
    Self::Pattern => "|>",
    Self::NotPattern => "!>",
});

names!(CompareOp {
    Self::Equal => "==",
    Self::NotEqual => "!=",
    Self::Greater => ">",
    Self::GreaterOrEqual => ">=",
    Self::Less => "<",
    Self::LessOrEqual => "<=",
});

names!(BinaryOp {
    Self::Or => "or",
    Self::And => "and",
    Self::Unless => "unless",
    Self::Compare(CompareOp::Equal) => "==",
    Self::Compare(CompareOp::NotEqual) => "!=",
    Self::Compare(CompareOp::Greater) => ">",
    Self::Compare(CompareOp::GreaterOrEqual) => ">=",
    Self::Compare(CompareOp::Less) => "<",
    Self::Compare(CompareOp::LessOrEqual) => "<=",
    Self::Add => "+",
    Self::Sub => "-",
    Self::Mul => "*",
    Self::Div => "/",
    Self::Mod => "%",
    Self::Pow => "^",
});
