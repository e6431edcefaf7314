//! The functions of templates: Go's own, those of the sprig library that Loki has, and Loki's.
//!
//! Each is one entry of a table: its name, the types of its parameters, and what it does. A value that is piped into a
//! function is its last argument.

mod builtin;
mod decimal;
mod encoding;
pub(super) mod layout;
mod number;
mod printf;
mod regexes;
mod text;
mod time;

use super::Scope;
use super::allowance::Allowance;
use super::value::{self, Value};
use crate::logql::stages::labels::LineLabel;
pub(in crate::logql::stages) use regexes::RegexCache;

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Any,
    Text,
    Int,
    Float,
    Time,
}

impl Type {
    fn takes(self, value: &Value<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Text => matches!(value, Value::Text(_)),
            Self::Int => matches!(value, Value::Int(_)),
            // A whole number in a template is of whatever type is called for.
            Self::Float => matches!(value, Value::Float(_) | Value::Int(_)),
            Self::Time => matches!(value, Value::Time(_)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Text => "string",
            Self::Int => "int",
            Self::Float => "float64",
            Self::Time => "time.Time",
        }
    }
}

type Call = for<'a> fn(&mut Context<'a, '_>, &[Value<'a>]) -> Result<Value<'a>, String>;

/// A function of templates.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    parameters: &'static [Type],
    /// What any number of further arguments are.
    rest: Option<Type>,
    /// The truth of an argument with which `and` or `or` need look no further.
    pub(super) settles_at: Option<bool>,
    pub(super) call: Call,
}

impl Function {
    const fn new(name: &'static str, parameters: &'static [Type], call: Call) -> Self {
        Self { name, parameters, rest: None, settles_at: None, call }
    }

    const fn with_rest(name: &'static str, parameters: &'static [Type], rest: Type, call: Call) -> Self {
        Self { name, parameters, rest: Some(rest), settles_at: None, call }
    }

    /// Why `count` arguments are too many or too few.
    pub(super) fn check_count(&self, count: usize) -> Result<(), String> {
        let (name, least) = (self.name, self.parameters.len());
        match self.rest {
            None if count != least => Err(format!("wrong number of args for {name}: want {least} got {count}")),
            Some(_) if count < least => {
                Err(format!("wrong number of args for {name}: want at least {least} got {count}"))
            }
            _ => Ok(()),
        }
    }

    /// Why `value` cannot be the argument at `index`.
    pub(super) fn check_type(&self, index: usize, value: &Value<'_>) -> Result<(), String> {
        match self.parameters.get(index).copied().or(self.rest) {
            Some(wanted) if !wanted.takes(value) => {
                let (wanted, got) = (wanted.name(), value.type_name());
                Err(format!("wrong type for value; expected {wanted}; got {got}"))
            }
            _ => Ok(()),
        }
    }
}

/// The function called `name`.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    let groups = [builtin::FUNCTIONS, text::FUNCTIONS, number::FUNCTIONS, regexes::FUNCTIONS, encoding::FUNCTIONS];
    groups.into_iter().chain([time::FUNCTIONS]).flatten().find(|function| function.name == name)
}

pub(super) use number::parse_int;

/// What functions can see and use.
pub(super) struct Context<'a, 'c> {
    pub(super) scope: Scope<'a>,
    pub(super) regexes: &'c mut RegexCache,
    pub(super) allowance: &'c mut Allowance,
}

impl<'a> Context<'a, '_> {
    /// The labels, sorted by name.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut labels: Vec<LineLabel<'a>> = self.scope.labels.iter_from(self.scope.snapshot).collect();
        labels.sort_unstable_by_key(|label| label.name);
        labels.into_iter().map(|label| (label.name, label.value))
    }

    /// Prints the labels as Go prints a map.
    pub(super) fn print_labels(&self, out: &mut String) -> Result<(), String> {
        value::push(out, "map[")?;
        for (index, (name, value)) in self.labels().enumerate() {
            let separator = if index == 0 { "" } else { " " };
            value::push(out, &format!("{separator}{name}:{value}"))?;
        }
        value::push(out, "]")
    }

    /// What `value` has under the name `field`.
    pub(super) fn field(&self, value: Value<'a>, field: &str) -> Result<Value<'a>, String> {
        match value {
            Value::Labels => {
                let label = self.scope.labels.get_from(self.scope.snapshot, field);
                Ok(Value::Text(label.unwrap_or_default().into()))
            }
            Value::Map(values) => Ok(values.get(field).cloned().unwrap_or(Value::Nil)),
            Value::Nil => Err(format!("nil pointer evaluating interface {{}}.{field}")),
            other => Err(format!("can't evaluate field {field} in type {}", other.type_name())),
        }
    }
}

/// The argument at `index`, whose type has been checked, as text.
fn text_at<'v>(arguments: &'v [Value<'_>], index: usize) -> &'v str {
    if let Some(Value::Text(text)) = arguments.get(index) { text } else { "" }
}

/// The argument at `index`, whose type has been checked, as a whole number.
fn int_at(arguments: &[Value<'_>], index: usize) -> i64 {
    if let Some(Value::Int(number)) = arguments.get(index) { *number } else { 0 }
}
