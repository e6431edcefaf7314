//! Groups lines, or values that are cut once more, by what stays the same from row to row.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use super::tokenize::{Cut, SLOT};
use super::values::Values;
use super::vocabulary::Vocabulary;

/// Fewer rows than this do not pay for a template and its columns; they are kept whole.
const TEMPLATE_ROWS_MIN: u32 = 4;
/// Fewer lines than this do not pay for a template that is only their beginning.
const BEGINNING_ROWS_MIN: u32 = 64;
/// Most templates of a column; rows past it are kept whole. Logs have hundreds.
const TEMPLATES_MAX: usize = 4096;

/// How rows are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grain {
    /// Lines, into words and strings.
    Line,
    /// Values of lines, into pieces.
    Value,
}

/// Rows with the same template.
#[derive(Debug)]
pub(super) struct Group {
    /// The template's text with [`SLOT`] in place of each value.
    pub(super) key: Vec<u8>,
    /// Whether it is just the rows themselves, which share nothing.
    pub(super) is_whole: bool,
    /// The rows, ascending.
    pub(super) rows: Vec<u32>,
    /// The values of each slot.
    pub(super) columns: Vec<Values>,
}

/// Where a row goes: a group, which takes some of the row's values and perhaps its rest.
#[derive(Clone, Copy, Debug)]
struct Target {
    group: usize,
    /// How many of the row's values the group takes.
    slot_count: usize,
    /// Whether the group takes what comes after them as one more value.
    takes_rest: bool,
}

/// Rows cut, before it is known which templates pay.
struct Draft {
    /// The templates' keys, and how many rows each has.
    keys: Vocabulary,
    /// Of each row its template; `None` where it has to be kept whole.
    template_of: Vec<Option<u32>>,
    /// The values of all rows one after the other: where in its row each one is.
    spans: Vec<(u32, u32)>,
    /// Of each row, where in `spans` its values end.
    span_ends: Vec<usize>,
}

/// Groups `texts`; those that share their template with too few come first, whole.
pub(super) fn group(texts: &[&[u8]], grain: Grain) -> Vec<Group> {
    let draft = Draft::new(texts, grain);
    let (mut groups, targets) = draft.plan(grain);
    let mut start = 0;
    for (((row, text), template), end) in (0..).zip(texts).zip(&draft.template_of).zip(&draft.span_ends) {
        let target = template.map_or(Target::WHOLE, |template| targets[template as usize]);
        let group = &mut groups[target.group];
        group.rows.push(row);
        let spans = &draft.spans[start..start + target.slot_count];
        let mut columns = group.columns.iter_mut();
        for ((from, to), column) in spans.iter().zip(&mut columns) {
            column.push(&text[*from as usize..*to as usize]);
        }
        if let Some(rest) = columns.next().filter(|_| target.takes_rest) {
            // A beginning goes on to the byte after its last value.
            let from = spans.last().map_or(0, |(_, to)| *to as usize + 1);
            rest.push(&text[from..]);
        }
        start = *end;
    }
    groups.retain(|group| !group.rows.is_empty());
    groups
}

impl Target {
    /// The first group takes rows whole.
    const WHOLE: Self = Self { group: 0, slot_count: 0, takes_rest: true };
}

impl Draft {
    fn new(texts: &[&[u8]], grain: Grain) -> Self {
        let mut draft = Self {
            keys: Vocabulary::new(0),
            template_of: Vec::with_capacity(texts.len()),
            spans: Vec::with_capacity(texts.len()),
            span_ends: Vec::with_capacity(texts.len()),
        };
        let mut cut = Cut::default();
        for text in texts {
            let is_cut = if grain == Grain::Line { cut.line(text) } else { cut.value(text) };
            let template = if is_cut { draft.keys.count_up_to(TEMPLATES_MAX, cut.key()) } else { None };
            if template.is_some() {
                draft.spans.extend_from_slice(cut.spans());
            }
            draft.template_of.push(template);
            draft.span_ends.push(draft.spans.len());
        }
        draft
    }

    /// The groups that pay, still empty, and for each template where its rows go.
    fn plan(&self, grain: Grain) -> (Vec<Group>, Vec<Target>) {
        let mut groups = vec![Group::new(vec![SLOT], true, 0)];
        let mut targets = vec![Target::WHOLE; self.keys.len()];
        let mut rare = Vec::new();
        for (template, (key, row_count)) in self.keys.texts().iter().zip(self.keys.counts()).enumerate() {
            if *row_count < TEMPLATE_ROWS_MIN {
                rare.push((template, key));
                continue;
            }
            targets[template] = Target { group: groups.len(), slot_count: slot_count(key), takes_rest: false };
            groups.push(Group::new(key.to_vec(), false, *row_count));
        }
        if grain == Grain::Line {
            self.plan_beginnings(&rare, &mut groups, &mut targets);
        }
        (groups, targets)
    }

    /// Groups the rows of rare templates by the longest beginning of theirs that is not rare.
    fn plan_beginnings(&self, rare: &[(usize, &[u8])], groups: &mut Vec<Group>, targets: &mut [Target]) {
        let mut row_counts: HashMap<&[u8], u32, RandomState> = HashMap::default();
        for (template, key) in rare {
            for beginning in beginnings(key) {
                *row_counts.entry(beginning).or_default() += self.keys.counts()[*template];
            }
        }
        let mut by_beginning: BTreeMap<&[u8], Target> = BTreeMap::new();
        for (template, key) in rare {
            let common = beginnings(key).filter(|beginning| BEGINNING_ROWS_MIN <= row_counts[beginning]).last();
            let Some(beginning) = common else { continue };
            targets[*template] = *by_beginning.entry(beginning).or_insert_with(|| {
                groups.push(Group::new([beginning, &[SLOT]].concat(), false, 0));
                Target { group: groups.len() - 1, slot_count: slot_count(beginning), takes_rest: true }
            });
        }
    }
}

impl Group {
    fn new(key: Vec<u8>, is_whole: bool, row_count: u32) -> Self {
        let column = Values::with_capacity(row_count as usize);
        let columns = vec![column; slot_count(&key)];
        Self { key, is_whole, rows: Vec::with_capacity(row_count as usize), columns }
    }
}

fn slot_count(key: &[u8]) -> usize {
    memchr::memchr_iter(SLOT, key).count()
}

/// Beginnings of a template's key, each up to the byte after a slot, ascending.
fn beginnings(key: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = memchr::memchr_iter(SLOT, key).filter_map(|slot| key.get(..slot + 2));
    ends.filter(|beginning| !beginning.ends_with(&[SLOT]))
}
