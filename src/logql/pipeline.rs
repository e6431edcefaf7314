//! The seam between the stages, which look at one line, and the evaluator, which adds lines up.
//!
//! [`super::stages`] provides `Pipeline` with these two functions:
//!
//! ```text
//! Pipeline::new(stages: &[Stage], needed: &Needed, clock: &Clock) -> Result<Pipeline, Error>
//! Pipeline::process(&mut self, entry: &Entry<'_>) -> Option<Processed<'_>>
//! ```
//!
//! `process` answers `None` for a line that a filter drops. One pipeline takes the entries of all streams of a
//! selection; what it keeps between lines are buffers and what is worth remembering of the last stream.

pub use crate::logql::stages::{LineLabel, LineLabels};
use crate::model::{Labels, Timestamp};

/// The label that says what went wrong with a line.
pub const ERROR_LABEL: &str = "__error__";
/// The label that says it at length.
pub const ERROR_DETAILS_LABEL: &str = "__error_details__";
/// The level of a line as its text tells; made while querying and only where it is needed.
pub const LEVEL_LABEL: &str = "detected_level";

/// One entry as it comes from the database.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// When it was logged.
    pub timestamp: Timestamp,
    /// The labels of its stream.
    pub labels: &'a Labels,
    /// Labels of this entry alone.
    pub metadata: &'a [(String, String)],
    /// Its bytes.
    pub line: &'a [u8],
}

/// Which labels are looked at after the pipeline. What its own stages look at comes on top of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// Which labels; those that nobody needs may be missing from the result, and a parser that would find none of
    /// those needed does not run.
    pub labels: NeededLabels,
    /// Whether [`LEVEL_LABEL`] is computed for lines that no stage asks it of. Grouping by it counts as needed above.
    pub level: bool,
}

/// See [`Needed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NeededLabels {
    /// Every label.
    All,
    /// These names.
    Only(Vec<String>),
}

impl Needed {
    /// What an answer of lines needs: everything.
    pub const EVERYTHING: Self = Self { labels: NeededLabels::All, level: true };
}

/// What the time is, and where; templates may ask.
#[derive(Clone, Debug)]
pub struct Clock {
    /// When the query began; the same for all of its lines.
    pub now: Timestamp,
    /// The zone that times are written and read in unless a template names another.
    pub zone: jiff::tz::TimeZone,
    /// Where zones are looked up that a template names.
    pub zones: jiff::tz::TimeZoneDatabase,
}

/// Where a label comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// The entry's stream.
    Stream,
    /// The entry itself, stored beside the line.
    Metadata,
    /// A stage of the query. Errors are of this kind.
    Parsed,
}

/// What a pipeline made of a line; borrowed from it until the next line.
#[derive(Clone, Copy, Debug)]
pub struct Processed<'a> {
    /// The line as the last stage left it.
    pub line: &'a [u8],
    /// The labels after the last stage, each name once, sorted by name.
    pub labels: &'a LineLabels,
    /// The number that `unwrap` took; `None` where the query has no `unwrap`. A line whose label is absent or empty is
    /// dropped by `process`; one whose label is no number has 0 here and an error among its labels.
    pub value: Option<f64>,
}
