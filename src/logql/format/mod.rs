//! Prints expressions: on one line with `Display`, over several with [`pretty()`]. Both can be read again.

mod pretty;

use std::fmt::{self, Display, Formatter, Write as _};

use crate::logql::ast::{
    BinaryExpr, Expr, Extraction, FilterText, Group, Grouping, LabelFilter, LabelFormat, LabelMatcher, LabelReplace,
    LabelTarget, LineFilter, LogExpr, LogRange, MatchingLabels, MetricExpr, RangeAggregation, Side, Stage, Unwrap,
    VectorAggregation,
};
use crate::logql::ast::{CompareOp, Conversion};
use crate::logql::units::{format_bytes, format_duration};

pub use pretty::pretty;
#[cfg(test)]
pub(super) use pretty::pretty_within;

/// A text in double quotes, as the lexer reads it.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                _ if c.is_ascii_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                _ => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// Items with something between them.
struct Joined<'a, T>(&'a [T], &'a str);

impl<T: Display> Display for Joined<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { self.1 };
            write!(f, "{separator}{item}")?;
        }
        Ok(())
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(expr) => expr.fmt(f),
            Self::Metric(expr) => expr.fmt(f),
        }
    }
}

/// The selector of `expr` alone.
struct Selector<'a>(&'a LogExpr);

impl Display for Selector<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", Joined(&self.0.matchers, ", "))
    }
}

impl Display for LogExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Selector(self))?;
        self.stages.iter().try_for_each(|stage| write!(f, " {stage}"))
    }
}

impl Display for LabelMatcher {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.name, self.op, Quoted(&self.value))
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineFilter(filter) => filter.fmt(f),
            Self::Json(extractions) => {
                f.write_str("| json")?;
                fmt_extractions(extractions, f)
            }
            Self::Logfmt { strict, keep_empty, extractions } => {
                f.write_str("| logfmt")?;
                f.write_str(if *strict { " --strict" } else { "" })?;
                f.write_str(if *keep_empty { " --keep-empty" } else { "" })?;
                fmt_extractions(extractions, f)
            }
            Self::Regexp(regex) => write!(f, "| regexp {}", Quoted(regex)),
            Self::Pattern(pattern) => write!(f, "| pattern {}", Quoted(pattern)),
            Self::Unpack => f.write_str("| unpack"),
            Self::LabelFilter(filter) => write!(f, "| {filter}"),
            Self::LineFormat(template) => write!(f, "| line_format {}", Quoted(template)),
            Self::LabelFormat(formats) => write!(f, "| label_format {}", Joined(formats, ",")),
            Self::Decolorize => f.write_str("| decolorize"),
            Self::Drop(targets) => write!(f, "| drop {}", Joined(targets, ",")),
            Self::Keep(targets) => write!(f, "| keep {}", Joined(targets, ",")),
            Self::Unwrap(unwrap) => unwrap.fmt(f),
        }
    }
}

fn fmt_extractions(extractions: &[Extraction], f: &mut Formatter<'_>) -> fmt::Result {
    let separator = if extractions.is_empty() { "" } else { " " };
    write!(f, "{separator}{}", Joined(extractions, ","))
}

impl Display for Extraction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, Quoted(&self.expression))
    }
}

impl Display for LineFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.op, Joined(&self.alternatives, " or "))
    }
}

impl Display for FilterText {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => Quoted(text).fmt(f),
            Self::Ip(pattern) => write!(f, "ip({})", Quoted(pattern)),
        }
    }
}

impl Display for LabelFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(filters) => write!(f, "( {} )", Joined(filters, " , ")),
            Self::Or(filters) => write!(f, "( {} )", Joined(filters, " or ")),
            Self::Text(matcher) => matcher.fmt(f),
            Self::Number { name, op, value } => write!(f, "{name}{op}{value}"),
            Self::Duration { name, op, nanoseconds } => write!(f, "{name}{op}{}", format_duration(*nanoseconds)),
            Self::Bytes { name, op, bytes } => write!(f, "{name}{op}{}", format_bytes(*bytes)),
            Self::Ip { name, negated, pattern } => {
                let op = if *negated { CompareOp::NotEqual.name() } else { "=" };
                write!(f, "{name}{op}ip({})", Quoted(pattern))
            }
        }
    }
}

impl Display for LabelFormat {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rename { to, from } => write!(f, "{to}={from}"),
            Self::Template { name, template } => write!(f, "{name}={}", Quoted(template)),
        }
    }
}

impl Display for LabelTarget {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Matcher(matcher) => matcher.fmt(f),
        }
    }
}

impl Display for Unwrap {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.conversion {
            Conversion::Number => write!(f, "| unwrap {}", self.name),
            conversion => write!(f, "| unwrap {conversion}({})", self.name),
        }
    }
}

impl Display for MetricExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(aggregation) => aggregation.fmt(f),
            Self::Vector(aggregation) => aggregation.fmt(f),
            Self::Binary(expr) => expr.fmt(f),
            Self::LabelReplace(expr) => expr.fmt(f),
            Self::Constant(value) => write!(f, "vector({value})"),
            Self::Literal(value) => write!(f, "{value}"),
        }
    }
}

impl Display for RangeAggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.op)?;
        if let Some(parameter) = self.parameter {
            write!(f, "{parameter},")?;
        }
        write!(f, "{}{})", self.range.log, Window(&self.range))?;
        self.grouping.as_ref().map_or(Ok(()), |grouping| write!(f, " {grouping}"))
    }
}

/// The window of a range without its entries: `[5m] offset 1h`.
struct Window<'a>(&'a LogRange);

impl Display for Window<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", format_duration(self.0.range_ns))?;
        match self.0.offset_ns {
            0 => Ok(()),
            offset => write!(f, " offset {}", format_duration(offset)),
        }
    }
}

/// The beginning of a vector aggregation: `sum by (app)`.
struct Head<'a>(&'a VectorAggregation);

impl Display for Head<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.op)?;
        self.0.grouping.as_ref().map_or(Ok(()), |grouping| write!(f, " {grouping}"))
    }
}

impl Display for VectorAggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", Head(self))?;
        if self.count != 0 {
            write!(f, "{},", self.count)?;
        }
        write!(f, "{})", self.inner)
    }
}

impl Display for Grouping {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let keyword = if self.without { "without" } else { "by" };
        write!(f, "{keyword} ({})", Joined(&self.labels, ", "))
    }
}

/// The middle of an operation: `/ on (app) group_left (team)`.
struct Operator<'a>(&'a BinaryExpr);

impl Display for Operator<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let expr = self.0;
        let bool_modifier = if expr.return_bool { " bool" } else { "" };
        write!(f, "{}{bool_modifier}", expr.op)?;
        if let Some(MatchingLabels { ignoring, labels }) = &expr.matching.labels {
            let keyword = if *ignoring { "ignoring" } else { "on" };
            write!(f, " {keyword} ({})", Joined(labels, ", "))?;
        }
        if let Some(Group { many, include }) = &expr.matching.group {
            let keyword = if *many == Side::Left { "group_left" } else { "group_right" };
            write!(f, " {keyword} ({})", Joined(include, ", "))?;
        }
        Ok(())
    }
}

impl Display for BinaryExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "({} {} {})", self.left, Operator(self), self.right)
    }
}

/// The arguments of `label_replace` after the vector.
fn label_replace_arguments(expr: &LabelReplace) -> [Quoted<'_>; 4] {
    [&expr.destination, &expr.replacement, &expr.source, &expr.regex].map(|argument| Quoted(argument))
}

impl Display for LabelReplace {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "label_replace({},{})", self.inner, Joined(&label_replace_arguments(self), ","))
    }
}
