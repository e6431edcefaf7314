//! What of a line's columns a pipeline depends on, told from an outline that many lines have in common.
//!
//! An outline is the text that all of the lines have, and runs in place of what varies: of each it is known which bytes it may
//! be made of and how long it may be. The stages are followed over the outline with every run opaque. Where the next step of a
//! stage does not depend on a run, it is the same for all of the lines; where it does, the answer is [`Unknown`], and the
//! caller says more of that column, in the end its very value. What comes out is a [`Reading`]: all lines with the outline
//! that have the same values in the columns that it names fare alike in the pipeline, so that one of them stands for all.
//!
//! Nothing here computes what a stage makes of a line. That does the pipeline itself, once for each such set of lines; an
//! outline only says which lines that holds for. It may name more than is needed, never less.

mod cursor;
mod json;
mod level;
mod logfmt;
mod pattern;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use regex::bytes::{Regex, RegexBuilder};

use crate::logql::ast::Conversion;
use crate::logql::stages::drop_keep::Target;
use crate::logql::stages::format::Assignment;
use crate::logql::stages::json::JsonPaths;
use crate::logql::stages::label_filter::{Amount, LabelFilter};
use crate::logql::stages::labels::EXTRACTED_SUFFIX;
use crate::logql::stages::wanted::Wanted;
use crate::logql::stages::{Pipeline, Step};
use crate::model::{ByteSet, Labels};
use cursor::{Cursor, Part};

/// A piece of an outline.
#[derive(Clone, Debug)]
pub enum Piece<'a> {
    /// What all of the lines have there.
    Text {
        /// The very bytes.
        bytes: Cow<'a, [u8]>,
        /// The column whose values all have it.
        column: Option<usize>,
    },
    /// What varies.
    Run(Run),
}

/// What is known of what varies: some bytes of the values of a column.
#[derive(Clone, Debug)]
pub struct Run {
    /// The column.
    pub column: usize,
    /// Which bytes there are, or more.
    pub bytes: ByteSet,
    /// How many there are at least.
    pub shortest: usize,
    /// How many there are at most.
    pub longest: usize,
    /// Which words the values do not hold.
    pub silence: Silence,
    /// Whether all quotes of the values are escaped, and all escapes whole, as in a string of JSON.
    pub is_escaped: bool,
}

impl Run {
    /// Bytes that may be in its place.
    pub fn example(&self) -> Vec<u8> {
        // A digit or a letter over and over is part of no word that tells a level, and backslashes in pairs end no string.
        let others = (0..=u8::MAX).filter(|byte| !matches!(byte, b'"' | b'\\'));
        let mut bytes = [b'0', b'x'].into_iter().chain(others).chain([b'\\', b'"']);
        let byte = bytes.find(|byte| self.bytes.contains(*byte));
        byte.map_or_else(Vec::new, |byte| vec![byte; self.shortest])
    }
}

/// Which words that may tell a level a text does not hold, in whatever case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Silence {
    /// It may hold any.
    #[default]
    None,
    /// None that tells a level wherever it stands.
    Words,
    /// None that tells one in the header of a line, either.
    Names,
}

/// Parts of all words that tell a level wherever they stand, and of all names of fields that hold one.
const WORDS: &str = "trace|debug|fatal|crit|err|warn|info|level|lvl|severity";
/// Parts of all words that tell one in a header, beside those.
const NAMES: &str = "trc|dbg|inf|wrn|notice|note|severe|fine|verbose|vrb|alert|emerg|panic|ftl";

impl Silence {
    /// Matches texts that are not so silent.
    pub fn pattern(self) -> &'static Regex {
        static OF_WORDS: LazyLock<Regex> = LazyLock::new(|| any_case(WORDS));
        static OF_NAMES: LazyLock<Regex> = LazyLock::new(|| any_case(&[WORDS, NAMES].join("|")));
        if self == Self::Names { &OF_NAMES } else { &OF_WORDS }
    }

    /// The words that matter.
    fn words(self) -> impl Iterator<Item = &'static [u8]> {
        let of_names = if self == Self::Names { NAMES } else { "" };
        WORDS.split('|').chain(of_names.split('|')).filter(|word| !word.is_empty()).map(str::as_bytes)
    }
}

fn any_case(words: &str) -> Regex {
    let mut builder = RegexBuilder::new(words);
    builder.case_insensitive(true).unicode(false).build().expect("it is a list of words")
}

/// Why an outline does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// More has to be known of a column.
    Column(usize),
    /// Nothing less than the line tells.
    Line,
}

/// What lines with one outline depend on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The columns whose values they depend on.
    pub values: BTreeSet<usize>,
    /// The columns whose numbers they depend on, and how.
    pub numbers: BTreeMap<usize, Comparisons>,
    /// The column whose number `unwrap` takes.
    pub unwrapped: Option<usize>,
    /// The names of labels that were met already, of those that are numbers.
    met: Vec<(String, Option<usize>)>,
}

/// What a number is compared with, and nothing else is asked of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparisons {
    /// Ascending, each once.
    thresholds: Vec<f64>,
}

impl Comparisons {
    /// Numbers that compare alike have the same code.
    pub fn code(&self, number: f64) -> u32 {
        let below = self.thresholds.partition_point(|threshold| *threshold < number);
        let is_equal = self.thresholds.get(below) == Some(&number);
        u32::try_from(2 * below + usize::from(is_equal)).expect("a query has few numbers")
    }

    /// How many codes there are.
    pub fn code_count(&self) -> u32 {
        u32::try_from(2 * self.thresholds.len() + 1).expect("a query has few numbers")
    }
}

/// What the stages of a query read of lines.
#[derive(Clone, Debug)]
pub struct Reads {
    stages: Vec<Stage>,
    /// The labels that are nothing but numbers to all that look at them.
    numeric: BTreeMap<String, Numeric>,
}

/// What is asked of a label that is a number.
#[derive(Clone, Debug, Default)]
struct Numeric {
    comparisons: Comparisons,
    is_unwrapped: bool,
}

/// A stage that reads the line.
#[derive(Clone, Debug)]
enum Stage {
    Json(Arc<Wanted>),
    JsonPaths(Box<JsonPaths>),
    Logfmt(Box<super::logfmt::Logfmt>),
    Pattern(Box<super::pattern::Pattern>),
    Unpack(Arc<Wanted>),
    Level,
}

impl Reads {
    /// What reads nothing of a line.
    pub(in crate::logql) const NOTHING: Self = Self { stages: Vec::new(), numeric: BTreeMap::new() };

    /// What `pipeline` reads of lines; `None` where outlines do not tell what becomes of them.
    pub(in crate::logql) fn of(pipeline: &Pipeline) -> Option<Self> {
        let mut steps = pipeline.steps.iter();
        if !pipeline.steps.iter().all(is_told) || steps.any(replaces_line) && steps.any(reads_line) {
            return None;
        }
        let stages: Vec<Stage> = pipeline.steps.iter().filter_map(stage).collect();
        let numeric = numeric_labels(pipeline, &stages);
        Some(Self { stages, numeric })
    }

    /// Whether every line fares alike.
    pub fn is_nothing(&self) -> bool {
        self.stages.is_empty()
    }

    /// What the lines of a stream depend on that have this outline.
    ///
    /// # Errors
    ///
    /// [`Unknown`] where the outline does not tell.
    pub fn read(&self, pieces: &[Piece<'_>], stream: &Labels) -> Result<Reading, Unknown> {
        let mut reading = Reading::default();
        for stage in &self.stages {
            let mut collected = Collected { reading: &mut reading, numeric: &self.numeric, stream };
            match stage {
                Stage::Json(wanted) => json::read(pieces, wanted, &mut collected)?,
                Stage::JsonPaths(stage) => json::read_paths(pieces, stage, &mut collected)?,
                Stage::Logfmt(stage) => logfmt::read(pieces, stage, &mut collected)?,
                Stage::Pattern(stage) => pattern::read(pieces, stage, &mut collected)?,
                Stage::Unpack(wanted) => json::read_packed(pieces, wanted, &mut collected)?,
                // A label that says it comes first.
                Stage::Level
                    if stream
                        .iter()
                        .any(|(name, value)| super::level::is_name(name.as_bytes()) && !value.is_empty()) => {}
                Stage::Level => level::read(pieces)?,
            }
        }
        Ok(reading)
    }
}

/// Whether outlines tell what a step makes of lines.
fn is_told(step: &Step) -> bool {
    match step {
        Step::Json(_)
        | Step::JsonPaths(_)
        | Step::Logfmt(_)
        | Step::Pattern(_)
        | Step::Unpack(_)
        | Step::Level
        | Step::LabelFilter(_)
        | Step::Drop(_)
        | Step::Keep(_)
        | Step::Unwrap(_) => true,
        Step::LabelFormat(assignments) => {
            assignments.iter().all(|assignment| matches!(assignment, Assignment::Rename { .. }))
        }
        Step::LineFilter(_) | Step::Regexp(_) | Step::LineFormat(_) | Step::Decolorize => false,
    }
}

/// Whether a step puts another line in place of the entry's, of those that outlines tell of.
fn replaces_line(step: &Step) -> bool {
    matches!(step, Step::Unpack(_))
}

/// Whether a step reads the line that the steps before it leave, of those that outlines tell of.
fn reads_line(step: &Step) -> bool {
    matches!(step, Step::Json(_) | Step::JsonPaths(_) | Step::Logfmt(_) | Step::Pattern(_) | Step::Unpack(_))
}

/// What a step reads of lines, if it does.
fn stage(step: &Step) -> Option<Stage> {
    let is_idle = |wanted: &Wanted| wanted.count() == Some(0);
    match step {
        Step::Json(json) if !is_idle(&json.wanted) => Some(Stage::Json(Arc::clone(&json.wanted))),
        Step::JsonPaths(json) if !json.is_idle() => Some(Stage::JsonPaths(Box::new(json.clone()))),
        Step::Logfmt(logfmt) if !is_idle(&logfmt.wanted) => Some(Stage::Logfmt(Box::new(logfmt.clone()))),
        Step::Pattern(pattern) if !is_idle(&pattern.wanted) => Some(Stage::Pattern(Box::new(pattern.clone()))),
        Step::Unpack(unpack) => Some(Stage::Unpack(Arc::clone(&unpack.wanted))),
        Step::Level => Some(Stage::Level),
        _ => None,
    }
}

/// The labels that are nothing but numbers to all that look at them.
fn numeric_labels(pipeline: &Pipeline, stages: &[Stage]) -> BTreeMap<String, Numeric> {
    let is_renaming = |step: &Step| matches!(step, Step::LabelFormat(_));
    let parsers = stages.iter().filter(|stage| !matches!(stage, Stage::Level)).count();
    let Some(answered) = &pipeline.answered else { return BTreeMap::new() };
    if parsers != 1 || pipeline.steps.iter().any(is_renaming) {
        return BTreeMap::new();
    }
    let (mut numeric, mut others) = (BTreeMap::new(), answered.iter().cloned().collect::<BTreeSet<String>>());
    for step in &pipeline.steps {
        match step {
            Step::LabelFilter(filter) => add_uses(filter, &mut numeric, &mut others),
            Step::Unwrap(unwrap) if unwrap.conversion == Conversion::Number => {
                numeric.entry(unwrap.name.clone()).or_default().is_unwrapped = true;
            }
            Step::Unwrap(unwrap) => {
                others.insert(unwrap.name.clone());
            }
            Step::Drop(targets) | Step::Keep(targets) => targets.iter().for_each(|target| {
                if let Target::Matcher(matcher) = target {
                    others.insert(matcher.name.clone());
                }
            }),
            _ => {}
        }
    }
    // Under this name, a label is another one's value after a clash.
    let is_suffix = |name: &String| name.ends_with(EXTRACTED_SUFFIX);
    if numeric.keys().chain(&others).any(is_suffix) {
        return BTreeMap::new();
    }
    numeric.retain(|name, _| !others.contains(name));
    for label in numeric.values_mut() {
        label.comparisons.thresholds.sort_unstable_by(f64::total_cmp);
        label.comparisons.thresholds.dedup();
    }
    numeric
}

/// Adds what a filter asks of labels.
fn add_uses(filter: &LabelFilter, numeric: &mut BTreeMap<String, Numeric>, others: &mut BTreeSet<String>) {
    match filter {
        LabelFilter::And(filters) | LabelFilter::Or(filters) => {
            for filter in filters {
                add_uses(filter, numeric, others);
            }
        }
        LabelFilter::Amount { name, amount: Amount::Number(number), .. } if !number.is_nan() => {
            numeric.entry(name.clone()).or_default().comparisons.thresholds.push(*number);
        }
        LabelFilter::Amount { name, .. } | LabelFilter::Ip { name, .. } => {
            others.insert(name.clone());
        }
        LabelFilter::Text(matcher) => {
            others.insert(matcher.name.clone());
        }
    }
}

/// A reading while it is made.
struct Collected<'r> {
    reading: &'r mut Reading,
    numeric: &'r BTreeMap<String, Numeric>,
    stream: &'r Labels,
}

impl Collected<'_> {
    /// Adds what a parser finds under `name`, unless nobody wants it.
    fn add_value(&mut self, name: &str, value: &Value<'_>, wanted: &Wanted) {
        if !wanted.has_extracted(name) {
            return;
        }
        let Some(numeric) = self.numeric.get(name).filter(|_| self.stream.get(name).is_none()) else {
            self.reading.values.extend(value.columns());
            return;
        };
        if let Some((_, before)) = self.reading.met.iter_mut().find(|(met, _)| met == name) {
            // The first one counts, but of what is there twice nothing shall depend on that.
            let before = before.take();
            self.forget_number(before);
            self.reading.values.extend(before.into_iter().chain(value.columns()));
            return;
        }
        let number = value.whole_column();
        self.reading.met.push((name.to_owned(), number));
        match number {
            None => self.reading.values.extend(value.columns()),
            Some(column) => {
                self.reading.numbers.insert(column, numeric.comparisons.clone());
                if numeric.is_unwrapped {
                    self.reading.unwrapped = Some(column);
                }
            }
        }
    }

    fn forget_number(&mut self, column: Option<usize>) {
        let Some(column) = column else { return };
        self.reading.numbers.remove(&column);
        self.reading.unwrapped = self.reading.unwrapped.filter(|unwrapped| *unwrapped != column);
    }
}

/// A part of a line that a stage takes as one.
#[derive(Clone, Copy, Debug)]
struct Value<'a> {
    start: Cursor<'a>,
    end: Cursor<'a>,
    has_escapes: bool,
}

impl<'a> Value<'a> {
    fn parts(&self) -> impl Iterator<Item = Part<'a>> + use<'a> {
        self.start.pieces_to(&self.end)
    }

    /// What varies in it.
    fn runs(&self) -> impl Iterator<Item = &'a Run> + use<'a> {
        self.parts().filter_map(|part| part.run)
    }

    /// The columns of what varies in it.
    fn columns(&self) -> impl Iterator<Item = usize> + use<'a> {
        self.runs().map(|run| run.column)
    }

    /// Its text, if nothing in it varies.
    fn literal(&self) -> Result<Vec<u8>, Unknown> {
        match self.columns().next() {
            Some(column) => Err(Unknown::Column(column)),
            None => Ok(self.texts().concat()),
        }
    }

    /// The texts between its runs, one more than there are of them.
    fn texts(&self) -> Vec<Vec<u8>> {
        let mut texts = vec![Vec::new()];
        for part in self.parts() {
            match (part.text, texts.last_mut()) {
                (Some(text), Some(last)) => last.extend_from_slice(text),
                _ => texts.push(Vec::new()),
            }
        }
        texts
    }

    /// The column whose values it is, with nothing before or behind them.
    fn whole_column(&self) -> Option<usize> {
        let column = self.parts().next()?.column?;
        let is_whole = self.parts().all(|part| part.is_whole && part.column == Some(column));
        let is_cut = self.start.touches(column) || self.end.touches(column);
        (is_whole && !is_cut && !self.has_escapes).then_some(column)
    }

    fn is_empty(&self) -> Result<bool, Unknown> {
        if self.is_certainly_empty() {
            return Ok(true);
        }
        if self.is_certainly_not_empty() {
            return Ok(false);
        }
        Err(self.columns().next().map_or(Unknown::Line, Unknown::Column))
    }

    fn is_certainly_empty(&self) -> bool {
        self.parts().all(|part| part.run.is_some_and(|run| run.longest == 0))
    }

    fn is_certainly_not_empty(&self) -> bool {
        self.parts().any(|part| part.text.is_some() || part.run.is_some_and(|run| 0 < run.shortest))
    }
}
