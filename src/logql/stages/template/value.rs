//! What templates calculate with, and how it is printed: Go's types and `%v`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::functions::layout;

/// Longest text that a template may make, in bytes: the longest line twice. Functions check it before they build more.
pub(super) const TEXT_BYTES_MAX: usize = 2 << 20;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// Nothing: `nil`, or what a JSON object does not have.
    Nil,
    Text(Cow<'a, str>),
    Int(i64),
    Float(f64),
    Bool(bool),
    Time(Rc<jiff::Zoned>),
    /// A list out of a JSON text.
    List(Rc<Vec<Value<'a>>>),
    /// An object out of a JSON text.
    Map(Rc<BTreeMap<String, Value<'a>>>),
    /// The labels of the line: the dot, to begin with.
    Labels,
}

impl<'a> Value<'a> {
    /// A text that was made.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(Cow::Owned(text.into()))
    }

    /// What a copy of it takes in memory, in bytes; copies share what is in a list or an object.
    pub(super) fn byte_count(&self) -> usize {
        size_of::<Self>() + if let Self::Text(text) = self { text.len() } else { 0 }
    }

    /// The name of its type in Go.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Text(_) => "string",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Bool(_) => "bool",
            Self::Time(_) => "time.Time",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
            Self::Labels => "map[string]string",
        }
    }

    /// Whether it counts as true: anything but zero, false, and what is empty.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Text(text) => !text.is_empty(),
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Bool(truth) => *truth,
            Self::List(values) => !values.is_empty(),
            Self::Map(values) => !values.is_empty(),
            Self::Time(_) | Self::Labels => true,
        }
    }

    /// Appends it as `%v` prints it.
    pub(super) fn print(&self, out: &mut String) -> Result<(), String> {
        match self {
            Self::Nil => push(out, "<nil>"),
            Self::Text(text) => push(out, text),
            Self::Int(number) => push(out, &number.to_string()),
            Self::Float(number) => push(out, &format_float(*number)),
            Self::Bool(truth) => push(out, if *truth { "true" } else { "false" }),
            Self::Time(time) => push(out, &layout::format_default(time)),
            Self::List(values) => {
                push(out, "[")?;
                for (index, value) in values.iter().enumerate() {
                    push(out, if index == 0 { "" } else { " " })?;
                    value.print(out)?;
                }
                push(out, "]")
            }
            Self::Map(values) => {
                push(out, "map[")?;
                for (index, (key, value)) in values.iter().enumerate() {
                    push(out, if index == 0 { "" } else { " " })?;
                    push(out, key)?;
                    push(out, ":")?;
                    value.print(out)?;
                }
                push(out, "]")
            }
            Self::Labels => push(out, "map[]"),
        }
    }

    /// It as `%v` prints it.
    pub(super) fn printed(&self) -> Result<Cow<'a, str>, String> {
        if let Self::Text(text) = self {
            return Ok(text.clone());
        }
        let mut out = String::new();
        self.print(&mut out)?;
        Ok(Cow::Owned(out))
    }
}

/// Appends `text` unless the whole becomes too long.
pub(super) fn push(out: &mut String, text: &str) -> Result<(), String> {
    check_length(out.len().saturating_add(text.len()))?;
    out.push_str(text);
    Ok(())
}

/// Refuses a text of more than [`TEXT_BYTES_MAX`] bytes.
pub(super) fn check_length(bytes: usize) -> Result<(), String> {
    if TEXT_BYTES_MAX < bytes { Err(format!("text is longer than {TEXT_BYTES_MAX} bytes")) } else { Ok(()) }
}

/// A float in its shortest form, with an exponent if it is below -4 or above 5.
pub(super) fn format_float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number < 0.0 { "-Inf" } else { "+Inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => format!("{mantissa}e{}", format_exponent(exponent)),
        _ => number.to_string(),
    }
}

/// An exponent with its sign and at least two digits.
pub(super) fn format_exponent(exponent: i32) -> String {
    format!("{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.unsigned_abs())
}
