//! Go's own functions: logic, comparison, access, printing and escaping.

use std::cmp::Ordering;

use super::Type::{Any, Text};
use super::{Context, Function, Value, encoding, printf, text_at};
use crate::logql::stages::template::value::push;

pub(super) const FUNCTIONS: &[Function] = &[
    Function { settles_at: Some(false), ..Function::with_rest("and", &[Any], Any, |_, a| Ok(last(a))) },
    Function { settles_at: Some(true), ..Function::with_rest("or", &[Any], Any, |_, a| Ok(last(a))) },
    Function::new("not", &[Any], |_, a| Ok(Value::Bool(!a[0].is_true()))),
    Function::with_rest("eq", &[Any, Any], Any, |_, a| {
        for other in &a[1..] {
            if equal(&a[0], other)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }),
    Function::new("ne", &[Any, Any], |_, a| Ok(Value::Bool(!equal(&a[0], &a[1])?))),
    Function::new("lt", &[Any, Any], |_, a| Ok(Value::Bool(compare(&a[0], &a[1])?.is_some_and(Ordering::is_lt)))),
    Function::new("le", &[Any, Any], |_, a| Ok(Value::Bool(compare(&a[0], &a[1])?.is_some_and(Ordering::is_le)))),
    Function::new("gt", &[Any, Any], |_, a| Ok(Value::Bool(compare(&a[0], &a[1])?.is_some_and(Ordering::is_gt)))),
    Function::new("ge", &[Any, Any], |_, a| Ok(Value::Bool(compare(&a[0], &a[1])?.is_some_and(Ordering::is_ge)))),
    Function::new("len", &[Any], |context, a| {
        let length = match &a[0] {
            Value::Text(text) => text.len(),
            Value::List(values) => values.len(),
            Value::Map(values) => values.len(),
            Value::Labels => context.labels().count(),
            other => return Err(format!("len of type {}", other.type_name())),
        };
        Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
    }),
    Function::with_rest("index", &[Any], Any, |context, a| {
        a[1..].iter().try_fold(a[0].clone(), |value, index| match (value, index) {
            (value @ (Value::Map(_) | Value::Labels), Value::Text(key)) => context.field(value, key),
            (Value::List(values), index) => Ok(values[position(index, values.len())?].clone()),
            (Value::Text(text), index) => Ok(Value::Int(i64::from(text.as_bytes()[position(index, text.len())?]))),
            (other, _) => Err(format!("can't index item of type {}", other.type_name())),
        })
    }),
    Function::with_rest("slice", &[Any], Any, |context, a| slice(context, &a[0], &a[1..])),
    Function::with_rest("call", &[Any], Any, |_, a| Err(format!("non-function of type {}", a[0].type_name()))),
    Function::with_rest("print", &[], Any, |_, a| Ok(Value::text(printed(a)?))),
    Function::with_rest("println", &[], Any, |_, a| {
        let mut out = String::new();
        for (index, value) in a.iter().enumerate() {
            push(&mut out, if index == 0 { "" } else { " " })?;
            value.print(&mut out)?;
        }
        push(&mut out, "\n")?;
        Ok(Value::text(out))
    }),
    Function::with_rest("printf", &[Text], Any, |_, a| printf::format(text_at(a, 0), &a[1..]).map(Value::text)),
    Function::with_rest("html", &[], Any, |_, a| escaped(&printed(a)?, html_escape)),
    Function::with_rest("js", &[], Any, |_, a| escaped(&printed(a)?, js_escape)),
    Function::with_rest("urlquery", &[], Any, |_, a| Ok(Value::text(encoding::url_encode(&printed(a)?)))),
];

/// The value of `and` and `or` where none before it settles the matter.
fn last<'a>(values: &[Value<'a>]) -> Value<'a> {
    values.last().cloned().unwrap_or(Value::Nil)
}

fn equal(left: &Value<'_>, right: &Value<'_>) -> Result<bool, String> {
    match (left, right) {
        (Value::Nil, Value::Nil) => Ok(true),
        (Value::Nil, _) | (_, Value::Nil) => Ok(false),
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        _ => Ok(compare(left, right)? == Some(Ordering::Equal)),
    }
}

fn compare(left: &Value<'_>, right: &Value<'_>) -> Result<Option<Ordering>, String> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Ok(Some(left.cmp(right))),
        (Value::Int(left), Value::Int(right)) => Ok(Some(left.cmp(right))),
        (Value::Float(left), Value::Float(right)) => Ok(left.partial_cmp(right)),
        (Value::Time(left), Value::Time(right)) => Ok(Some(left.timestamp().cmp(&right.timestamp()))),
        (
            Value::Text(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_),
            Value::Text(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_),
        ) => Err("incompatible types for comparison".to_owned()),
        _ => Err("invalid type for comparison".to_owned()),
    }
}

fn position(index: &Value<'_>, length: usize) -> Result<usize, String> {
    let Value::Int(number) = index else {
        return Err(format!("cannot index slice/array with type {}", index.type_name()));
    };
    let position = usize::try_from(*number).ok().filter(|position| *position < length);
    position.ok_or_else(|| format!("index out of range: {number}"))
}

fn slice<'a>(context: &mut Context<'a, '_>, value: &Value<'a>, bounds: &[Value<'_>]) -> Result<Value<'a>, String> {
    let length = match value {
        Value::Text(text) => text.len(),
        Value::List(values) => values.len(),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let bound = |index: usize, default| bounds.get(index).map_or(Ok(default), |value| position(value, length + 1));
    let (start, end) = (bound(0, 0)?, bound(1, length)?);
    match value {
        Value::Text(text) => {
            let kept = text.as_bytes().get(start..end).ok_or("invalid slice index")?;
            Ok(Value::text(String::from_utf8_lossy(kept)))
        }
        Value::List(values) => {
            let kept = values.get(start..end).ok_or("invalid slice index")?;
            context.allowance.charge(kept.iter().map(Value::byte_count).sum())?;
            Ok(Value::List(kept.to_vec().into()))
        }
        _ => Ok(Value::Nil),
    }
}

/// The values one after the other, with a blank between two that are no texts.
fn printed(values: &[Value<'_>]) -> Result<String, String> {
    let mut out = String::new();
    let mut was_text = true;
    for value in values {
        let is_text = matches!(value, Value::Text(_));
        if !is_text && !was_text {
            push(&mut out, " ")?;
        }
        value.print(&mut out)?;
        was_text = is_text;
    }
    Ok(out)
}

fn escaped<'a>(text: &str, escape: fn(char) -> Option<&'static str>) -> Result<Value<'a>, String> {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match escape(c) {
            Some(replacement) => push(&mut out, replacement)?,
            None => out.push(c),
        }
    }
    Ok(Value::text(out))
}

fn html_escape(c: char) -> Option<&'static str> {
    Some(match c {
        '<' => "&lt;",
        '>' => "&gt;",
        '&' => "&amp;",
        '"' => "&#34;",
        '\'' => "&#39;",
        '\0' => "\u{fffd}",
        _ => return None,
    })
}

fn js_escape(c: char) -> Option<&'static str> {
    Some(match c {
        '\\' => r"\\",
        '\'' => r"\'",
        '"' => r#"\""#,
        '<' => r"\u003C",
        '>' => r"\u003E",
        '&' => r"\u0026",
        '=' => r"\u003D",
        '\n' => r"\u000A",
        '\r' => r"\u000D",
        '\t' => r"\u0009",
        _ => return None,
    })
}
