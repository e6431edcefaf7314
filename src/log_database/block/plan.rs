//! What a regular expression requires: literals that every line it matches contains.

use memchr::memmem;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::needle::Needle;

/// Deepest expression that is looked into; deeper ones require nothing.
const DEPTH_MAX: usize = 32;
/// U+FFFD, as lines and expressions have it.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// What a line must contain to be matched.
#[derive(Clone, Debug)]
pub(super) enum Plan {
    /// Nothing that is known.
    Nothing,
    /// The needle.
    Contains(Box<Needle>),
    /// All of them.
    All(Vec<Plan>),
    /// One of them.
    Any(Vec<Plan>),
}

/// What `pattern`, an expression with default flags, requires.
pub(super) fn plan(pattern: &str) -> Plan {
    // Only a pattern that has compiled comes here; should this parser refuse it, nothing is required.
    let parsed = ParserBuilder::new().utf8(false).build().parse(pattern);
    parsed.map_or(Plan::Nothing, |hir| required(&hir, 0))
}

fn required(hir: &Hir, depth: usize) -> Plan {
    if DEPTH_MAX < depth {
        return Plan::Nothing;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Plan::Nothing,
        HirKind::Literal(_) | HirKind::Class(_) => required_of_all(&[hir], depth),
        HirKind::Capture(capture) => required(&capture.sub, depth + 1),
        HirKind::Repetition(repetition) if repetition.min == 0 => Plan::Nothing,
        HirKind::Repetition(repetition) => required(&repetition.sub, depth + 1),
        HirKind::Concat(parts) => required_of_all(&parts.iter().collect::<Vec<_>>(), depth),
        HirKind::Alternation(branches) => {
            let plans: Vec<Plan> = branches.iter().map(|branch| required(branch, depth + 1)).collect();
            let is_open = plans.iter().any(|plan| matches!(plan, Plan::Nothing));
            if is_open { Plan::Nothing } else { Plan::Any(plans) }
        }
    }
}

/// What expressions one after the other require; neighbouring literals are one.
fn required_of_all(parts: &[&Hir], depth: usize) -> Plan {
    let mut plans = Vec::new();
    let mut run = Run::default();
    for part in parts {
        match part.kind() {
            // The character may stand for any byte that is not UTF-8.
            HirKind::Literal(literal) if memmem::find(&literal.0, REPLACEMENT).is_some() => run.end(&mut plans),
            HirKind::Literal(literal) => run.bytes.extend_from_slice(&literal.0),
            HirKind::Class(class) => match either_case(class) {
                Some(letter) => {
                    run.bytes.push(letter);
                    run.ignore_case = true;
                }
                None => run.end(&mut plans),
            },
            // An empty match between two literals leaves them neighbours, but only assertions are always empty.
            HirKind::Look(_) => {}
            _ => {
                run.end(&mut plans);
                plans.push(required(part, depth + 1));
            }
        }
    }
    run.end(&mut plans);
    plans.retain(|plan| !matches!(plan, Plan::Nothing));
    match plans.len() {
        0 => Plan::Nothing,
        1 => plans.remove(0),
        _ => Plan::All(plans),
    }
}

/// Literals that follow one another.
#[derive(Default)]
struct Run {
    bytes: Vec<u8>,
    /// Some letter of it may have either case; then all are searched for so, which finds no less.
    ignore_case: bool,
}

impl Run {
    fn end(&mut self, plans: &mut Vec<Plan>) {
        let Self { bytes, ignore_case } = std::mem::take(self);
        if !bytes.is_empty() {
            let needle = if ignore_case { Needle::ignoring_case(&bytes) } else { Needle::exact(&bytes) };
            plans.push(Plan::Contains(Box::new(needle)));
        }
    }
}

/// The ASCII letter of which the class is the two cases. `(?i)k` and `(?i)s` are more than that: they match U+212A and
/// U+017F as well.
fn either_case(class: &Class) -> Option<u8> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => {
            class.ranges().iter().map(|range| (range.start().into(), range.end().into())).collect()
        }
        Class::Bytes(class) => class.ranges().iter().map(|range| (range.start().into(), range.end().into())).collect(),
    };
    let [(upper, upper_end), (lower, lower_end)] = ranges[..] else { return None };
    let letter = u8::try_from(lower).ok().filter(u8::is_ascii_lowercase)?;
    (upper == upper_end && lower == lower_end && upper == u32::from(letter.to_ascii_uppercase())).then_some(letter)
}
