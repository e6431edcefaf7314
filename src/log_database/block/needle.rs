//! What is searched for in literals and values.

use memchr::memmem::Finder;

use super::classes::Classes;
use super::terms::Wanted;
use super::tokenize;

/// Bytes to search for, prepared once per query.
#[derive(Clone, Debug)]
pub(super) struct Needle {
    bytes: Vec<u8>,
    ignore_case: bool,
    finder: Finder<'static>,
    classes: Classes,
    /// Whether it lies within one word of a text, if it is in the text.
    is_within_word: bool,
    /// Whether a byte is in it, in whichever case where that does not matter.
    is_in: Box<[bool; 256]>,
}

/// Which part of a text the bytes have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Anything in it.
    Inner,
    /// Its beginning.
    Start,
    /// Its end.
    End,
    /// All of it.
    Whole,
}

/// A needle, or a piece of one, that has to be some part of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe<'n> {
    needle: &'n Needle,
    pub(super) bytes: &'n [u8],
    pub(super) part: Part,
}

impl Needle {
    /// The very bytes.
    pub(super) fn exact(bytes: &[u8]) -> Self {
        Self::new(bytes.to_vec(), false)
    }

    /// The bytes, whatever case ASCII letters have.
    pub(super) fn ignoring_case(bytes: &[u8]) -> Self {
        Self::new(bytes.to_ascii_lowercase(), true)
    }

    fn new(bytes: Vec<u8>, ignore_case: bool) -> Self {
        let finder = Finder::new(&bytes).into_owned();
        let mut is_in = Box::new([false; 256]);
        for byte in bytes.iter().flat_map(|byte| cases(*byte, ignore_case)) {
            is_in[usize::from(byte)] = true;
        }
        let is_within_word = !bytes.is_empty() && tokenize::is_within_word(&bytes);
        let classes = Classes::of(&bytes);
        Self { bytes, ignore_case, finder, classes, is_within_word, is_in }
    }

    /// What lines have to have that contain it.
    pub(super) fn wanted(&self) -> Wanted {
        Wanted::of(&self.bytes)
    }

    /// The needle as it is looked for in a whole line.
    pub(super) fn probe(&self) -> Probe<'_> {
        Probe { needle: self, bytes: &self.bytes, part: Part::Inner }
    }

    /// Where it is first in `text`.
    fn find(&self, text: &[u8]) -> Option<usize> {
        if self.ignore_case { find_ignoring_case(&self.bytes, text) } else { self.finder.find(text) }
    }
}

/// Where `lower`, whose letters are lower case, is first in `text`, whatever case the letters have there.
fn find_ignoring_case(lower: &[u8], text: &[u8]) -> Option<usize> {
    let Some(first) = lower.first() else { return Some(0) };
    let starts = memchr::memchr2_iter(*first, first.to_ascii_uppercase(), text);
    starts
        .take_while(|start| lower.len() <= text.len() - start)
        .find(|start| text[*start..start + lower.len()].eq_ignore_ascii_case(lower))
}

/// Whether `text` is like some part of `pattern`, in which `0` stands for any digit.
fn looks_like_part(text: &[u8], pattern: &[u8]) -> bool {
    let alike = |(byte, like): (&u8, &u8)| if *like == b'0' { byte.is_ascii_digit() } else { byte == like };
    text.is_empty() || pattern.windows(text.len()).any(|part| text.iter().zip(part).all(alike))
}

/// A byte of a needle in both cases, if that matters; letters of a needle that ignores case are lower case.
fn cases(byte: u8, ignore_case: bool) -> [u8; 2] {
    [byte, if ignore_case { byte.to_ascii_uppercase() } else { byte }]
}

impl<'n> Probe<'n> {
    /// A piece of the same needle; of [`Part::Inner`] there is only the needle itself.
    pub(super) fn piece(&self, bytes: &'n [u8], part: Part) -> Self {
        assert!(part != Part::Inner, "the finder looks for the whole needle");
        Self { needle: self.needle, bytes, part }
    }

    /// Whether it lies within one word of a text, if it is in the text.
    pub(super) fn is_within_word(&self) -> bool {
        self.part == Part::Inner && self.needle.is_within_word
    }

    /// Whether the needle, be it in another piece of it, has `byte`.
    pub(super) fn may_have(&self, byte: u8) -> bool {
        self.needle.is_in[usize::from(byte)]
    }

    /// The bytes that are the same as one of the needle's.
    pub(super) fn cases(&self, byte: u8) -> [u8; 2] {
        cases(byte, self.needle.ignore_case)
    }

    /// Whether `text` has the bytes as the wanted part.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        match self.part {
            Part::Inner => self.needle.find(text).is_some(),
            Part::Start => self.begins(text, self.bytes),
            Part::End => self.ends(text, self.bytes),
            Part::Whole => self.same(text, self.bytes),
        }
    }

    /// Where in `text` the whole needle is first.
    pub(super) fn find(&self, text: &[u8]) -> Option<usize> {
        self.needle.find(text)
    }

    /// Whether `text` begins with `start`.
    pub(super) fn begins(&self, text: &[u8], start: &[u8]) -> bool {
        text.get(..start.len()).is_some_and(|part| self.same(part, start))
    }

    /// Whether `text` ends with `end`.
    pub(super) fn ends(&self, text: &[u8], end: &[u8]) -> bool {
        text.len().checked_sub(end.len()).is_some_and(|start| self.same(&text[start..], end))
    }

    /// Whether two texts are the same to this needle.
    pub(super) fn same(&self, a: &[u8], b: &[u8]) -> bool {
        if self.needle.ignore_case { a.eq_ignore_ascii_case(b) } else { a == b }
    }

    /// Whether the bytes can be in a text made of `prefix`, part of `pattern` and `suffix`, where `0` in the pattern stands
    /// for any digit. May say so wrongly, never the contrary.
    pub(super) fn fits(&self, prefix: &[u8], pattern: &[u8], suffix: &[u8]) -> bool {
        let holds = |affix: &[u8]| affix.windows(self.bytes.len()).any(|part| self.same(part, self.bytes));
        if self.bytes.is_empty() || holds(prefix) || holds(suffix) {
            return true;
        }
        // A date may have a letter behind it.
        let lower = if self.needle.ignore_case { pattern.to_ascii_lowercase() } else { Vec::new() };
        let pattern: &[u8] = if self.needle.ignore_case { &lower } else { pattern };
        (0..=self.bytes.len().min(prefix.len())).any(|start| {
            let (in_prefix, rest) = self.bytes.split_at(start);
            if !self.same(in_prefix, &prefix[prefix.len() - start..]) {
                return false;
            }
            (0..=rest.len().min(suffix.len())).any(|length| {
                let (in_pattern, in_suffix) = rest.split_at(rest.len() - length);
                self.same(in_suffix, &suffix[..length]) && looks_like_part(in_pattern, pattern)
            })
        })
    }

    /// Whether a text of bytes of `classes` may have the bytes in it.
    pub(super) fn may_be_of(&self, classes: Classes) -> bool {
        let classes = if self.needle.ignore_case { classes.lower_cased() } else { classes };
        let is_whole = self.bytes.len() == self.needle.bytes.len();
        classes.cover(if is_whole { self.needle.classes } else { Classes::of(self.bytes) })
    }
}
