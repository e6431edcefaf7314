//! Which words follow one another in texts, so that to find a word is to read its own places and few more.
//!
//! All texts together are one sequence of words; a place is a position in it. Of rare words, which are what is searched for,
//! the places are stored word by word, as gaps. What is left are the places of frequent words: an id for each, in order.
//! Gaps alone would take a bit and a half more for each place than ids do, which most places cannot afford: they are those
//! of frequent words.
//!
//! Rare words follow one another by how often they are met, to a power of two, and then as they are first met. So each
//! one's first place can be a gap after that of the word before, and the gaps of neighbours are alike.
//!
//! To find words that follow one another, the frequent ones are looked for among frequent ones, of which no other may be in
//! between, and the rare ones by their places. So which word is where is only put together where two rare ones meet.

use std::cell::OnceCell;

use super::Error;
use super::parts::{Counts, Ids, get_or_try_init};
use super::rows::Rows;
use super::sections::{Sections, Source};

/// How many parts a vocabulary of words has. Part of the format.
pub(super) const VOCABULARIES: usize = 3;
/// A word that is met once in so many is frequent. There can be no more such words, so their ids are bytes.
const FREQUENT_AMONG: u64 = 256;
/// A group of words with so many places is not made any longer, because it is read as a whole.
const GROUP_PLACES: usize = 16 << 10;

/// Where a word that is met so often among `total` is in the order that [`encode`] wants words in.
pub(super) fn rank(count: u32, total: usize) -> u32 {
    if is_frequent(count, total) { !count } else { !(1 << count.checked_ilog2().unwrap_or_default()) }
}

/// Whether a word that is met so often among `total` is frequent.
pub(super) fn is_frequent(count: u32, total: usize) -> bool {
    total as u64 <= u64::from(count) * FREQUENT_AMONG
}

/// A sequence of words ready to be written.
#[derive(Debug)]
pub(super) struct Encoded {
    /// How many of the words are frequent; they come first.
    pub(super) frequent_count: usize,
    /// The frequent words one after the other, and how many of them each text has.
    pub(super) frequent: Vec<u32>,
    pub(super) frequent_by_text: Vec<u32>,
    /// How many rare words each text has.
    pub(super) rare_by_text: Vec<u32>,
    /// How often each rare word is met.
    pub(super) counts: Vec<u32>,
    pub(super) groups: Vec<EncodedGroup>,
}

/// Neighbouring rare words and their places.
#[derive(Debug)]
pub(super) struct EncodedGroup {
    pub(super) word_count: usize,
    pub(super) gaps: Vec<u32>,
}

/// Encodes the sequence of words `ids` of texts that have `by_text` words. Words of equal [`rank`] are in the order in which
/// they are first met.
pub(super) fn encode(ids: &[u32], by_text: &[u32], word_count: usize) -> Encoded {
    let mut counts = vec![0_u32; word_count];
    for id in ids {
        counts[*id as usize] += 1;
    }
    let frequent_count = counts.iter().take_while(|count| is_frequent(**count, ids.len())).count();
    let limit = u32::try_from(frequent_count).expect("no more than fit a byte");
    let frequent = below(limit, ids);
    let (mut frequent_by_text, mut rare_by_text) = (Vec::new(), Vec::new());
    let mut rest = ids;
    for count in by_text {
        let (of_text, later) = rest.split_at(*count as usize);
        let of_frequent: u32 = of_text.iter().map(|id| u32::from(*id < limit)).sum();
        frequent_by_text.push(of_frequent);
        rare_by_text.push(count - of_frequent);
        rest = later;
    }
    let counts = counts.split_off(frequent_count);
    let mut places = &places(ids, frequent_count, &counts)[..];
    let mut groups = Vec::new();
    let (mut first, mut place_count) = (0, 0);
    for (word, count) in counts.iter().enumerate() {
        place_count += *count as usize;
        // Those of the other part of a vocabulary begin anew.
        let next = counts.get(word + 1).zip(places.get(place_count));
        let is_last_alike = next.is_none_or(|(next, place)| {
            next.ilog2() != count.ilog2() || *place < places[place_count - *count as usize]
        });
        if is_last_alike || GROUP_PLACES <= place_count {
            let (of_group, later) = places.split_at(place_count);
            groups.push(EncodedGroup { word_count: word + 1 - first, gaps: gaps(of_group, &counts[first..=word]) });
            (first, place_count, places) = (word + 1, 0, later);
        }
    }
    Encoded { frequent_count, frequent, frequent_by_text, rare_by_text, counts, groups }
}

/// Those of `ids` that are below `limit`, found without a branch that cannot be predicted.
fn below(limit: u32, ids: &[u32]) -> Vec<u32> {
    let mut found = vec![0; ids.len()];
    let mut count = 0;
    for id in ids {
        found[count] = *id;
        count += usize::from(*id < limit);
    }
    found.truncate(count);
    found
}

/// The places of each rare word, one word after the other.
fn places(ids: &[u32], frequent_count: usize, counts: &[u32]) -> Vec<u32> {
    let starts = counts.iter().scan(0, |start, count| Some(std::mem::replace(start, *start + *count as usize)));
    let mut ends: Vec<usize> = starts.collect();
    let mut places = vec![0; counts.iter().map(|count| *count as usize).sum()];
    for (place, id) in (0..).zip(ids) {
        if let Some(word) = (*id as usize).checked_sub(frequent_count) {
            places[ends[word]] = place;
            ends[word] += 1;
        }
    }
    places
}

/// How many places lie before each of a group's: after the one before, or of a word's first one, after that of the word
/// before.
fn gaps(places: &[u32], counts: &[u32]) -> Vec<u32> {
    let mut gaps = Vec::with_capacity(places.len());
    let (mut rest, mut first) = (places, 0);
    for count in counts {
        let (of_word, later) = rest.split_at(*count as usize);
        let mut next = first;
        for place in of_word {
            gaps.push(place - next);
            next = place + 1;
        }
        first = of_word[0] + 1;
        rest = later;
    }
    gaps
}

/// A sequence of words as read from a block.
#[derive(Debug)]
pub(super) struct Places {
    /// How many places there are.
    pub(super) count: u32,
    /// The frequent words one after the other; all words below the ids' limit are frequent.
    pub(super) frequent: Ids,
    /// How many frequent and how many rare words each text has.
    pub(super) by_text: [Counts; 2],
    /// Where each text's frequent words end.
    pub(super) frequent_ends: OnceCell<Vec<u32>>,
    /// How often each rare word is met.
    pub(super) counts: Counts,
    pub(super) groups: Vec<Group>,
    /// The word at each place, once it was asked for.
    pub(super) ids: OnceCell<Vec<u32>>,
    /// Whether the word at each place is rare, once that was asked for.
    pub(super) are_rare: OnceCell<Rows>,
}

/// Neighbouring rare words.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) word_count: u32,
    pub(super) gaps: Counts,
}

impl Places {
    /// The word at each place.
    pub(super) fn ids<S: Source>(&self, sections: &Sections<S>) -> Result<&[u32], Error> {
        let ids = get_or_try_init(&self.ids, || {
            let mut ids = vec![u32::MAX; self.count as usize];
            let (first, end) = (self.frequent.limit, self.frequent.limit + self.counts.count);
            self.visit(sections, first..end, |word, place| ids[place as usize] = word)?;
            // Without a branch that cannot be predicted. The frequent words are as many as rare ones leave places, so two
            // rare ones at one place are noticed.
            let frequent = self.frequent.get(sections)?;
            let mut next = 0;
            for id in &mut ids {
                let is_left = *id == u32::MAX;
                let word = frequent.get(next).copied().unwrap_or(u32::MAX);
                *id = if is_left { word } else { *id };
                next += usize::from(is_left);
            }
            if next != frequent.len() {
                return Err(self.frequent.place.corrupt("frequent words"));
            }
            Ok(ids)
        })?;
        Ok(ids)
    }

    /// Where each text's words end.
    pub(super) fn ends<S: Source>(&self, sections: &Sections<S>) -> Result<Vec<u32>, Error> {
        let [frequent, rare] = &self.by_text;
        let mut counts = frequent.get(sections)?;
        counts.iter_mut().zip(rare.get(sections)?).for_each(|(count, rare)| *count = count.saturating_add(rare));
        ends(counts, self.count).ok_or_else(|| rare.place.corrupt("words of texts"))
    }

    /// Calls `found` with each text that has one of the `wanted` words, once for each place. Reads only groups that have one
    /// of them, and `ends`, which are [`Self::ends`], only if one of them is rare.
    pub(super) fn find<'e, S: Source>(
        &self,
        sections: &Sections<S>,
        wanted: &Rows,
        ends: impl FnOnce() -> Result<&'e [u32], Error>,
        mut found: impl FnMut(usize),
    ) -> Result<(), Error> {
        let limit = self.frequent.limit;
        if wanted.iter().next_back().is_some_and(|last| limit <= last) {
            let ends = ends()?;
            let rare = wanted.iter().skip_while(|word| *word < limit);
            self.visit(sections, rare, |_, place| found(text_at(ends, place as usize)))?;
        }
        if wanted.iter().next().is_none_or(|first| limit <= first) {
            return Ok(());
        }
        let frequent_ends = self.frequent_ends(sections)?;
        self.frequent.find(sections, wanted, |place| found(text_at(frequent_ends, place)))
    }

    /// Where each text's frequent words end.
    fn frequent_ends<S: Source>(&self, sections: &Sections<S>) -> Result<&[u32], Error> {
        let ends = get_or_try_init(&self.frequent_ends, || {
            let counts = &self.by_text[0];
            self::ends(counts.get(sections)?, self.frequent.count).ok_or_else(|| counts.place.corrupt("words of texts"))
        })?;
        Ok(ends)
    }

    /// Whether the word at each place is rare.
    fn are_rare<S: Source>(&self, sections: &Sections<S>) -> Result<&Rows, Error> {
        get_or_try_init(&self.are_rare, || {
            let mut rare = Rows::none(self.count);
            let (first, end) = (self.frequent.limit, self.frequent.limit + self.counts.count);
            self.visit(sections, first..end, |_, place| rare.insert(place))?;
            // Two rare words at one place leave too few of them.
            let is_whole = self.count as usize - rare.count() == self.frequent.count as usize;
            is_whole.then_some(rare).ok_or_else(|| self.frequent.place.corrupt("frequent words"))
        })
    }

    /// Calls `found` with each text in which a word of each of `sets` follows one of the set before, in any order of texts and
    /// perhaps more than once; and whether that is certain, or only possible because a rare word is in the way that nobody has
    /// asked for. `ends` are [`Self::ends`]; `is_anchored` says whether a text has to begin and to end with them.
    pub(super) fn follow<S: Source>(
        &self,
        sections: &Sections<S>,
        sets: &[Rows],
        ends: &[u32],
        is_anchored: (bool, bool),
        mut found: impl FnMut(usize, bool),
    ) -> Result<(), Error> {
        let limit = self.frequent.limit;
        let rare_of = |set: &Rows| set.iter().rev().take_while(|word| limit <= *word).count();
        let frequent_of = |set: &Rows| set.iter().take_while(|word| *word < limit).count();
        if sets.iter().any(Rows::is_empty) {
            return Ok(());
        }
        // Where one of the words is rare whatever it is, only its places matter.
        let only_rare = sets.iter().enumerate().filter(|(_, set)| frequent_of(set) == 0);
        let only_rare = only_rare.min_by_key(|(_, set)| rare_of(set)).map(|(index, _)| index);
        let asked_for: Vec<usize> = only_rare.map_or_else(|| (0..sets.len()).collect(), |index| vec![index]);
        let mut wanted = Rows::none(sets[0].row_count());
        for index in &asked_for {
            wanted.unite(&sets[*index]);
        }
        let mut rare_starts = Vec::new();
        if 0 < rare_of(&wanted) {
            let rare = wanted.iter().skip_while(|word| *word < limit);
            self.visit(sections, rare, |word, place| {
                let here = asked_for.iter().filter(|index| sets[**index].contains(word));
                let starts = here.filter_map(|index| Some((place.checked_sub(to_place(*index))?, *index)));
                rare_starts.extend(starts);
            })?;
        }
        let frequent_starts = if only_rare.is_none() { self.frequent_sequences(sections, sets)? } else { Vec::new() };
        if rare_starts.is_empty() && frequent_starts.is_empty() {
            return Ok(());
        }
        let frequent = self.frequent.get(sections)?;
        let texts = Texts { ends, frequent_ends: self.frequent_ends(sections)?, rare: self.are_rare(sections)? };
        let length = to_place(sets.len());
        let is_in_place = |text: usize, start: u32| {
            let (first, end) = (texts.start(text), ends[text]);
            let is_inside = first <= start && start.checked_add(length).is_some_and(|last| last <= end);
            is_inside && (!is_anchored.0 || start == first) && (!is_anchored.1 || start + length == end)
        };
        for (start, known) in rare_starts {
            let text = text_at(ends, start as usize);
            if text == ends.len() || !is_in_place(text, start) {
                continue;
            }
            let mut is_certain = true;
            let is_possible =
                (start..).zip(sets).enumerate().filter(|(index, _)| *index != known).all(|(_, (place, set))| {
                    let Some(at) = texts.frequent_at(text, place) else {
                        is_certain = false;
                        return true;
                    };
                    frequent.get(at).is_some_and(|word| set.contains(*word))
                });
            if is_possible {
                found(text, is_certain);
            }
        }
        for first in frequent_starts {
            let text = text_at(texts.frequent_ends, first as usize);
            let Some(start) = texts.place_of(text, first) else { continue };
            let has_none_between = || (start..start + length).all(|place| !texts.rare.contains(place));
            if is_in_place(text, start) && has_none_between() {
                found(text, true);
            }
        }
        Ok(())
    }

    /// Where among the frequent words one of each of `sets` follows one of the set before; other words may be in between.
    fn frequent_sequences<S: Source>(&self, sections: &Sections<S>, sets: &[Rows]) -> Result<Vec<u32>, Error> {
        let ids = self.frequent.place.get(sections)?;
        let mut starts = Vec::new();
        if ids.len() != self.frequent.count as usize {
            // Without planes, all of them are the one frequent word.
            let frequent = self.frequent.get(sections)?;
            let is_start = |window: &[u32]| window.iter().zip(sets).all(|(id, set)| set.contains(*id));
            starts.extend(
                (0..).zip(frequent.windows(sets.len())).filter(|(_, window)| is_start(window)).map(|(at, _)| at),
            );
            return Ok(starts);
        }
        let bytes_of = |set: &Rows| -> Vec<u8> {
            set.iter().take_while(|word| *word < self.frequent.limit).map(|word| word.to_le_bytes()[0]).collect()
        };
        let bytes: Vec<Vec<u8>> = sets.iter().map(bytes_of).collect();
        let tables: Vec<[bool; 256]> = bytes.iter().map(|bytes| table(bytes)).collect();
        // The word that is looked for first is one that is met seldom.
        let mut counts = [0_u32; 256];
        for id in ids {
            counts[usize::from(*id)] += 1;
        }
        let met = |bytes: &[u8]| -> u32 { bytes.iter().map(|byte| counts[usize::from(*byte)]).sum() };
        let Some((pivot, first)) = bytes.iter().enumerate().min_by_key(|(_, bytes)| met(bytes)) else {
            return Ok(starts);
        };
        let mut check = |at: usize| {
            let Some(window) = at.checked_sub(pivot).and_then(|start| ids.get(start..start + sets.len())) else {
                return;
            };
            if window.iter().zip(&tables).all(|(id, table)| table[usize::from(*id)]) {
                starts.push(to_place(at - pivot));
            }
        };
        match first[..] {
            [] => {}
            [a] => memchr::memchr_iter(a, ids).for_each(check),
            [a, b] => memchr::memchr2_iter(a, b, ids).for_each(check),
            [a, b, c] => memchr::memchr3_iter(a, b, c, ids).for_each(check),
            _ => {
                let table = &tables[pivot];
                let places = ids.iter().enumerate().filter(|(_, id)| table[usize::from(**id)]);
                places.for_each(|(at, _)| check(at));
            }
        }
        Ok(starts)
    }

    /// Calls `found` with each of the `wanted` words, which are rare and ascending, and each of its places, which are below
    /// the count.
    fn visit<S: Source>(
        &self,
        sections: &Sections<S>,
        wanted: impl Iterator<Item = u32>,
        mut found: impl FnMut(u32, u32),
    ) -> Result<(), Error> {
        let mut wanted = wanted.peekable();
        let counts = self.counts.get(sections)?;
        let mut counts = &counts[..];
        let mut word = self.frequent.limit;
        for group in &self.groups {
            let of_group = counts.split_off(..group.word_count as usize).unwrap_or_default();
            let end = word + group.word_count;
            if wanted.peek().is_none_or(|wanted| end <= *wanted) {
                word = end;
                continue;
            }
            let gaps = group.gaps.get(sections)?;
            let corrupt = || group.gaps.place.corrupt("places of words");
            let (mut rest, mut first) = (&gaps[..], 0);
            for count in of_group {
                let of_word = rest.split_off(..*count as usize).ok_or_else(corrupt)?;
                let is_wanted = wanted.next_if_eq(&word).is_some();
                let mut next: u32 = first;
                for (number, gap) in of_word.iter().enumerate() {
                    let place = next.checked_add(*gap).filter(|place| *place < self.count).ok_or_else(corrupt)?;
                    next = place + 1;
                    if number == 0 {
                        first = next;
                    }
                    if !is_wanted {
                        break;
                    }
                    found(word, place);
                }
                word += 1;
            }
            if !rest.is_empty() {
                return Err(corrupt());
            }
        }
        Ok(())
    }
}

/// Where texts begin and end, among all words and among frequent ones.
struct Texts<'a> {
    ends: &'a [u32],
    frequent_ends: &'a [u32],
    rare: &'a Rows,
}

impl Texts<'_> {
    /// The place of the first word of `text`.
    fn start(&self, text: usize) -> u32 {
        text.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    /// How many frequent words are before those of `text`.
    fn frequent_start(&self, text: usize) -> u32 {
        text.checked_sub(1).map_or(0, |before| self.frequent_ends[before])
    }

    /// Which of the frequent words is at `place` of `text`; `None` where a rare one is.
    fn frequent_at(&self, text: usize, place: u32) -> Option<usize> {
        if self.rare.contains(place) {
            return None;
        }
        let before = (self.start(text)..place).filter(|place| !self.rare.contains(*place)).count();
        Some(self.frequent_start(text) as usize + before)
    }

    /// The place of the frequent word number `at`, which is one of `text`.
    fn place_of(&self, text: usize, at: u32) -> Option<u32> {
        let end = *self.ends.get(text)?;
        let before = at.checked_sub(self.frequent_start(text))?;
        (self.start(text)..end).filter(|place| !self.rare.contains(*place)).nth(before as usize)
    }
}

/// Places are counted in 32 bits.
fn to_place(index: usize) -> u32 {
    u32::try_from(index).expect("bounded by the count")
}

/// Which bytes are in a list.
fn table(bytes: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    for byte in bytes {
        table[usize::from(*byte)] = true;
    }
    table
}

/// Where texts of so many words end, if those are `total` in all.
pub(super) fn ends(mut counts: Vec<u32>, total: u32) -> Option<Vec<u32>> {
    let mut end = 0;
    for count in &mut counts {
        end += u64::from(*count);
        // Where this is too much, so is the last one.
        *count = u32::try_from(end).unwrap_or(u32::MAX);
    }
    (end == u64::from(total)).then_some(counts)
}

/// The text that the word at `place` is in.
pub(super) fn text_at(ends: &[u32], place: usize) -> usize {
    ends.partition_point(|end| *end as usize <= place)
}

#[cfg(test)]
mod tests {
    use crate::log_database::block::{Block, Encoder, Query};
    use crate::model::{LineFilter, LinePattern, Lines, TimeRange, Timestamp};

    /// Prose with words of every frequency, and rare numbers and names, some of them in order and some not.
    fn prose() -> Lines {
        let mut lines = Lines::default();
        let mut state = 1_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state >> 33
        };
        for row in 0..4000 {
            let words = (0..next() % 12).map(|_| {
                let word = next();
                match word % 16 {
                    0 => format!(" {}", word / 16 % 3000),
                    1 => format!(" #{row}"),
                    2 => format!(" user{}:", word / 16 % 1000),
                    3 => format!(" w{:o<1$}", "", (word / 16 % 40) as usize),
                    4..8 => [" and", ", but", " Disk", " (disk)"][(word / 16 % 4) as usize].to_owned(),
                    _ => " the".to_owned(),
                }
            });
            let line: String = words.collect();
            lines.push(Timestamp::from_ns(row), line.as_bytes());
        }
        lines
    }

    #[test]
    fn rare_and_frequent_words_and_what_lies_across_them_are_found_exactly() {
        let lines = prose();
        let block = Encoder::new().unwrap().encode(&[&lines]).unwrap();
        let block = Block::open(&block[..]).unwrap();
        assert!(block.decode().unwrap() == lines);
        let needles = [
            "the",
            " the",
            "the ",
            "the the the",
            "he t",
            "disk",
            "(disk)",
            "Disk, but",
            "woo",
            "wooooooooooooooooo ",
            "user99",
            "user999:",
            "user1: the",
            "#3999",
            " #",
            "#1 ",
            "999",
            "9 the",
            "1 2",
            "zzz",
            ")",
            ": ",
            " ",
            "o #",
        ];
        for needle in needles {
            for filter in [
                LineFilter::Contains(needle.into()),
                LineFilter::Matches(LinePattern::new(&format!("(?i){}", regex::escape(needle))).unwrap()),
            ] {
                let expected: Vec<u32> =
                    (0..).zip(lines.iter()).filter(|(_, (_, line))| filter.accepts(line)).map(|(row, _)| row).collect();
                let rows = block.select(&Query::new(std::slice::from_ref(&filter)), TimeRange::ALL).unwrap();
                assert_eq!(rows.iter().collect::<Vec<_>>(), expected, "{filter:?}");
            }
        }
    }
}
