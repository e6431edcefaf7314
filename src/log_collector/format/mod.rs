//! A line of a file becomes an entry: its time, its text and, for container runtimes, its channel.
//!
//! The lines of one file go through one [`Decoder`], in their order. Container formats (`cri`, `docker`, `docker_local`,
//! whose records take the place of lines) are recognised line by line from their content, in any file; a line that is none
//! of theirs is plain text, so no line is ever dropped or refused. Lines are bytes: nothing here asks them to be UTF-8.
//!
//! Reading files, splitting them into lines and labelling entries is the collectors' business.

mod attributes;
mod cri;
mod docker;
pub mod docker_local;
mod join;
mod json;
pub(super) mod multiline;

mod date_text;
mod fields;
mod host_clock;
mod lookahead;
mod moment;
mod number;
mod plain;
mod time_text;

#[cfg(test)]
pub(crate) mod tests;

use jiff::tz::TimeZone;

use self::attributes::Attributes;
use self::join::Joiner;
use self::lookahead::Lookahead;
use self::plain::PlainTimes;
use crate::model::Timestamp;

/// Longest line that is kept, in bytes; also the longest that partial lines are joined to.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// The output of a container that an entry was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The file does not say: it is no container runtime's.
    None,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Channel {
    /// The channel that container runtimes write as `name`.
    fn from_name(name: &[u8]) -> Option<Self> {
        match name {
            b"stdout" => Some(Self::Stdout),
            b"stderr" => Some(Self::Stderr),
            _ => None,
        }
    }

    /// The channel that has the number `number` as `u8`.
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::None, Self::Stdout, Self::Stderr].into_iter().find(|channel| *channel as u8 == number)
    }
}

/// An entry: what a line, or the last of several partial ones, decodes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The output of a container that it was written to.
    pub channel: Channel,
    /// Time of logging (of partial lines, the first's); see [`Decoder::decode`] for lines that do not say.
    pub timestamp: Timestamp,
    /// Its text: the line itself for plain files, what the runtime wrapped for container logs. At most
    /// [`LINE_BYTES_MAX`] long.
    pub line: &'a [u8],
    /// Its metadata as they are appended to its line; empty where it has none.
    pub attributes: &'a [u8],
    /// Set where it was joined from several lines of the file.
    pub is_joined: bool,
}

impl<'a> Decoded<'a> {
    fn new(channel: Channel, timestamp: Timestamp, text: &'a [u8]) -> Self {
        let line = &text[..text.len().min(LINE_BYTES_MAX)];
        Self { channel, timestamp, line, attributes: &[], is_joined: false }
    }
}

/// An entry whose last part is in a later file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partial {
    /// The output of a container that it was written to.
    pub channel: Channel,
    /// Of the first part.
    pub timestamp: Timestamp,
    /// What the parts so far say, at most [`LINE_BYTES_MAX`] bytes.
    pub text: Vec<u8>,
}

/// The state of one file: how its times look, and the partial lines that wait for their last part.
///
/// Memory: what is being joined, at most [`LINE_BYTES_MAX`] for each channel, and a buffer as large as the longest
/// Docker line with escapes so far.
#[derive(Debug)]
pub struct Decoder {
    joiner: Joiner,
    /// Text of the last Docker line, if it had escapes.
    unescaped: Vec<u8>,
    attributes: Attributes,
    plain: PlainTimes,
    /// Bytes of the last line that are over the limit.
    cut_bytes: u64,
}

impl Decoder {
    /// A decoder at the beginning of a file; `zone` is the host's, for times without one.
    pub fn new(zone: TimeZone) -> Self {
        Self {
            joiner: Joiner::default(),
            unescaped: Vec::new(),
            attributes: Attributes::default(),
            plain: PlainTimes::new(zone),
            cut_bytes: 0,
        }
    }

    /// Tells when the file had been written to; lines that are decoded from here on were written by then. Until it is told,
    /// that is the time of reading.
    pub fn set_modified(&mut self, modified: Timestamp) {
        self.plain.set_modified(modified);
    }

    /// Reads the beginning of the file where decoding does not begin there: a header may say what zone times are of.
    pub fn read_header(&mut self, start: &[u8]) {
        start.split(|byte| *byte == b'\n').take_while(|line| line.starts_with(b"#")).for_each(|line| {
            self.plain.read_header(line);
        });
    }

    /// Looks at samples of a file of `size` bytes that begins with `start`, to tell what year or day its first lines are of
    /// where they do not say it. Reads nothing where they do.
    ///
    /// `read_at` reads at an offset until the buffer is full or the file ends, and tells how much that was.
    pub fn look_ahead(
        &mut self,
        start: &[u8],
        size: u64,
        now: Timestamp,
        read_at: impl FnMut(&mut [u8], u64) -> Option<usize>,
    ) {
        if let Some(ahead) = Lookahead::sample(&mut PlainTimes::new(TimeZone::UTC), start, size, now, read_at) {
            self.plain.set_ahead(ahead);
        }
    }

    /// Decodes one line of the file, without its newline, that starts at byte `offset` and was read at `read_at`.
    ///
    /// `None` while the line is part of an entry whose last part is still to come.
    ///
    /// A plain line without a time belongs to the line above it (a stack trace to its exception) and takes that one's
    /// time, lest it sort away from it. It takes `read_at` if no line above has a time, or if the last that had one was
    /// read over a minute earlier.
    ///
    /// To go on after a restart at byte `n`, begin at [`Decoder::pending_from`] of that moment and drop what lines
    /// before `n` decode to: it was delivered.
    pub fn decode<'a>(&'a mut self, line: &'a [u8], offset: u64, read_at: Timestamp) -> Option<Decoded<'a>> {
        let part = cri::parse(line).or_else(|| docker::parse(line, &mut self.unescaped));
        if let Some(part) = part.or_else(|| docker_local::parse(line)) {
            self.cut_bytes = self.joiner.over_limit_bytes(&part);
            self.attributes.read(part.attributes);
            let decoded = self.joiner.join(part, offset)?;
            return Some(Decoded { attributes: self.attributes.as_metadata(), ..decoded });
        }
        self.cut_bytes = line.len().saturating_sub(LINE_BYTES_MAX) as u64;
        Some(Decoded::new(Channel::None, self.plain.time_of(line, offset, read_at), line))
    }

    /// Bytes of the last line that were cut off, be its entry complete or not.
    pub fn cut_bytes(&self) -> u64 {
        self.cut_bytes
    }

    /// Offset of the oldest line that is part of an entry not yet complete.
    pub fn pending_from(&self) -> Option<u64> {
        self.joiner.pending_from()
    }

    /// What there is of the entries that are not complete.
    pub fn unended(&self) -> impl Iterator<Item = Decoded<'_>> {
        self.joiner.unended()
    }

    /// The entries that are not complete, to be carried into the next file.
    pub fn partials(&self) -> Vec<Partial> {
        self.joiner.partials()
    }

    /// Begins with the entries that the file before has not completed.
    pub fn begin_with(&mut self, partials: &[Partial]) {
        self.joiner.begin_with(partials);
    }

    /// Takes an entry whose last part will never come, because the file has ended for good. `None` when there is none
    /// left.
    pub fn finish(&mut self) -> Option<Decoded<'_>> {
        let decoded = self.joiner.finish()?;
        Some(Decoded { attributes: self.attributes.as_metadata(), ..decoded })
    }
}
