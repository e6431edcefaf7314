//! The ways in which a needle can lie across the literals and values of a template.

use super::needle::{Part, Probe};
use super::structure::Template;

/// Longer needles are not aligned: in long literals that would take quadratic time, and few rows are that long.
const NEEDLE_BYTES_MAX: usize = 1024;
/// Steps after which a needle has too many ways to lie in a template: only needles made for it come near.
const STEPS_MAX: usize = 2000;

/// One way: what each of some columns has to hold, in the same row. None, where literals alone hold the needle.
pub(super) type Alignment<'n> = Vec<(usize, Probe<'n>)>;

/// All ways in which `probe` can lie in a row of `template` other than within one value; `None` where they are too many.
pub(super) fn align<'n>(structure: &[u8], template: &Template, probe: &Probe<'n>) -> Option<Vec<Alignment<'n>>> {
    if NEEDLE_BYTES_MAX < probe.bytes.len() {
        return None;
    }
    let to_end = matches!(probe.part, Part::End | Part::Whole);
    let mut search =
        Search { structure, template, probe, to_end, held: Vec::new(), found: Vec::new(), steps_left: STEPS_MAX };
    if matches!(probe.part, Part::Start | Part::Whole) {
        search.at_literal(0, 0);
    } else {
        search.start_in_literals();
        search.start_in_values();
    }
    (0 < search.steps_left).then_some(search.found)
}

struct Search<'t, 'p, 'n> {
    structure: &'t [u8],
    template: &'t Template,
    probe: &'p Probe<'n>,
    /// The needle has to end where the row ends.
    to_end: bool,
    /// What the columns passed so far have to hold.
    held: Alignment<'n>,
    found: Vec<Alignment<'n>>,
    steps_left: usize,
}

impl<'t> Search<'t, '_, '_> {
    /// The literal before slot `index`, or after the last slot.
    fn literal(&self, index: usize) -> &'t [u8] {
        let span = if index == 0 { self.template.head } else { self.template.slots[index - 1].tail };
        span.of(self.structure)
    }

    /// The needle begins in a literal, before the literal's end.
    fn start_in_literals(&mut self) {
        let needle = self.probe.bytes;
        for index in 0..=self.template.slots.len() {
            let literal = self.literal(index);
            let is_within = needle.len() <= literal.len() && self.probe.part == Part::Inner;
            if is_within && self.probe.find(literal).is_some() {
                self.found.push(Alignment::new());
            }
            // Most literals end with a byte that is not even in the needle.
            if literal.last().is_none_or(|last| !self.probe.may_have(*last)) {
                continue;
            }
            // Of a needle within the literal there is no more to say, so it begins near the end.
            let first = if self.to_end { 0 } else { (literal.len() + 1).saturating_sub(needle.len().max(1)) };
            for start in first..literal.len() {
                let rest = &literal[start..];
                if rest.len() <= needle.len() && self.probe.same(rest, &needle[..rest.len()]) {
                    self.after_literal(index, rest.len());
                }
            }
        }
    }

    /// The needle begins in a value and goes on to the value's end.
    fn start_in_values(&mut self) {
        let needle = self.probe.bytes;
        for index in 0..self.template.slots.len() {
            // Most literals begin with a byte that is not even in the needle.
            if !self.to_end && self.literal(index + 1).first().is_some_and(|first| !self.probe.may_have(*first)) {
                continue;
            }
            // Ending with the value is a matter of the column itself, but where the row has to end there.
            let longest = if self.to_end { needle.len() } else { needle.len().saturating_sub(1) };
            for end in 1..=longest.min(self.template.slots[index].column.longest()) {
                self.hold(index, 0, end, Part::End);
            }
        }
    }

    /// Supposes that slot `index` holds `start..end` of the needle up to its value's end, and goes on behind it.
    fn hold(&mut self, index: usize, start: usize, end: usize, part: Part) {
        // Most literals that follow rule it out at once.
        let needle = self.probe.bytes;
        let literal = self.literal(index + 1);
        let common = literal.len().min(needle.len() - end);
        if !self.probe.same(&literal[..common], &needle[end..end + common]) {
            return;
        }
        let piece = self.probe.piece(&needle[start..end], part);
        if !self.template.slots[index].column.may_hold(self.structure, &piece) {
            return;
        }
        self.held.push((index, piece));
        self.at_literal(index + 1, end);
        self.held.pop();
    }

    /// What is left of the needle, from `at` on, has to begin where literal `index` begins.
    fn at_literal(&mut self, index: usize, at: usize) {
        let rest = &self.probe.bytes[at..];
        let literal = self.literal(index);
        if rest.len() < literal.len() {
            if !self.to_end && self.probe.same(rest, &literal[..rest.len()]) {
                self.found.push(self.held.clone());
            }
        } else if self.probe.same(literal, &rest[..literal.len()]) {
            self.after_literal(index, at + literal.len());
        }
    }

    /// What is left of the needle, from `at` on, has to begin right after literal `index`.
    fn after_literal(&mut self, index: usize, at: usize) {
        self.steps_left = self.steps_left.saturating_sub(1);
        let needle = self.probe.bytes;
        let is_last = index == self.template.slots.len();
        let is_done = at == needle.len() && (!self.to_end || is_last);
        if is_done {
            self.found.push(self.held.clone());
        }
        if is_done || is_last || self.steps_left == 0 {
            return;
        }
        // The value of slot `index` is some of the rest, or goes on beyond it.
        let longest = if self.to_end { needle.len() } else { needle.len() - 1 };
        for end in at..=longest.min(at + self.template.slots[index].column.longest()) {
            self.hold(index, at, end, Part::Whole);
        }
        if !self.to_end {
            let piece = self.probe.piece(&needle[at..], Part::Start);
            if self.template.slots[index].column.may_hold(self.structure, &piece) {
                self.held.push((index, piece));
                self.found.push(self.held.clone());
                self.held.pop();
            }
        }
    }
}
