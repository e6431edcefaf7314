//! Functions on texts. Unless it says otherwise, what counts in them counts bytes.

use std::collections::BTreeSet;

use super::Type::{Any, Int, Text};
use super::{Function, Value, int_at, text_at};
use crate::logql::stages::template::value::check_length;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("ToLower", &[Text], |_, a| Ok(Value::text(text_at(a, 0).to_lowercase()))),
    // As Prometheus calls them, for alerts.
    Function::new("toUpper", &[Text], |_, a| Ok(Value::text(text_at(a, 0).to_uppercase()))),
    Function::new("toLower", &[Text], |_, a| Ok(Value::text(text_at(a, 0).to_lowercase()))),
    Function::new("ToUpper", &[Text], |_, a| Ok(Value::text(text_at(a, 0).to_uppercase()))),
    Function::new("Replace", &[Text, Text, Text, Int], |_, a| {
        replace(text_at(a, 0), text_at(a, 1), text_at(a, 2), usize::try_from(int_at(a, 3)).ok())
    }),
    Function::new("Trim", &[Text, Text], |_, a| Ok(trim_set(text_at(a, 0), text_at(a, 1)))),
    Function::new("TrimLeft", &[Text, Text], |_, a| {
        let set = characters(text_at(a, 1));
        Ok(Value::text(text_at(a, 0).trim_start_matches(|c| set.contains(&c))))
    }),
    Function::new("TrimRight", &[Text, Text], |_, a| {
        let set = characters(text_at(a, 1));
        Ok(Value::text(text_at(a, 0).trim_end_matches(|c| set.contains(&c))))
    }),
    Function::new("TrimPrefix", &[Text, Text], |_, a| Ok(trim_prefix(text_at(a, 0), text_at(a, 1)))),
    Function::new("TrimSuffix", &[Text, Text], |_, a| Ok(trim_suffix(text_at(a, 0), text_at(a, 1)))),
    Function::new("TrimSpace", &[Text], |_, a| Ok(Value::text(text_at(a, 0).trim()))),
    Function::new("lower", &[Text], |_, a| Ok(Value::text(text_at(a, 0).to_lowercase()))),
    Function::new("upper", &[Text], |_, a| Ok(Value::text(text_at(a, 0).to_uppercase()))),
    Function::new("title", &[Text], |_, a| Ok(Value::text(title(text_at(a, 0))))),
    Function::new("trim", &[Text], |_, a| Ok(Value::text(text_at(a, 0).trim()))),
    Function::new("trimAll", &[Text, Text], |_, a| Ok(trim_set(text_at(a, 1), text_at(a, 0)))),
    Function::new("trimPrefix", &[Text, Text], |_, a| Ok(trim_prefix(text_at(a, 1), text_at(a, 0)))),
    Function::new("trimSuffix", &[Text, Text], |_, a| Ok(trim_suffix(text_at(a, 1), text_at(a, 0)))),
    Function::new("replace", &[Text, Text, Text], |_, a| replace(text_at(a, 2), text_at(a, 0), text_at(a, 1), None)),
    Function::new("repeat", &[Int, Text], |_, a| repeat(text_at(a, 1), int_at(a, 0))),
    Function::new("contains", &[Text, Text], |_, a| Ok(Value::Bool(text_at(a, 1).contains(text_at(a, 0))))),
    Function::new("hasPrefix", &[Text, Text], |_, a| Ok(Value::Bool(text_at(a, 1).starts_with(text_at(a, 0))))),
    Function::new("hasSuffix", &[Text, Text], |_, a| Ok(Value::Bool(text_at(a, 1).ends_with(text_at(a, 0))))),
    Function::new("indent", &[Int, Text], |_, a| indent(text_at(a, 1), int_at(a, 0), "")),
    Function::new("nindent", &[Int, Text], |_, a| indent(text_at(a, 1), int_at(a, 0), "\n")),
    Function::new("trunc", &[Int, Text], |_, a| Ok(trunc(text_at(a, 1), int_at(a, 0)))),
    Function::new("substr", &[Int, Int, Text], |_, a| substr(text_at(a, 2), int_at(a, 0), int_at(a, 1))),
    Function::new("alignLeft", &[Int, Text], |_, a| align(text_at(a, 1), int_at(a, 0), Side::Left)),
    Function::new("alignRight", &[Int, Text], |_, a| align(text_at(a, 1), int_at(a, 0), Side::Right)),
    Function::with_rest("default", &[Any], Any, |_, a| {
        let given = a.get(1).filter(|value| value.is_true());
        Ok(given.or(a.first()).cloned().unwrap_or(Value::Nil))
    }),
];

fn trim_set<'a>(text: &str, set: &str) -> Value<'a> {
    let set = characters(set);
    Value::text(text.trim_matches(|c| set.contains(&c)))
}

/// The characters of a text, each once: a text may have as many as there are to be trimmed by them.
fn characters(text: &str) -> BTreeSet<char> {
    text.chars().collect()
}

fn trim_prefix<'a>(text: &str, prefix: &str) -> Value<'a> {
    Value::text(text.strip_prefix(prefix).unwrap_or(text))
}

fn trim_suffix<'a>(text: &str, suffix: &str) -> Value<'a> {
    Value::text(text.strip_suffix(suffix).unwrap_or(text))
}

/// Replaces the first `count_max` places of `old`, or all.
fn replace<'a>(text: &str, old: &str, new: &str, count_max: Option<usize>) -> Result<Value<'a>, String> {
    let count_max = count_max.unwrap_or(usize::MAX);
    let count = text.matches(old).take(count_max).count();
    check_length(text.len().saturating_add(count.saturating_mul(new.len())))?;
    Ok(Value::text(text.replacen(old, new, count_max)))
}

fn repeat<'a>(text: &str, count: i64) -> Result<Value<'a>, String> {
    let count = usize::try_from(count).map_err(|_| "strings: negative Repeat count")?;
    check_length(text.len().saturating_mul(count))?;
    Ok(Value::text(text.repeat(count)))
}

/// Upper-cases the first letter of each word.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_in_word = false;
    for c in text.chars() {
        if is_in_word {
            out.push(c);
        } else {
            out.extend(c.to_uppercase());
        }
        is_in_word = c.is_alphanumeric() || c == '_' || c == '\'';
    }
    out
}

fn indent<'a>(text: &str, count: i64, before: &str) -> Result<Value<'a>, String> {
    let count = usize::try_from(count).map_err(|_| "strings: negative Repeat count")?;
    let line_count = text.matches('\n').count() + 1;
    check_length(text.len().saturating_add(count.saturating_mul(line_count)))?;
    let blanks = " ".repeat(count);
    Ok(Value::text(format!("{before}{blanks}{}", text.replace('\n', &format!("\n{blanks}")))))
}

/// The first `count` bytes, or for a negative count, the last.
fn trunc<'a>(text: &str, count: i64) -> Value<'a> {
    let bytes = text.as_bytes();
    let length = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX).min(bytes.len());
    let kept = if count < 0 { &bytes[bytes.len() - length..] } else { &bytes[..length] };
    Value::text(String::from_utf8_lossy(kept))
}

/// The bytes from `start` to `end`; a negative start is the beginning, an end outside is the end.
fn substr<'a>(text: &str, start: i64, end: i64) -> Result<Value<'a>, String> {
    let range = match (usize::try_from(start), usize::try_from(end)) {
        (Err(_), Ok(end)) => 0..end,
        (Ok(start), Ok(end)) if end <= text.len() => start..end,
        (Ok(start), _) => start..text.len(),
        (Err(_), Err(_)) => return Err("slice bounds out of range".to_owned()),
    };
    let kept = text.as_bytes().get(range).ok_or("slice bounds out of range")?;
    Ok(Value::text(String::from_utf8_lossy(kept)))
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

/// Cuts or pads to `count` characters; a negative count leaves the text as it is.
fn align<'a>(text: &str, count: i64, side: Side) -> Result<Value<'a>, String> {
    let Ok(count) = usize::try_from(count) else { return Ok(Value::text(text)) };
    check_length(count.saturating_add(text.len()))?;
    let length = text.chars().count();
    let blanks = " ".repeat(count.saturating_sub(length));
    Ok(match side {
        Side::Left => Value::text(text.chars().take(count).collect::<String>() + &blanks),
        Side::Right => Value::text(blanks + &text.chars().skip(length.saturating_sub(count)).collect::<String>()),
    })
}
