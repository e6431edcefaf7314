//! How the text of a file is encoded, told by how it begins: with a byte order mark, or with a record of Docker's.
//!
//! Offsets are those of the file's own bytes. Lines are decoded to UTF-8 one by one; what has no mark is taken as it is, and
//! records are left to the decoder.

use std::borrow::Cow;

use memchr::memchr_iter;

use crate::log_collector::format::docker_local::{self, RecordEnds};

/// U+FEFF in UTF-8, with which some programs begin a file.
const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";

/// How a file's text is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Encoding {
    /// UTF-8, or anything else in which a byte 0x0A is a newline.
    #[default]
    Bytes,
    /// UTF-16, the low byte first.
    Utf16Le,
    /// UTF-16, the high byte first.
    Utf16Be,
    /// Records with their lengths around them, as Docker's driver `local` writes them.
    DockerLocal,
}

/// Where lines or records end.
enum Ends<L, R> {
    Lines(L),
    Records(R),
}

impl<L: Iterator<Item = usize>, R: Iterator<Item = usize>> Iterator for Ends<L, R> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        match self {
            Self::Lines(ends) => ends.next(),
            Self::Records(ends) => ends.next(),
        }
    }
}

impl Encoding {
    /// Tells from the first bytes of a file.
    pub(super) fn of(start: &[u8]) -> Self {
        match start {
            [0xff, 0xfe, ..] => Self::Utf16Le,
            [0xfe, 0xff, ..] => Self::Utf16Be,
            [0, ..] if docker_local::is_start(start) => Self::DockerLocal,
            _ => Self::Bytes,
        }
    }

    /// The name for the status; `None` where there is nothing to say.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Bytes => None,
            Self::Utf16Le => Some("utf-16le"),
            Self::Utf16Be => Some("utf-16be"),
            Self::DockerLocal => Some("docker-local"),
        }
    }

    /// Bytes of a newline.
    pub(super) fn newline_bytes(self) -> usize {
        match self {
            Self::Bytes => 1,
            Self::Utf16Le | Self::Utf16Be => 2,
            Self::DockerLocal => 0,
        }
    }

    /// Where the lines of `text` end, behind their newlines. `text` stands at byte `offset` of the file.
    pub(super) fn line_ends(self, text: &[u8], offset: u64) -> impl Iterator<Item = usize> {
        match self {
            Self::DockerLocal => Ends::Records(RecordEnds::of(text)),
            _ => Ends::Lines(self.newlines(text, offset)),
        }
    }

    /// The last of [`Encoding::line_ends`].
    pub(super) fn last_line_end(self, text: &[u8], offset: u64) -> Option<usize> {
        match self {
            Self::DockerLocal => RecordEnds::of(text).last(),
            _ => self.newlines(text, offset).next_back(),
        }
    }

    /// Whether what was cut out of the file as a line is none, because the file is damaged there.
    pub(super) fn is_damage(self, line: &[u8]) -> bool {
        self == Self::DockerLocal && !docker_local::is_record(line)
    }

    fn newlines(self, text: &[u8], offset: u64) -> impl DoubleEndedIterator<Item = usize> {
        memchr_iter(b'\n', text).filter_map(move |at| match self {
            Self::Bytes | Self::DockerLocal => Some(at + 1),
            Self::Utf16Le => (is_even(offset, at) && text.get(at + 1) == Some(&0)).then_some(at + 2),
            Self::Utf16Be => (!is_even(offset, at) && 0 < at && text[at - 1] == 0).then_some(at + 1),
        })
    }

    /// A line without its newline, be it one of two characters, as UTF-8; `is_first` where it begins the file, with the mark.
    pub(super) fn decode(self, line: &[u8], is_first: bool) -> Cow<'_, [u8]> {
        match self {
            Self::DockerLocal => return Cow::Borrowed(line),
            Self::Bytes => {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                return Cow::Borrowed(if is_first { line.strip_prefix(UTF_8_MARK).unwrap_or(line) } else { line });
            }
            Self::Utf16Le | Self::Utf16Be => {}
        }
        let units = line.chunks_exact(2).map(|pair| match self {
            Self::Utf16Le => u16::from_le_bytes([pair[0], pair[1]]),
            _ => u16::from_le_bytes([pair[1], pair[0]]),
        });
        let units = units.skip(usize::from(is_first));
        let mut text: String =
            char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        if text.ends_with('\r') {
            text.pop();
        }
        Cow::Owned(text.into_bytes())
    }
}

fn is_even(offset: u64, at: usize) -> bool {
    offset.wrapping_add(at as u64).is_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(to_bytes).collect()
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: &[&str]) {
        let encoding = Encoding::of(bytes);
        let mut lines = Vec::new();
        let mut start = 0;
        for end in encoding.line_ends(bytes, 0) {
            let line = encoding.decode(&bytes[start..end - encoding.newline_bytes()], start == 0);
            lines.push(String::from_utf8(line.into_owned()).unwrap());
            start = end;
        }
        assert_eq!(lines, expected);
        assert_eq!(start, bytes.len());
    }

    #[test]
    fn lines_are_cut_and_decoded_in_each_encoding() {
        // U+0A0A and U+010A have bytes in them that are no newlines.
        let text = "\u{feff}one\n\u{a0a}\u{10a}\u{a01}\n\u{1f600}\n";
        let expected = ["one", "\u{a0a}\u{10a}\u{a01}", "\u{1f600}"];
        check(&encode(text, u16::to_le_bytes), &expected);
        check(&encode(text, u16::to_be_bytes), &expected);
        check(text.as_bytes(), &expected);
    }
}
