//! Functions with regular expressions, and the memory of those that were compiled.

use regex::bytes::Regex;

use super::Type::Text;
use super::{Context, Function, Value, text_at};
use crate::logql::regexp;
use crate::logql::stages::template::allowance::Allowance;
use crate::logql::stages::template::value::check_length;

/// How many compiled expressions are remembered; as a rule, a template has a few constant ones.
const REGEXES_MAX: usize = 16;

/// Finding a match may take a look at all that follows it, for one match after the other. Hardly any expression does,
/// so that one byte is counted for so many: a mebibyte may still have thousands of matches.
const BYTES_PER_LOOK: usize = 256;

/// What compiling an expression counts as, in bytes: it takes as long as making so many.
const COMPILED_BYTES: usize = 256 << 10;

/// Expressions that templates have used.
#[derive(Clone, Debug, Default)]
pub(in crate::logql::stages) struct RegexCache(Vec<(String, Regex)>);

impl RegexCache {
    fn get(&mut self, text: &str, allowance: &mut Allowance) -> Result<&Regex, String> {
        let found = self.0.iter().position(|(known, _)| known == text);
        if found.is_none() {
            allowance.charge(COMPILED_BYTES)?;
            let regex = regexp::for_lines(text).map_err(|error| error.to_string())?;
            if self.0.len() == REGEXES_MAX {
                self.0.clear();
            }
            self.0.push((text.to_owned(), regex));
        }
        let (_, regex) = &self.0[found.unwrap_or(self.0.len() - 1)];
        Ok(regex)
    }
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("regexReplaceAll", &[Text, Text, Text], |context, a| replace_all(context, a, false)),
    Function::new("regexReplaceAllLiteral", &[Text, Text, Text], |context, a| replace_all(context, a, true)),
    Function::new("count", &[Text, Text], count),
    // Those of Prometheus, for alerts: what is searched comes last, so that it can be piped.
    Function::new("reReplaceAll", &[Text, Text, Text], |context, a| {
        replace_all(context, &[a[0].clone(), a[2].clone(), a[1].clone()], false)
    }),
    Function::new("match", &[Text, Text], |context, a| {
        let regex = context.regexes.get(text_at(a, 0), context.allowance)?;
        Ok(Value::Bool(regex.is_match(text_at(a, 1).as_bytes())))
    }),
];

/// Counts a match that so many bytes follow.
fn charge_for_match(allowance: &mut Allowance, rest_bytes: usize) -> Result<(), String> {
    allowance.charge(rest_bytes / BYTES_PER_LOOK)
}

/// How often the first argument is found in the second.
fn count<'a>(context: &mut Context<'_, '_>, arguments: &[Value<'_>]) -> Result<Value<'a>, String> {
    let regex = context.regexes.get(text_at(arguments, 0), context.allowance)?;
    let text = text_at(arguments, 1).as_bytes();
    let mut count = 0;
    for found in regex.find_iter(text) {
        charge_for_match(context.allowance, text.len() - found.end())?;
        count += 1;
    }
    Ok(Value::Int(count))
}

/// Replaces each match of the first argument in the second by the third, in which `$1` stands for a group.
fn replace_all<'a>(
    context: &mut Context<'_, '_>,
    arguments: &[Value<'_>],
    is_literal: bool,
) -> Result<Value<'a>, String> {
    let regex = context.regexes.get(text_at(arguments, 0), context.allowance)?;
    let (text, replacement) = (text_at(arguments, 1).as_bytes(), text_at(arguments, 2).as_bytes());
    let group_count = if is_literal { 0 } else { memchr::memchr_iter(b'$', replacement).count() };
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    for captures in regex.captures_iter(text) {
        let whole = captures.get_match();
        charge_for_match(context.allowance, text.len() - whole.end())?;
        check_length(out.len() + replacement.len() + group_count.saturating_mul(whole.len()))?;
        out.extend_from_slice(&text[at..whole.start()]);
        if is_literal {
            out.extend_from_slice(replacement);
        } else {
            captures.expand(replacement, &mut out);
        }
        at = whole.end();
    }
    out.extend_from_slice(&text[at..]);
    check_length(out.len())?;
    Ok(Value::text(String::from_utf8_lossy(&out)))
}
