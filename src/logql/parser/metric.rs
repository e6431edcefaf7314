//! What answers numbers: aggregations over time and over series, and operations between them.

use crate::logql::arithmetic::{Outcome, apply, number};
use crate::logql::ast::{
    BinaryExpr, BinaryOp, Expr, Group, Grouping, LabelReplace, LogExpr, LogRange, MatchingLabels, MetricExpr,
    RangeAggregation, RangeOp, Side, Stage, VectorAggregation, VectorMatching, VectorOp,
};
use crate::logql::limits::OPERATIONS_MAX;
use crate::logql::parser::{Parser, is_name, to_float};
use crate::logql::token::Token;
use crate::logql::{Error, regexp};

/// How tightly the operators bind: the loosest first.
const OR: u8 = 1;
const POW: u8 = 6;

pub(in crate::logql) fn precedence(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => OR,
        BinaryOp::And | BinaryOp::Unless => 2,
        BinaryOp::Compare(_) => 3,
        BinaryOp::Add | BinaryOp::Sub => 4,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod => 5,
        BinaryOp::Pow => POW,
    }
}

/// The time that a range aggregation looks at, without the entries.
#[derive(Clone, Copy)]
struct Window {
    range_ns: i64,
    offset_ns: i64,
}

impl Parser<'_> {
    /// A whole expression of either kind.
    pub(super) fn expr(&mut self) -> Result<Expr, Error> {
        self.operations_from(OR)
    }

    /// An expression that has to answer numbers.
    fn metric_expr(&mut self) -> Result<MetricExpr, Error> {
        match self.expr()? {
            Expr::Metric(expr) => Ok(expr),
            Expr::Log(_) => Err(self.unexpected("")),
        }
    }

    /// An operand and the operations after it that bind at least as tightly as `loosest`.
    fn operations_from(&mut self, loosest: u8) -> Result<Expr, Error> {
        self.nested(|parser| {
            let mut left = parser.operand()?;
            while let Some(op) = parser.binary_op().filter(|op| loosest <= precedence(*op)) {
                parser.advance()?;
                let (return_bool, matching) = parser.modifiers()?;
                // Only `^` takes what stands to its right before what stands to its left.
                let right_from = if op == BinaryOp::Pow { POW } else { precedence(op) + 1 };
                let right = parser.operations_from(right_from)?;
                left = Expr::Metric(parser.operation(op, return_bool, matching, left, right)?);
            }
            Ok(left)
        })
    }

    fn binary_op(&self) -> Option<BinaryOp> {
        match self.token {
            Token::Symbol(name) | Token::Keyword(name) => BinaryOp::from_name(name),
            _ => None,
        }
    }

    /// `bool on (a) group_left (b)`, or parts of it.
    fn modifiers(&mut self) -> Result<(bool, VectorMatching), Error> {
        let return_bool = self.accept_keyword("bool")?;
        let mut matching = VectorMatching::default();
        let ignoring = self.token == Token::Keyword("ignoring");
        if ignoring || self.token == Token::Keyword("on") {
            self.advance()?;
            matching.labels = Some(MatchingLabels { ignoring, labels: self.names()? });
            let many = match self.token {
                Token::Keyword("group_left") => Some(Side::Left),
                Token::Keyword("group_right") => Some(Side::Right),
                _ => None,
            };
            if let Some(many) = many {
                self.advance()?;
                let include = if self.is_symbol("(") && self.are_names_next() { self.names()? } else { Vec::new() };
                matching.group = Some(Group { many, include });
            }
        }
        Ok((return_bool, matching))
    }

    /// Whether the parenthesis in view holds names rather than an operand.
    fn are_names_next(&self) -> bool {
        self.is_next(")") || self.lexer.clone().next().is_ok_and(|(token, _)| is_name(&token))
    }

    /// Checks the operands; between two numbers, computes at once.
    fn operation(
        &mut self,
        op: BinaryOp,
        return_bool: bool,
        matching: VectorMatching,
        left: Expr,
        right: Expr,
    ) -> Result<MetricExpr, Error> {
        let left = metric_operand(op, "left", left)?;
        let right = metric_operand(op, "right", right)?;
        if let (MetricExpr::Literal(left), MetricExpr::Literal(right)) = (&left, &right) {
            let outcome = apply(op, *left, *right).expect("set operations on numbers are refused above");
            return Ok(MetricExpr::Literal(match outcome {
                Outcome::Number(value) => value,
                Outcome::Truth(truth) => number(truth),
            }));
        }
        self.operations += 1;
        if OPERATIONS_MAX < self.operations {
            let message = format!("the query has more than {OPERATIONS_MAX} binary operations");
            return Err(Error::syntax(self.position, message));
        }
        Ok(MetricExpr::Binary(Box::new(BinaryExpr { op, return_bool, matching, left, right })))
    }

    fn operand(&mut self) -> Result<Expr, Error> {
        match &self.token {
            Token::Symbol("{") => self.log_expr().map(Expr::Log),
            Token::Symbol("(") => {
                self.advance()?;
                let expr = self.expr()?;
                self.expect_symbol(")")?;
                Ok(expr)
            }
            Token::Symbol("-" | "+") => {
                let sign = if self.is_symbol("-") { -1.0 } else { 1.0 };
                self.advance()?;
                Ok(Expr::Metric(MetricExpr::Literal(sign * self.float()?)))
            }
            Token::Number(_) => self.float().map(MetricExpr::Literal).map(Expr::Metric),
            Token::Function(name) => {
                let name = name.clone();
                self.function(&name).map(Expr::Metric)
            }
            _ => Err(self.unexpected("")),
        }
    }

    fn function(&mut self, name: &str) -> Result<MetricExpr, Error> {
        if let Some(op) = RangeOp::from_name(name) {
            return self.range_aggregation(op).map(MetricExpr::Range);
        }
        if let Some(op) = VectorOp::from_name(name) {
            return self.vector_aggregation(op).map(MetricExpr::Vector);
        }
        match name {
            "vector" => {
                self.advance()?;
                self.expect_symbol("(")?;
                let value = self.float()?;
                self.expect_symbol(")")?;
                Ok(MetricExpr::Constant(value))
            }
            "label_replace" => self.label_replace(),
            _ => Err(self.unexpected("")),
        }
    }

    fn label_replace(&mut self) -> Result<MetricExpr, Error> {
        self.advance()?;
        self.expect_symbol("(")?;
        let inner = self.metric_expr()?;
        let mut arguments = [const { String::new() }; 4];
        for argument in &mut arguments {
            self.expect_symbol(",")?;
            *argument = self.string()?;
        }
        self.expect_symbol(")")?;
        let [destination, replacement, source, regex] = arguments;
        self.count_expression(self.position)?;
        regexp::for_labels(&regex)
            .map_err(|error| Error::meaning(format!("invalid regex in label_replace: {error}")))?;
        Ok(MetricExpr::LabelReplace(Box::new(LabelReplace { inner, destination, replacement, source, regex })))
    }

    /// `by (a, b)` or `without (a, b)`, or nothing.
    fn grouping(&mut self) -> Result<Option<Grouping>, Error> {
        let without = self.token == Token::Keyword("without");
        if !without && self.token != Token::Keyword("by") {
            return Ok(None);
        }
        self.advance()?;
        Ok(Some(Grouping { without, labels: self.names()? }))
    }

    /// Takes `(` and, if it is there, the number before the first comma.
    fn parameter(&mut self) -> Result<Option<String>, Error> {
        self.expect_symbol("(")?;
        if !matches!(self.token, Token::Number(_)) || !self.is_next(",") {
            return Ok(None);
        }
        let parameter = self.number()?;
        self.advance()?;
        Ok(Some(parameter))
    }

    fn vector_aggregation(&mut self, op: VectorOp) -> Result<VectorAggregation, Error> {
        self.advance()?;
        let before = self.grouping()?;
        let parameter = self.parameter()?;
        let inner = Box::new(self.metric_expr()?);
        self.expect_symbol(")")?;
        let grouping = if before.is_some() { before } else { self.grouping()? };

        let takes_count = matches!(op, VectorOp::Topk | VectorOp::Bottomk | VectorOp::ApproxTopk);
        let count = match parameter {
            None if takes_count => return Err(Error::meaning(format!("parameter required for operation {op}"))),
            None => 0,
            Some(text) if !takes_count => {
                return Err(Error::meaning(format!("unsupported parameter for operation {op}({text},")));
            }
            Some(text) => match text.parse::<usize>() {
                Ok(0) => {
                    return Err(Error::meaning(format!("invalid parameter (must be greater than 0) {op}({text}")));
                }
                Ok(count) => count,
                Err(_) => return Err(Error::meaning(format!("invalid parameter {op}({text},"))),
            },
        };
        match op {
            _ if grouping.is_none() => {}
            VectorOp::Sort | VectorOp::SortDesc => {
                return Err(Error::meaning("sort and sort_desc doesn't allow grouping by "));
            }
            VectorOp::ApproxTopk => {
                return Err(Error::meaning(format!("grouping not allowed for {op} aggregation")));
            }
            _ => {}
        }
        Ok(VectorAggregation { op, count, inner, grouping })
    }

    fn range_aggregation(&mut self, op: RangeOp) -> Result<RangeAggregation, Error> {
        self.advance()?;
        let parameter = self.parameter()?;
        if !self.is_symbol("{") && !self.is_symbol("(") {
            return Err(self.unexpected("NUMBER or { or ("));
        }
        let (log, window) = self.log_range()?;
        let Window { range_ns, offset_ns } = window.ok_or_else(|| self.unexpected("RANGE"))?;
        self.expect_symbol(")")?;
        let grouping = self.grouping()?;
        let parameter = match parameter {
            None if op == RangeOp::Quantile => {
                return Err(Error::meaning(format!("parameter required for operation {op}")));
            }
            None => None,
            Some(text) if op != RangeOp::Quantile => {
                return Err(Error::meaning(format!("parameter {text} not supported for operation {op}")));
            }
            Some(text) => Some(to_float(&text)?),
        };
        let aggregation = RangeAggregation { op, parameter, range: LogRange { log, range_ns, offset_ns }, grouping };
        check_range_aggregation(&aggregation)?;
        Ok(aggregation)
    }

    /// Entries and, before, in or after their pipeline, the window.
    fn log_range(&mut self) -> Result<(LogExpr, Option<Window>), Error> {
        if !self.is_symbol("(") {
            let matchers = self.checked_selector()?;
            let before = self.window()?;
            let mut stages = self.pipeline()?;
            stages.extend(self.unwrap()?);
            let window = if before.is_some() { before } else { self.window()? };
            return Ok((LogExpr { matchers, stages }, window));
        }
        self.advance()?;
        let (mut log, inner) = self.nested(Self::log_range)?;
        self.expect_symbol(")")?;
        if inner.is_some() {
            return Ok((log, inner));
        }
        let window = self.window()?;
        if window.is_some() && !log.stages.iter().any(|stage| matches!(stage, Stage::Unwrap(_))) {
            log.stages.extend(self.unwrap()?);
        }
        Ok((log, window))
    }

    /// `[5m] offset 1h`, or nothing.
    fn window(&mut self) -> Result<Option<Window>, Error> {
        let Token::Range(range_ns) = self.token else { return Ok(None) };
        self.advance()?;
        let offset_ns = if self.accept_keyword("offset")? { self.offset()? } else { 0 };
        Ok(Some(Window { range_ns, offset_ns }))
    }

    fn offset(&mut self) -> Result<i64, Error> {
        let is_negative = self.accept_symbol("-")?;
        let Token::Duration(nanoseconds) = self.token else { return Err(self.unexpected("DURATION")) };
        self.advance()?;
        Ok(if is_negative { -nanoseconds } else { nanoseconds })
    }
}

/// An operand that has to answer numbers and, for operations on sets, more than one number.
fn metric_operand(op: BinaryOp, side: &str, operand: Expr) -> Result<MetricExpr, Error> {
    let expr = match operand {
        Expr::Metric(expr) => expr,
        Expr::Log(log) => {
            let message = format!("unexpected type for {side} leg of binary operation ({op}): log query {log}");
            return Err(Error::meaning(message));
        }
    };
    match (op, &expr) {
        (BinaryOp::Or | BinaryOp::And | BinaryOp::Unless, MetricExpr::Literal(value)) => Err(Error::meaning(format!(
            "unexpected literal for {side} leg of logical/set binary operation ({op}): {value:.6}"
        ))),
        _ => Ok(expr),
    }
}

/// Holds an aggregation to what its operator allows.
fn check_range_aggregation(aggregation: &RangeAggregation) -> Result<(), Error> {
    let op = aggregation.op;
    let has_unwrap = aggregation.range.unwrap().is_some();
    match op {
        RangeOp::Rate | RangeOp::Absent => {}
        RangeOp::Count | RangeOp::Bytes | RangeOp::BytesRate => {
            if has_unwrap {
                return Err(Error::meaning(format!("invalid aggregation {op} with unwrap")));
            }
        }
        _ => {
            if !has_unwrap {
                return Err(Error::meaning(format!("invalid aggregation {op} without unwrap")));
            }
        }
    }
    let allows_grouping = matches!(
        op,
        RangeOp::Avg
            | RangeOp::Max
            | RangeOp::Min
            | RangeOp::Stdvar
            | RangeOp::Stddev
            | RangeOp::First
            | RangeOp::Last
            | RangeOp::Quantile
    );
    if aggregation.grouping.is_some() && !allows_grouping {
        return Err(Error::meaning(format!("grouping not allowed for {op} aggregation")));
    }
    Ok(())
}
