//! Groups lines, or values that are cut once more, by what stays the same from row to row.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use super::tokenize::{Cut, SLOT};
use super::values::Values;
use super::vocabulary::Vocabulary;

/// Fewer rows than this do not pay for a template and its columns; they are kept whole.
const TEMPLATE_ROWS_MIN: u32 = 4;
/// Fewer lines than this do not pay for a template of values and prose, or one that is only their beginning.
const COARSE_ROWS_MIN: u32 = 64;
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

/// Rows cut in some way, before it is known which templates pay.
struct Draft {
    /// The templates' keys, and how many rows each has.
    keys: Vocabulary,
    /// Of each row its template; `None` where it is not cut, or there are too many templates.
    template_of: Vec<Option<u32>>,
    /// The values of all rows one after the other: where in its row each one is.
    spans: Vec<(u32, u32)>,
    /// Of each row, where in `spans` its values end.
    span_ends: Vec<usize>,
}

/// Groups `texts`; those that share their template with too few come first, whole. Lines whose words vary are cut again, so
/// that these are values as well.
pub(super) fn group(texts: &[&[u8]], grain: Grain) -> Vec<Group> {
    let mut groups = vec![Group::new(vec![SLOT], true, 0)];
    let draft = Draft::new(texts.len(), |row, cut| match grain {
        Grain::Line => cut.line(texts[row]),
        Grain::Value => cut.value(texts[row]),
    });
    let targets = draft.plan(TEMPLATE_ROWS_MIN, &mut groups);
    let coarse_count = if grain == Grain::Line { texts.len() } else { 0 };
    let coarse = Draft::new(coarse_count, |row, cut| {
        draft.target(row, &targets).is_none() && cut.prose(texts[row], draft.spans(row))
    });
    let mut coarse_targets = coarse.plan(COARSE_ROWS_MIN, &mut groups);
    coarse.plan_beginnings(&mut groups, &mut coarse_targets);
    for (row, text) in texts.iter().enumerate() {
        let (target, spans) = match (draft.target(row, &targets), coarse.target(row, &coarse_targets)) {
            (Some(target), _) => (target, draft.spans(row)),
            (None, Some(target)) => (target, coarse.spans(row)),
            (None, None) => (Target::WHOLE, &[][..]),
        };
        let group = &mut groups[target.group];
        group.rows.push(u32::try_from(row).expect("bounded by LINES_MAX"));
        let spans = &spans[..target.slot_count];
        let mut columns = group.columns.iter_mut();
        for ((from, to), column) in spans.iter().zip(&mut columns) {
            column.push(&text[*from as usize..*to as usize]);
        }
        if let Some(rest) = columns.next().filter(|_| target.takes_rest) {
            // A beginning goes on to the byte after its last value.
            let from = spans.last().map_or(0, |(_, to)| *to as usize + 1);
            rest.push(&text[from..]);
        }
    }
    groups.retain(|group| !group.rows.is_empty());
    groups
}

impl Target {
    /// The first group takes rows whole.
    const WHOLE: Self = Self { group: 0, slot_count: 0, takes_rest: true };
}

impl Draft {
    /// Has each row cut that `cut_row` does not refuse.
    fn new(row_count: usize, mut cut_row: impl FnMut(usize, &mut Cut) -> bool) -> Self {
        let mut draft = Self {
            keys: Vocabulary::new(0),
            template_of: Vec::with_capacity(row_count),
            spans: Vec::with_capacity(row_count),
            span_ends: Vec::with_capacity(row_count),
        };
        let mut cut = Cut::default();
        for row in 0..row_count {
            let mut template = None;
            if cut_row(row, &mut cut) {
                template = draft.keys.count_up_to(TEMPLATES_MAX, cut.key());
                draft.spans.extend_from_slice(cut.spans());
            }
            draft.template_of.push(template);
            draft.span_ends.push(draft.spans.len());
        }
        draft
    }

    /// Where the values of a row are.
    fn spans(&self, row: usize) -> &[(u32, u32)] {
        let start = row.checked_sub(1).map_or(0, |before| self.span_ends[before]);
        &self.spans[start..self.span_ends[row]]
    }

    /// Where a row goes, by the `targets` of templates; `None` where it goes nowhere.
    fn target(&self, row: usize, targets: &[Option<Target>]) -> Option<Target> {
        let template = self.template_of.get(row).copied().flatten()?;
        targets[template as usize]
    }

    /// Adds a group, still empty, for each template of so many rows; for each template where its rows go.
    fn plan(&self, rows_min: u32, groups: &mut Vec<Group>) -> Vec<Option<Target>> {
        let keys = self.keys.texts().iter().zip(self.keys.counts());
        let targets = keys.map(|(key, row_count)| {
            if *row_count < rows_min {
                return None;
            }
            groups.push(Group::new(key.to_vec(), false, *row_count));
            Some(Target { group: groups.len() - 1, slot_count: slot_count(key), takes_rest: false })
        });
        targets.collect()
    }

    /// Groups the rows that go nowhere by the longest beginning of their templates that is not rare.
    fn plan_beginnings(&self, groups: &mut Vec<Group>, targets: &mut [Option<Target>]) {
        let keys = self.keys.texts().iter().zip(self.keys.counts()).zip(targets);
        let rare: Vec<_> = keys.filter(|(_, target)| target.is_none()).collect();
        let mut row_counts: HashMap<&[u8], u32, RandomState> = HashMap::default();
        for ((key, row_count), _) in &rare {
            for beginning in beginnings(key) {
                *row_counts.entry(beginning).or_default() += *row_count;
            }
        }
        let mut by_beginning: BTreeMap<&[u8], Target> = BTreeMap::new();
        for ((key, _), target) in rare {
            let common = beginnings(key).filter(|beginning| COARSE_ROWS_MIN <= row_counts[beginning]).last();
            let Some(beginning) = common else { continue };
            *target = Some(*by_beginning.entry(beginning).or_insert_with(|| {
                groups.push(Group::new([beginning, &[SLOT]].concat(), false, 0));
                Target { group: groups.len() - 1, slot_count: slot_count(beginning), takes_rest: true }
            }));
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
