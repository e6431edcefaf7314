//! What a filter over many blocks knows of each: which words are in its lines, and which pieces of ids may be.
//!
//! A *run* is as many letters, digits and bytes past ASCII as follow one another in a line; ASCII letters are in lower case
//! here. Of the letters in runs, those that follow one another are a word, unless `a` to `f` are all it has: hexadecimal ids
//! would be full of those. A run with a digit, of [`RUN_BYTES_MIN`] bytes at least, is an id. Of each [`WINDOW`] successive
//! pieces of [`PIECE_BYTES`] bytes in an id, the one with the least hash is marked (Schleimer, Wilkerson and Aiken:
//! "Winnowing", 2003): so whatever part of an id a needle is, if it is long enough, some of the pieces that are marked for
//! the needle are marked for the id as well.
//!
//! Both are found in what a block is made of, not in its lines, which takes no longer than a search does. All of this is part
//! of the format of segments.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::Error;
use super::lines::View;
use super::parts::Strings;
use super::read::Block;
use super::sections::Source;
use super::structure::{Column, Template, Templates};
use super::tokenize::is_alphanumeric;

/// Bytes of a piece of an id.
const PIECE_BYTES: usize = 6;
/// Of so many successive pieces, one is marked.
const WINDOW: usize = 3;
/// Bytes of the shortest run of which anything is marked.
pub(super) const RUN_BYTES_MIN: usize = PIECE_BYTES + WINDOW - 1;
/// Two odd numbers that hashes multiply with: 2^64 divided by the golden ratio, and SplitMix64's first one.
const ORDER: u64 = 0x9e37_79b9_7f4a_7c15;
const SPREAD: u64 = 0xbf58_476d_1ce4_e5b9;
/// As long as a smaller set of marks is at most so full, in parts of 256, it serves as well.
const FULL_256: u64 = 90;

/// What is known of the lines of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The words.
    pub words: HashSet<Vec<u8>, RandomState>,
    /// The marks of ids.
    pub marks: Marks,
    /// Whether there may be anything else in the lines: then nothing is known.
    pub is_open: bool,
}

/// A set of hashes, some of which are alike: a power of two of bits, or none, which says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(Vec<u64>);

/// Fewest bits of a set.
const BITS_MIN: u64 = u64::BITS as u64;

impl Marks {
    /// No marks, of at most so many bytes.
    fn none(bytes_max: usize) -> Self {
        let words = bytes_max / size_of::<u64>();
        Self(words.checked_ilog2().map_or_else(Vec::new, |log| vec![0; 1 << log]))
    }

    /// The marks that [`Self::to_bytes`] gave; `None` for other lengths.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks();
        let is_valid = rest.is_empty() && (words.is_empty() || words.len().is_power_of_two());
        is_valid.then(|| Self(words.iter().map(|word| u64::from_le_bytes(*word)).collect()))
    }

    /// Little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// The set's bit for a hash: its highest bits, so that halving the set only drops the lowest of these.
    fn bit(&self, hash: u64) -> Option<(usize, u64)> {
        let bits = self.0.len() as u64 * BITS_MIN;
        let bit = hash.checked_shr(u64::BITS - bits.checked_ilog2()?)?;
        Some((usize::try_from(bit / BITS_MIN).ok()?, 1 << (bit % BITS_MIN)))
    }

    fn insert(&mut self, hash: u64) {
        if let Some((word, bit)) = self.bit(hash) {
            self.0[word] |= bit;
        }
    }

    /// Whether a hash may be marked.
    pub fn may_contain(&self, hash: u64) -> bool {
        self.bit(hash).is_none_or(|(word, bit)| self.0[word] & bit != 0)
    }

    /// Halves the set for as long as it is rather empty.
    fn shrink(&mut self) {
        loop {
            let ones: u64 = self.0.iter().map(|word| u64::from(word.count_ones())).sum();
            if self.0.len() < 2 || FULL_256 * self.0.len() as u64 * BITS_MIN < 2 * 256 * ones {
                return;
            }
            let (pairs, _) = self.0.as_chunks::<2>();
            self.0 = pairs.iter().map(|[low, high]| halved(*low) | halved(*high) << (u64::BITS / 2)).collect();
        }
    }
}

/// Of each two neighbouring bits whether one is set, in the lower half.
fn halved(word: u64) -> u64 {
    let either = word | word >> 1;
    (0..u64::BITS / 2).fold(0, |bits, at| bits | (either >> (2 * at) & 1) << at)
}

/// What lines have to have that contain a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Each is a part of a word.
    pub words: Vec<Vec<u8>>,
    /// Each is marked.
    pub marks: Vec<u64>,
}

impl Wanted {
    /// What lines have to have that contain `needle`, in whichever case.
    pub(super) fn of(needle: &[u8]) -> Self {
        let mut wanted = Self::default();
        let (mut words, mut marks) = (Vec::new(), Vec::new());
        each_run(needle, |run| {
            each_word(run, |word| words.push(word.to_vec()));
            each_mark(run, |hash| marks.push(hash));
        });
        wanted.words = words;
        wanted.marks = marks;
        wanted
    }

    /// Whether that is nothing.
    pub fn is_nothing(&self) -> bool {
        self.words.is_empty() && self.marks.is_empty()
    }
}

/// Calls `found` with each run of a text, in lower case.
fn each_run(text: &[u8], mut found: impl FnMut(&[u8])) {
    let mut lower = Vec::new();
    for run in text.split(|byte| !is_alphanumeric(*byte)).filter(|run| !run.is_empty()) {
        lower.clear();
        lower.extend(run.iter().map(u8::to_ascii_lowercase));
        found(&lower);
    }
}

/// Calls `found` with each word of a run.
fn each_word(run: &[u8], mut found: impl FnMut(&[u8])) {
    for letters in run.split(u8::is_ascii_digit) {
        if letters.iter().any(|letter| !(b'a'..=b'f').contains(letter)) {
            found(letters);
        }
    }
}

/// Calls `found` with what is marked of a run.
fn each_mark(run: &[u8], mut found: impl FnMut(u64)) {
    if run.len() < RUN_BYTES_MIN || !run.iter().any(u8::is_ascii_digit) {
        return;
    }
    let mut hashes = [u64::MAX; WINDOW];
    let mut marked = None;
    for (number, piece) in run.windows(PIECE_BYTES).enumerate() {
        let piece = piece.iter().fold(0, |piece, byte| piece << 8 | u64::from(*byte));
        let hash = piece.wrapping_mul(ORDER);
        hashes[number % WINDOW] = hash ^ hash >> 29;
        if number + 1 < WINDOW {
            continue;
        }
        let least = hashes.iter().min().copied();
        if least != marked {
            marked = least;
            found(least.unwrap_or_default().wrapping_mul(SPREAD));
        }
    }
}

impl Terms {
    fn add_run(&mut self, run: &[u8]) {
        each_word(run, |word| {
            if !self.words.contains(word) {
                self.words.insert(word.to_vec());
            }
        });
        each_mark(run, |hash| self.marks.insert(hash));
    }

    fn add_text(&mut self, text: &[u8]) {
        each_run(text, |run| self.add_run(run));
    }
}

impl<S: Source> Block<S> {
    /// What is known of the lines, where the marks of ids take at most so many bytes.
    pub fn terms(&self, marks_bytes_max: usize) -> Result<Terms, Error> {
        let mut terms = Terms { marks: Marks::none(marks_bytes_max), ..Terms::default() };
        self.add_templates(self.root()?, true, &mut terms)?;
        terms.marks.shrink();
        Ok(terms)
    }

    fn add_templates(&self, templates: &Templates, is_root: bool, terms: &mut Terms) -> Result<(), Error> {
        for (index, template) in templates.by_id.iter().enumerate() {
            self.add_template(template, is_root.then_some(index), terms)?;
        }
        Ok(())
    }

    /// Adds a template, which is that of lines if it has an index.
    fn add_template(&self, template: &Template, index: Option<usize>, terms: &mut Terms) -> Result<(), Error> {
        let structure = self.structure()?;
        let mut before = template.head.of(structure);
        terms.add_text(before);
        for (number, slot) in template.slots.iter().enumerate() {
            let after = slot.tail.of(structure);
            terms.add_text(after);
            // Runs that go on from a literal into a value, or from one value into the next, are in neither of them. Lines
            // are not cut so.
            let goes_on = before.last().is_none_or(|byte| is_alphanumeric(*byte));
            let is_first = number == 0 && before.is_empty();
            terms.is_open |= (goes_on && !is_first) || after.first().is_some_and(|byte| is_alphanumeric(*byte));
            self.add_column(&slot.column, template.count, index, terms)?;
            before = after;
        }
        Ok(())
    }

    fn add_column(&self, column: &Column, count: u32, template: Option<usize>, terms: &mut Terms) -> Result<(), Error> {
        let structure = self.structure()?;
        match column {
            Column::Text(values) | Column::Dictionary { values, .. } => self.add_strings(values, terms),
            // A run lies within one word, because words end behind runs and nowhere else.
            Column::Words(texts) => {
                texts.vocabularies.iter().try_for_each(|vocabulary| self.add_strings(vocabulary, terms))
            }
            Column::Templates(templates) => self.add_templates(templates, false, terms),
            Column::Hex { .. } => self.add_values(column, count, None, terms),
            Column::Decimal { face, .. } => {
                let pattern = [face.prefix.of(structure), &face.pattern(), face.suffix.of(structure)].concat();
                self.add_pattern(&pattern, column, (count, None), terms)
            }
            Column::Clock { face, .. } => {
                let pattern = [face.before.of(structure), &face.pattern(), face.after.of(structure)].concat();
                self.add_pattern(&pattern, column, (count, template), terms)
            }
        }
    }

    /// Adds a column whose values look like `pattern`, where `0` stands for digits.
    fn add_pattern(
        &self,
        pattern: &[u8],
        column: &Column,
        (count, template): (u32, Option<usize>),
        terms: &mut Terms,
    ) -> Result<(), Error> {
        let mut longest = 0;
        each_run(pattern, |run| longest = longest.max(run.len()));
        if RUN_BYTES_MIN <= longest {
            return self.add_values(column, count, template, terms);
        }
        // The digits are in no word, and too few for an id.
        terms.add_text(pattern);
        Ok(())
    }

    /// Adds all values of a column, put together.
    fn add_values(&self, column: &Column, count: u32, template: Option<usize>, terms: &mut Terms) -> Result<(), Error> {
        let view = View::new(self, column)?;
        let times = match template {
            Some(index) => Some((self.root()?.rows(&self.sections, index)?, self.timestamps_ns()?)),
            None => None,
        };
        let mut value = Vec::new();
        for row in 0..count {
            value.clear();
            let timestamp_ns = times.map_or(0, |(rows, times)| times[rows[row as usize] as usize]);
            view.append(row, timestamp_ns, &mut value);
            terms.add_text(&value);
        }
        Ok(())
    }

    fn add_strings(&self, strings: &Strings, terms: &mut Terms) -> Result<(), Error> {
        // Newlines between them end runs.
        terms.add_text(strings.text(&self.sections)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_part_of_a_text_is_wanted_is_known_of_it() {
        let texts = [
            "Order 9F86d081884c7d65 of user-4711: größe=10MB, x",
            "550e8400-e29b-41d4-a716-446655440000 deadbeefdead facade01",
            "req_00000000000000000000 a1b2c3d4e5f6g7h8i9",
        ];
        for text in texts {
            let mut terms = Terms { marks: Marks::none(1 << 10), ..Terms::default() };
            terms.add_text(text.as_bytes());
            terms.marks.shrink();
            let again = Marks::from_bytes(&terms.marks.to_bytes());
            assert_eq!(again.as_ref(), Some(&terms.marks));
            for start in 0..text.len() {
                for end in start..=text.len() {
                    let wanted = Wanted::of(&text.as_bytes()[start..end]);
                    for word in &wanted.words {
                        let is_part = |known: &Vec<u8>| memchr::memmem::find(known, word).is_some();
                        assert!(terms.words.iter().any(is_part), "{text:?}: {wanted:?}");
                    }
                    assert!(wanted.marks.iter().all(|hash| terms.marks.may_contain(*hash)), "{text:?}: {wanted:?}");
                }
            }
        }
    }

    #[test]
    fn a_needle_wants_words_and_ids_only() {
        let wanted = |needle: &str| Wanted::of(needle.as_bytes());
        assert!(["", "47 11", "dead beef", "a:b", "1234567"].into_iter().all(|needle| wanted(needle).is_nothing()));
        assert_eq!(wanted("the Needle").words, [b"the".to_vec(), b"needle".to_vec()]);
        assert_eq!(wanted("x12345").words, [b"x".to_vec()]);
        assert_eq!((wanted("12345678").marks.len(), wanted("0123456789abcdef").marks.is_empty()), (1, false));
    }

    #[test]
    fn marks_of_any_size_contain_what_was_inserted() {
        for bytes_max in [0, 7, 8, 100, 4096] {
            let mut marks = Marks::none(bytes_max);
            assert!(marks.to_bytes().len() <= bytes_max);
            let hashes: Vec<u64> = (1..40_u64).map(|number| number.wrapping_mul(SPREAD)).collect();
            for hash in &hashes {
                marks.insert(*hash);
            }
            marks.shrink();
            assert!(hashes.iter().all(|hash| marks.may_contain(*hash)));
            let others = (0..1000_u64).filter(|number| marks.may_contain(number.wrapping_mul(ORDER))).count();
            assert!(bytes_max < 100 || others < 500, "{bytes_max}: {others}");
        }
        assert!(Marks::from_bytes(&[0; 24]).is_none() && Marks::from_bytes(&[0; 9]).is_none());
    }
}
