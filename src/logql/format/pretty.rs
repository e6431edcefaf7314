//! Prints an expression over several lines where it does not fit on one.

use std::fmt::Display;

use crate::logql::ast::{BinaryExpr, BinaryOp, Expr, LogExpr, MetricExpr, Side};
use crate::logql::format::{Head, Operator, Selector, Window, label_replace_arguments};
use crate::logql::parser::precedence;

/// Longest expression that stays on one line, in bytes without its indentation; Loki's width.
const WIDTH_MAX: usize = 100;
/// Blanks for each level.
const INDENT: usize = 2;

/// The canonical text of `expr`, for people to read: stages, arguments and operands on lines of their own, unless they
/// are short.
pub fn pretty(expr: &Expr) -> String {
    pretty_within(expr, WIDTH_MAX)
}

/// The same with another width.
pub(in crate::logql) fn pretty_within(expr: &Expr, width_max: usize) -> String {
    let mut lines = Lines { lines: Vec::new(), width_max };
    match expr {
        Expr::Log(expr) => lines.log(expr, 0),
        Expr::Metric(expr) => lines.metric(expr, 0),
    }
    lines.lines.join("\n")
}

/// The lines so far.
struct Lines {
    lines: Vec<String>,
    width_max: usize,
}

impl Lines {
    fn push(&mut self, level: usize, line: impl Display) {
        self.lines.push(format!("{:indent$}{line}", "", indent = level * INDENT));
    }

    /// Adds to the last line.
    fn append(&mut self, text: impl Display) {
        let last = self.lines.last_mut().expect("there is a line to add to");
        last.push_str(&text.to_string());
    }

    /// Pushes `expr` whole if it is short.
    fn push_short(&mut self, level: usize, expr: &impl Display) -> bool {
        let text = expr.to_string();
        let is_short = text.len() <= self.width_max;
        if is_short {
            self.push(level, text);
        }
        is_short
    }

    fn log(&mut self, expr: &LogExpr, level: usize) {
        if self.push_short(level, expr) {
            return;
        }
        self.push(level, Selector(expr));
        for stage in &expr.stages {
            self.push(level + 1, stage);
        }
    }

    fn metric(&mut self, expr: &MetricExpr, level: usize) {
        if self.push_short(level, expr) {
            return;
        }
        match expr {
            MetricExpr::Range(aggregation) => {
                self.push(level, format_args!("{}(", aggregation.op));
                if let Some(parameter) = aggregation.parameter {
                    self.push(level + 1, format_args!("{parameter},"));
                }
                self.log(&aggregation.range.log, level + 1);
                self.append(format_args!(" {}", Window(&aggregation.range)));
                self.push(level, ")");
                if let Some(grouping) = &aggregation.grouping {
                    self.append(format_args!(" {grouping}"));
                }
            }
            MetricExpr::Vector(aggregation) => {
                self.push(level, format_args!("{}(", Head(aggregation)));
                if aggregation.count != 0 {
                    self.push(level + 1, format_args!("{},", aggregation.count));
                }
                self.metric(&aggregation.inner, level + 1);
                self.push(level, ")");
            }
            MetricExpr::LabelReplace(replace) => {
                self.push(level, "label_replace(");
                self.metric(&replace.inner, level + 1);
                for argument in label_replace_arguments(replace) {
                    self.append(",");
                    self.push(level + 1, argument);
                }
                self.push(level, ")");
            }
            MetricExpr::Binary(binary) => {
                self.operand(binary, Side::Left, level + 1);
                self.push(level, Operator(binary));
                self.operand(binary, Side::Right, level + 1);
            }
            MetricExpr::Constant(_) | MetricExpr::Literal(_) => self.push(level, expr),
        }
    }

    /// An operand, in parentheses if the operators' precedence would read it otherwise.
    fn operand(&mut self, parent: &BinaryExpr, side: Side, level: usize) {
        let operand = if side == Side::Left { &parent.left } else { &parent.right };
        let needs_parentheses = match operand {
            MetricExpr::Binary(child) => {
                let natural_side = if parent.op == BinaryOp::Pow { Side::Right } else { Side::Left };
                let (inner, outer) = (precedence(child.op), precedence(parent.op));
                inner < outer || (inner == outer && side != natural_side)
            }
            _ => false,
        };
        if !needs_parentheses {
            return self.metric(operand, level);
        }
        if !self.push_short(level, operand) {
            self.push(level, "(");
            self.metric(operand, level + 1);
            self.push(level, ")");
        }
    }
}
