//! The syntax tree: what a query says, as plain data.
//!
//! Values are as the query wrote them, with escapes resolved and units converted. Nothing here is compiled: regular
//! expressions, templates and paths are text that the parser or [`super::stages`] has checked or will check.
//!
//! Depth is bounded: chains of `and`, `or` and commas are lists, and the parser limits what nests.

/// A whole query.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Answers lines.
    Log(LogExpr),
    /// Answers numbers.
    Metric(MetricExpr),
}

/// A selector and the stages that its lines go through.
#[derive(Clone, Debug, PartialEq)]
pub struct LogExpr {
    /// All of them must accept a stream's labels.
    pub matchers: Vec<LabelMatcher>,
    /// In the order of the query. [`Stage::Unwrap`] stands there at most once, and only label filters follow it; outside
    /// of a [`LogRange`] it has no effect.
    pub stages: Vec<Stage>,
}

/// A condition on the text of one label; an absent label counts as empty.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelMatcher {
    /// The label's name.
    pub name: String,
    /// How `value` is compared.
    pub op: MatchOp,
    /// A text or, for the two last operators, a regular expression that has to match the whole label.
    pub value: String,
}

/// How a [`LabelMatcher`] compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Matches,
    /// `!~`
    NotMatches,
}

/// One step of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// `|= "a" or "b"`
    LineFilter(LineFilter),
    /// `| json` and, with expressions, `| json a="x.y", b`; an expression is a path into the document.
    Json(Vec<Extraction>),
    /// `| logfmt` and, with expressions, `| logfmt a="x", b`; an expression is a key.
    Logfmt {
        /// `--strict`: the first fault is an error.
        strict: bool,
        /// `--keep-empty`: keys without a value become empty labels.
        keep_empty: bool,
        /// None means every pair.
        extractions: Vec<Extraction>,
    },
    /// `| regexp "…"`: the named groups become labels.
    Regexp(String),
    /// `| pattern "…"`: the named captures become labels.
    Pattern(String),
    /// `| unpack`
    Unpack,
    /// `| status >= 500 and method = "GET"`
    LabelFilter(LabelFilter),
    /// `| line_format "…"`, a template.
    LineFormat(String),
    /// `| label_format a=b, c="…"`
    LabelFormat(Vec<LabelFormat>),
    /// `| decolorize`
    Decolorize,
    /// `| drop a, b="x"`
    Drop(Vec<LabelTarget>),
    /// `| keep a, b="x"`
    Keep(Vec<LabelTarget>),
    /// `| unwrap duration(took)`
    Unwrap(Unwrap),
}

/// A condition on the line.
#[derive(Clone, Debug, PartialEq)]
pub struct LineFilter {
    /// How every alternative is compared.
    pub op: LineFilterOp,
    /// One at least, and the line has to be accepted by one of them. Exactly one with a negative operator.
    pub alternatives: Vec<FilterText>,
}

/// How a [`LineFilter`] compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFilterOp {
    /// `|=`
    Contains,
    /// `!=`
    NotContains,
    /// `|~`, not anchored
    Matches,
    /// `!~`, not anchored
    NotMatches,
    /// `|>`
    Pattern,
    /// `!>`
    NotPattern,
}

impl LineFilterOp {
    /// Whether it accepts the lines in which nothing is found.
    pub fn is_negative(self) -> bool {
        matches!(self, Self::NotContains | Self::NotMatches | Self::NotPattern)
    }
}

/// What a [`LineFilter`] looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterText {
    /// A text, a regular expression or a pattern, as the operator says.
    Text(String),
    /// `ip("…")`: an address, a range of addresses or a network.
    Ip(String),
}

/// `name="expression"`: the label that takes a part of the line. A name alone stands for `name="name"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extraction {
    /// The label.
    pub name: String,
    /// Where its value is in the line.
    pub expression: String,
}

/// A condition on labels.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelFilter {
    /// All hold; two at least. Every one is evaluated.
    And(Vec<LabelFilter>),
    /// One holds; two at least. Evaluation stops at the first that does.
    Or(Vec<LabelFilter>),
    /// `level = "error"`
    Text(LabelMatcher),
    /// `status >= 500`
    Number {
        /// The label whose value is compared.
        name: String,
        /// How.
        op: CompareOp,
        /// With what.
        value: f64,
    },
    /// `took > 1.5s`
    Duration {
        /// The label whose value is compared.
        name: String,
        /// How.
        op: CompareOp,
        /// With what, in nanoseconds; may be negative.
        nanoseconds: i64,
    },
    /// `size < 1KiB`
    Bytes {
        /// The label whose value is compared.
        name: String,
        /// How.
        op: CompareOp,
        /// With what.
        bytes: i64,
    },
    /// `addr = ip("10.0.0.0/8")`
    Ip {
        /// The label whose value is compared.
        name: String,
        /// `!=` rather than `=`.
        negated: bool,
        /// An address, a range of addresses or a network.
        pattern: String,
    },
}

/// How numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    /// `==`, and `=` in label filters
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
}

impl CompareOp {
    /// Whether `left op right` holds. Any comparison with NaN but `!=` is false.
    pub fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
        }
    }
}

/// One assignment of `label_format`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelFormat {
    /// `to=from`: the label `from` gets the name `to`.
    Rename {
        /// The new name.
        to: String,
        /// The old name.
        from: String,
    },
    /// `name="template"`
    Template {
        /// The label that is set.
        name: String,
        /// What it is set to.
        template: String,
    },
}

/// What `drop` and `keep` speak of: a label by its name, or only if its value fits.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelTarget {
    /// `name`
    Name(String),
    /// `name="value"`
    Matcher(LabelMatcher),
}

impl LabelTarget {
    /// The name of the label.
    pub fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Matcher(matcher) => &matcher.name,
        }
    }
}

/// Takes a label's value for the number of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwrap {
    /// The label.
    pub name: String,
    /// How its text becomes a number.
    pub conversion: Conversion,
}

/// How a label's text becomes a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// A decimal number.
    Number,
    /// `bytes(…)`: an amount with a unit, in bytes.
    Bytes,
    /// `duration(…)`: in seconds.
    Duration,
    /// `duration_seconds(…)`: the same by its other name.
    DurationSeconds,
}

/// An expression that answers numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricExpr {
    /// `count_over_time({…}[5m])`
    Range(RangeAggregation),
    /// `sum by (app) (…)`
    Vector(VectorAggregation),
    /// `… + …`
    Binary(Box<BinaryExpr>),
    /// `label_replace(…, "dst", "$1", "src", "(.*)")`
    LabelReplace(Box<LabelReplace>),
    /// `vector(1)`: one element without labels at each step.
    Constant(f64),
    /// A number alone; operations between two literals are folded while parsing.
    Literal(f64),
}

impl MetricExpr {
    /// The expression itself and everything that answers numbers in it.
    pub fn parts(&self) -> impl Iterator<Item = &Self> {
        let mut rest = vec![self];
        std::iter::from_fn(move || {
            let part = rest.pop()?;
            match part {
                Self::Vector(aggregation) => rest.push(&aggregation.inner),
                Self::Binary(binary) => rest.extend([&binary.left, &binary.right]),
                Self::LabelReplace(replace) => rest.push(&replace.inner),
                Self::Range(_) | Self::Constant(_) | Self::Literal(_) => {}
            }
            Some(part)
        })
    }
}

/// Entries of a window of time before each step.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRange {
    /// Which entries.
    pub log: LogExpr,
    /// How long the window is, in nanoseconds; more than zero.
    pub range_ns: i64,
    /// How far the window's end lies before the step, in nanoseconds; negative means after.
    pub offset_ns: i64,
}

impl LogRange {
    /// What the entries' numbers are taken from.
    pub fn unwrap(&self) -> Option<&Unwrap> {
        self.log.stages.iter().find_map(|stage| if let Stage::Unwrap(unwrap) = stage { Some(unwrap) } else { None })
    }
}

/// One number per series and step, from the entries of a window.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeAggregation {
    /// How the number is made.
    pub op: RangeOp,
    /// The quantile of [`RangeOp::Quantile`]; none with any other operator.
    pub parameter: Option<f64>,
    /// From which entries.
    pub range: LogRange,
    /// Which labels tell series apart; `None` means all of an entry.
    pub grouping: Option<Grouping>,
}

/// What a range aggregation computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeOp {
    /// `rate`
    Rate,
    /// `rate_counter`
    RateCounter,
    /// `count_over_time`
    Count,
    /// `bytes_over_time`
    Bytes,
    /// `bytes_rate`
    BytesRate,
    /// `sum_over_time`
    Sum,
    /// `avg_over_time`
    Avg,
    /// `max_over_time`
    Max,
    /// `min_over_time`
    Min,
    /// `stdvar_over_time`
    Stdvar,
    /// `stddev_over_time`
    Stddev,
    /// `quantile_over_time`
    Quantile,
    /// `first_over_time`
    First,
    /// `last_over_time`
    Last,
    /// `absent_over_time`
    Absent,
}

/// Combines the series of a vector.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorAggregation {
    /// How they are combined.
    pub op: VectorOp,
    /// How many series [`VectorOp::Topk`] and its like keep; zero with the other operators.
    pub count: usize,
    /// The vector.
    pub inner: Box<MetricExpr>,
    /// Which series are combined; `None` means all.
    pub grouping: Option<Grouping>,
}

/// What a vector aggregation computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VectorOp {
    /// `sum`
    Sum,
    /// `avg`
    Avg,
    /// `max`
    Max,
    /// `min`
    Min,
    /// `count`
    Count,
    /// `stddev`
    Stddev,
    /// `stdvar`
    Stdvar,
    /// `topk`
    Topk,
    /// `bottomk`
    Bottomk,
    /// `approx_topk`, which this implementation answers exactly
    ApproxTopk,
    /// `sort`
    Sort,
    /// `sort_desc`
    SortDesc,
}

/// `by (a, b)` or `without (a, b)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// `without` rather than `by`.
    pub without: bool,
    /// The labels' names, as written.
    pub labels: Vec<String>,
}

/// An operation on two vectors, or on a vector and a number.
#[derive(Clone, Debug, PartialEq)]
pub struct BinaryExpr {
    /// Which.
    pub op: BinaryOp,
    /// `bool`: a comparison answers 0 or 1 rather than filter.
    pub return_bool: bool,
    /// How the series of two vectors find each other.
    pub matching: VectorMatching,
    /// The left operand.
    pub left: MetricExpr,
    /// The right operand.
    pub right: MetricExpr,
}

/// What an operation computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `or`
    Or,
    /// `and`
    And,
    /// `unless`
    Unless,
    /// `==`, `!=`, `<`, `<=`, `>`, `>=`
    Compare(CompareOp),
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `^`
    Pow,
}

/// How the series of two vectors find each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VectorMatching {
    /// Which labels have to be equal; `None` means all.
    pub labels: Option<MatchingLabels>,
    /// Which side may have several series for one of the other.
    pub group: Option<Group>,
}

/// `on (a, b)` or `ignoring (a, b)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchingLabels {
    /// `ignoring` rather than `on`.
    pub ignoring: bool,
    /// The labels' names, as written.
    pub labels: Vec<String>,
}

/// `group_left (a)` or `group_right (a)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The side that may have several series for one of the other.
    pub many: Side,
    /// Labels that the result takes from the other side.
    pub include: Vec<String>,
}

/// A side of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The left operand.
    Left,
    /// The right operand.
    Right,
}

/// Sets a label from another by a regular expression.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelReplace {
    /// The vector.
    pub inner: MetricExpr,
    /// The label that is set.
    pub destination: String,
    /// Its new value, with `$1` and `${name}` for groups.
    pub replacement: String,
    /// The label that is looked at.
    pub source: String,
    /// A regular expression that has to match the whole value.
    pub regex: String,
}
