//! Entries on their way from a body to the database: what is taken of them, and what is refused.

use std::borrow::Cow;
use std::sync::Arc;

use crate::log_database::{internal, metadata};
use crate::model::budget::{self, Budget, Share};
use crate::model::{Batch, Labels, LabelsError, Lines, StreamLines, Timestamp};
use crate::status::{PushRefusal, Pushes};

/// Longest line that is taken, in bytes: as long as collected lines become.
pub(super) const LINE_BYTES_MAX: usize = 1 << 20;
/// Most labels that an entry may have of its own; Loki's limit.
pub(super) const METADATA_MAX: usize = 128;
/// Most memory that the entries of one body may take, in bytes.
const ENTRIES_BYTES_MAX: usize = 64 << 20;
const _: () = assert!(ENTRIES_BYTES_MAX <= crate::model::LINES_BYTES_MAX);
/// Most bytes that the labels of the streams of one body may have together, and most streams of it.
const LABELS_BYTES_MAX: usize = 4 << 20;
const STREAMS_MAX: usize = 10_000;
/// Memory of an entry beside its text, in bytes.
const ENTRY_COST_BYTES: usize = 16;
/// Memory of a stream beside its labels, which are held twice, in bytes.
const STREAM_COST_BYTES: usize = 512;

/// Why a whole body is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not what its type says.
    Malformed(String),
    /// It holds too much.
    TooLarge(String),
    /// There is no memory for it now.
    NoRoom(budget::Refusal),
}

impl From<budget::Refusal> for Fault {
    fn from(refusal: budget::Refusal) -> Self {
        match refusal {
            budget::Refusal::TooMuch { bytes_max } => Self::TooLarge(format!(
                "decoding the body takes more than the {} MiB of memory that there are for pushes; send less at once",
                bytes_max >> 20
            )),
            refusal => Self::NoRoom(refusal),
        }
    }
}

/// What a body holds.
#[derive(Debug)]
pub(super) struct Pushed {
    streams: Vec<StreamLines>,
    /// The memory of the entries.
    share: Share,
    /// What the streams take in memory, in bytes.
    bytes: usize,
    /// What their labels have together.
    label_bytes: usize,
    refused: Refused,
    /// Why the first stream or entry was refused.
    refusal: Option<String>,
}

/// How many entries were refused, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused([u64; PushRefusal::ALL.len()]);

impl Refused {
    pub(super) fn add(&mut self, reason: PushRefusal, count: u64) {
        self.0[reason as usize] += count;
    }

    /// All of them.
    pub(super) fn total(self) -> u64 {
        self.0.iter().sum()
    }

    /// Adds them to what the agent says of itself.
    pub(super) fn count_in(self, pushes: &Pushes) {
        PushRefusal::ALL.into_iter().zip(self.0).for_each(|(reason, count)| pushes.add_refused(reason, count));
    }
}

/// The entries of one stream, whose labels may come after them.
#[derive(Debug)]
pub(super) struct Entries {
    plain: Lines,
    with_metadata: Lines,
    /// Memory that the body's entries may still take, in bytes, and the share that all of it comes from.
    left_bytes: usize,
    share: Share,
    refused: Refused,
    refusal: Option<Refusal>,
    /// Room for a line with its metadata.
    line: Vec<u8>,
}

/// Why an entry is refused.
#[derive(Debug)]
enum Refusal {
    LineTooLong(usize),
    TooManyMetadata(usize),
    MetadataTooLarge(usize),
    TimeOutOfRange,
}

/// The labels of one entry, at most one more than it may have.
pub(super) type EntryMetadata<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

#[cfg(test)]
impl Default for Pushed {
    fn default() -> Self {
        Self::within(Arc::new(Budget::new(usize::MAX)))
    }
}

impl Pushed {
    /// Nothing yet; the entries take their memory from `budget`.
    pub(super) fn within(budget: Arc<Budget>) -> Self {
        Self {
            streams: Vec::new(),
            share: Share::of(budget),
            bytes: 0,
            label_bytes: 0,
            refused: Refused::default(),
            refusal: None,
        }
    }

    /// What the entries of the next stream go into.
    pub(super) fn entries(&mut self) -> Entries {
        Entries {
            plain: Lines::default(),
            with_metadata: Lines::default(),
            left_bytes: ENTRIES_BYTES_MAX - self.bytes,
            share: self.share.replace(),
            refused: Refused::default(),
            refusal: None,
            line: Vec::new(),
        }
    }

    /// Adds a stream; `labels_text` is what an error calls it.
    ///
    /// # Errors
    ///
    /// [`Fault::TooLarge`] if the body has more streams or labels than it may.
    pub(super) fn add(
        &mut self,
        labels: Result<Labels, String>,
        labels_text: &str,
        entries: Entries,
    ) -> Result<(), Fault> {
        let Entries { plain, with_metadata, left_bytes, share, refused, refusal, .. } = entries;
        self.share = share;
        let line_count = (plain.len() + with_metadata.len()) as u64;
        if line_count + refused.total() == 0 {
            return Ok(());
        }
        let label_bytes = labels.as_ref().map_or(0, Labels::byte_count);
        self.share.take(STREAM_COST_BYTES + 2 * label_bytes)?;
        self.label_bytes += label_bytes;
        if LABELS_BYTES_MAX < self.label_bytes || STREAMS_MAX <= self.streams.len() {
            let message =
                format!("the streams are over {STREAMS_MAX} or {LABELS_BYTES_MAX} bytes of labels; send less at once");
            return Err(Fault::TooLarge(message));
        }
        for (reason, count) in PushRefusal::ALL.into_iter().zip(refused.0) {
            self.refused.add(reason, count);
        }
        let streams = labels.and_then(|labels| streams(&labels, labels_text, plain, with_metadata));
        match streams {
            Ok(streams) => {
                self.bytes = ENTRIES_BYTES_MAX - left_bytes;
                self.streams.extend(streams);
                if let Some(refusal) = refusal {
                    self.refusal.get_or_insert(refusal.message(labels_text));
                }
            }
            Err(message) => {
                self.share.give_back(ENTRIES_BYTES_MAX - self.bytes - left_bytes);
                self.refused.add(PushRefusal::Labels, line_count);
                self.refusal.get_or_insert(message);
            }
        }
        Ok(())
    }

    /// How many entries were refused.
    pub(super) fn refused(&self) -> Refused {
        self.refused
    }

    /// The entries that are taken, their memory, and what to say of the others.
    pub(super) fn into_batch(self) -> (Batch, Share, Option<String>) {
        let refusal = self.refusal.map(|first| match self.refused.total() {
            0 | 1 => first,
            count => format!("{first}; {count} entries were refused in all"),
        });
        (Batch { checkpoint: None, streams: self.streams }, self.share, refusal)
    }
}

/// A stream as the database takes it; the entries with metadata apart.
fn streams(
    labels: &Labels,
    labels_text: &str,
    plain: Lines,
    with_metadata: Lines,
) -> Result<impl Iterator<Item = StreamLines> + use<>, String> {
    if labels.iter().len() == 0 {
        return Err("error at least one label pair is required per stream".to_owned());
    }
    if internal::is_internal(labels) {
        return Err(format!("error parsing labels '{labels_text}' with error: __internal__ is the agent's own"));
    }
    // Every stream can be marked, whether or not an entry has metadata by now.
    let marked = metadata::mark(labels).map_err(|error| labels_refusal(&error, labels_text))?;
    let streams = [(labels.clone(), plain), (marked, with_metadata)].into_iter();
    let streams = streams.filter(|(_, lines)| !lines.is_empty());
    Ok(streams.map(|(labels, lines)| StreamLines { labels, lines }))
}

/// What to say of a stream whose labels are none.
pub(super) fn labels_refusal(error: &LabelsError, labels_text: &str) -> String {
    match error {
        LabelsError::Duplicate { name } => format!("stream '{labels_text}' has duplicate label name: '{name}'"),
        LabelsError::Value { name, .. } => format!("stream '{labels_text}' has label value too long: '{name}'"),
        LabelsError::TooMany { .. } | LabelsError::Name { .. } => {
            format!("error parsing labels '{labels_text}' with error: {error}")
        }
    }
}

impl Entries {
    /// Takes or refuses an entry; `None` for a time that cannot be stored.
    ///
    /// # Errors
    ///
    /// [`Fault::TooLarge`] if the body holds more than it may.
    pub(super) fn push(
        &mut self,
        timestamp: Option<Timestamp>,
        text: &[u8],
        metadata: &EntryMetadata<'_>,
    ) -> Result<(), Fault> {
        if let Err(refusal) = self.take(timestamp, text, metadata)? {
            self.refused.add(refusal.reason(), 1);
            self.refusal.get_or_insert(refusal);
        }
        Ok(())
    }

    fn take(
        &mut self,
        timestamp: Option<Timestamp>,
        text: &[u8],
        metadata: &EntryMetadata<'_>,
    ) -> Result<Result<(), Refusal>, Fault> {
        let Some(timestamp) = timestamp else { return Ok(Err(Refusal::TimeOutOfRange)) };
        if LINE_BYTES_MAX < text.len() {
            return Ok(Err(Refusal::LineTooLong(text.len())));
        }
        if METADATA_MAX < metadata.len() {
            return Ok(Err(Refusal::TooManyMetadata(metadata.len())));
        }
        let (lines, line) = if metadata.is_empty() {
            (&mut self.plain, text)
        } else {
            self.line.clear();
            self.line.extend_from_slice(text);
            let pairs = metadata.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
            if let Err(bytes) = metadata::append(&mut self.line, pairs) {
                return Ok(Err(Refusal::MetadataTooLarge(bytes)));
            }
            (&mut self.with_metadata, self.line.as_slice())
        };
        let too_large =
            || Fault::TooLarge(format!("the entries are over {ENTRIES_BYTES_MAX} bytes; send less at once"));
        let bytes = ENTRY_COST_BYTES + line.len();
        self.left_bytes = self.left_bytes.checked_sub(bytes).ok_or_else(too_large)?;
        self.share.take(bytes)?;
        lines.push(timestamp, line);
        Ok(Ok(()))
    }
}

impl Refusal {
    fn reason(&self) -> PushRefusal {
        match self {
            Self::LineTooLong(_) => PushRefusal::LineTooLong,
            Self::TooManyMetadata(_) | Self::MetadataTooLarge(_) => PushRefusal::Metadata,
            Self::TimeOutOfRange => PushRefusal::Time,
        }
    }

    fn message(&self, labels: &str) -> String {
        match self {
            Self::LineTooLong(bytes) => format!(
                "Max entry size '{LINE_BYTES_MAX}' bytes exceeded for stream '{labels}' while adding an entry with length \
                 '{bytes}' bytes"
            ),
            Self::TooManyMetadata(count) => format!(
                "stream '{labels}' has too many structured metadata labels: '{count}' or more, limit: '{METADATA_MAX}'"
            ),
            Self::MetadataTooLarge(bytes) => {
                let bytes_max = metadata::METADATA_BYTES_MAX;
                format!(
                    "stream '{labels}' has structured metadata too large: '{bytes}' bytes, limit: '{bytes_max}' bytes"
                )
            }
            Self::TimeOutOfRange => {
                format!("entry for stream '{labels}' has a timestamp outside the years 1677 to 2262")
            }
        }
    }
}

/// A name that a label can have: what a label's name cannot hold becomes `_`.
pub(super) fn label_name(name: &str) -> Cow<'_, str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return Cow::Owned(format!("_{}", name.replace(|c| !is_word(c), "_")));
    }
    if name.chars().all(is_word) { Cow::Borrowed(name) } else { Cow::Owned(name.replace(|c| !is_word(c), "_")) }
}
