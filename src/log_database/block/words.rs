//! Which texts contain a needle, where texts are sequences of words from a vocabulary.
//!
//! The needle is matched word by word: a state says how much of it the words so far have matched, and of each distinct
//! word it is known beforehand what it does to the state. Where no sequence of words of the vocabulary can hold the
//! needle, the texts are not read at all. Where texts were cut into words does not matter.

use super::needle::{Part, Probe};
use super::rows::Rows;
use super::tokenize;

/// Longer needles do not fit a [`State`].
const NEEDLE_BYTES_MAX: usize = 63;

/// Which beginnings of the needle the text may just have ended with: a bit for each length. Length 0 is there at the
/// beginning of a text that has to begin with the needle, and at no other time.
type State = u64;

/// What a word does to the state.
#[derive(Clone, Debug, Default)]
struct Effect {
    /// The needle lies within the word.
    holds: bool,
    /// From these states, what is left of the needle lies at the word's beginning.
    completes: State,
    /// The word ends with these beginnings of the needle.
    begins: State,
    /// From the first length, the whole word is the needle's next part, up to the second.
    continues: Vec<(usize, usize)>,
}

/// A needle prepared for one vocabulary.
#[derive(Debug)]
pub(super) struct Matcher {
    /// Those of the few words that have to do with the needle, and the words themselves.
    effects: Vec<Effect>,
    words: Vec<u32>,
    /// By word: one more than the index of its effect, or 0.
    effect_of: Vec<u32>,
    start: State,
    /// The state that a text has to end with; none where the needle may end anywhere.
    end: State,
}

/// Where a needle may lie in texts over a vocabulary.
#[derive(Debug)]
pub(super) enum Matched<'r> {
    Nowhere,
    /// Within these words and nowhere else.
    WithinWords(&'r Rows),
    /// Across words.
    Across(Matcher),
}

impl Matcher {
    /// Whether a probe is of the length that can be matched.
    pub(super) fn fits(probe: &Probe<'_>) -> bool {
        (1..=NEEDLE_BYTES_MAX).contains(&probe.bytes.len())
    }

    /// Prepares a probe that [`Self::fits`]. `holding` are the words that the needle may lie within and does.
    pub(super) fn prepare<'w, 'r>(
        probe: &Probe<'_>,
        words: impl ExactSizeIterator<Item = &'w [u8]> + Clone,
        holding: Option<&'r Rows>,
    ) -> Matched<'r> {
        let lengths = Lengths::new(probe);
        if !lengths.are_possible(words.clone()) {
            return holding.map_or(Matched::Nowhere, Matched::WithinWords);
        }
        let word_count = words.len();
        let holds = |word: u32| holding.is_some_and(|rows| rows.contains(word));
        let (words, effects): (Vec<u32>, Vec<Effect>) =
            words.zip(0..).filter_map(|(word, id)| Some((id, lengths.effect(word, holds(id))?))).unzip();
        let (start, end) = (lengths.start(), lengths.end());
        let mut effect_of = vec![0; word_count];
        for (number, id) in (1..).zip(&words) {
            effect_of[*id as usize] = number;
        }
        Matched::Across(Self { effects, words, effect_of, start, end })
    }

    /// Of each word of the needle, which words of the vocabulary it may be a part of: all of one, but for the first, which
    /// may be the end of one, and the last, which may be the beginning. `None` where the needle lies within one word as well.
    ///
    /// Texts are cut as the needle is, because words end where separators follow and nowhere else.
    pub(super) fn sequence(&self, probe: &Probe<'_>) -> Option<Vec<Rows>> {
        if self.effects.iter().any(|effect| effect.holds) {
            return None;
        }
        let row_count = u32::try_from(self.effect_of.len()).expect("words are counted in 32 bits");
        let pieces: Vec<_> = tokenize::words(probe.bytes).collect();
        let (may_begin, may_end) = (self.start == 0, self.end == 0);
        let last = pieces.len().checked_sub(1)?;
        let is_part = |effect: &Effect, index: usize| {
            let piece = &pieces[index];
            match (index == 0 && may_begin, index == last && may_end) {
                (true, true) => effect.holds,
                (true, false) => effect.begins >> piece.end & 1 == 1,
                (false, true) => effect.completes >> piece.start & 1 == 1,
                (false, false) => effect.continues.contains(&(piece.start, piece.end)),
            }
        };
        let sets = (0..pieces.len()).map(|index| {
            let mut set = Rows::none(row_count);
            let parts = self.words.iter().zip(&self.effects).filter(|(_, effect)| is_part(effect, index));
            parts.for_each(|(word, _)| set.insert(*word));
            set
        });
        Some(sets.collect())
    }

    /// Whether a text has to begin, and to end, with the needle.
    pub(super) fn is_anchored(&self) -> (bool, bool) {
        (self.start != 0, self.end != 0)
    }

    /// Whether the text of these words, all of the vocabulary, holds the needle.
    pub(super) fn is_in(&self, words: &[u32]) -> bool {
        let mut state = self.start;
        for word in words {
            let number = self.effect_of[*word as usize];
            if number == 0 {
                state = 0;
                continue;
            }
            let effect = &self.effects[number as usize - 1];
            if effect.ends_match(state) {
                return true;
            }
            state = effect.after(state);
        }
        state & self.end != 0
    }
}

/// By byte, where the needle has it.
struct Lengths<'p, 'n> {
    probe: &'p Probe<'n>,
    /// Lengths of the needle's beginnings that end with the byte.
    ending: [State; 256],
    /// Whether the needle may begin, and may end, in the middle of a text.
    may_begin: bool,
    may_end: bool,
}

impl<'p, 'n> Lengths<'p, 'n> {
    fn new(probe: &'p Probe<'n>) -> Self {
        let mut ending = [0; 256];
        for (length, byte) in (1..).zip(probe.bytes) {
            for byte in probe.cases(*byte) {
                ending[usize::from(byte)] |= 1 << length;
            }
        }
        let may_begin = matches!(probe.part, Part::Inner | Part::End);
        let may_end = matches!(probe.part, Part::Inner | Part::Start);
        Self { probe, ending, may_begin, may_end }
    }

    /// The state at the beginning of a text.
    fn start(&self) -> State {
        State::from(!self.may_begin)
    }

    /// The state that a text has to end with; none where the needle may end anywhere.
    fn end(&self) -> State {
        if self.may_end { 0 } else { 1 << self.probe.bytes.len() }
    }

    /// Whether some sequence of words, none of which holds all of the needle, leads from the start to a match or to the end.
    fn are_possible<'w>(&self, mut words: impl Iterator<Item = &'w [u8]> + Clone) -> bool {
        // By length, the lengths that a word leads from it to.
        let mut after = [0; NEEDLE_BYTES_MAX + 1];
        let mut wanted = self.end();
        for word in words.clone() {
            let (continues, completes) = self.goes_on(word);
            wanted |= completes;
            for length in lengths(continues) {
                after[length] |= 1 << (length + word.len());
            }
        }
        // From which lengths on there is a way to a match.
        loop {
            let leads = |(length, after): (usize, &State)| State::from(after & wanted != 0) << length;
            let before = after.iter().enumerate().map(leads).fold(wanted, |before, length| before | length);
            if before == wanted {
                break;
            }
            wanted = before;
        }
        let is_begun = |word: &[u8]| {
            let last = word.last().map_or(0, |last| self.ending[usize::from(*last)]);
            last & wanted != 0 && self.begins(word) & wanted != 0
        };
        self.start() & wanted != 0 || (self.may_begin && words.any(is_begun))
    }

    /// What `word` does, if anything.
    fn effect(&self, word: &[u8], holds: bool) -> Option<Effect> {
        let begins = if self.may_begin { self.begins(word) } else { 0 };
        let (continues, completes) = self.goes_on(word);
        if !holds && begins | continues | completes == 0 {
            return None;
        }
        let continues = lengths(continues).map(|length| (length, length + word.len())).collect();
        Some(Effect { holds, completes, begins, continues })
    }

    /// The needle's beginnings that the word ends with, found from its end: few words have more than a byte of one.
    fn begins(&self, word: &[u8]) -> State {
        let (mut left, mut found) = (State::MAX, 0);
        for (back, byte) in word.iter().rev().enumerate().take(NEEDLE_BYTES_MAX) {
            left &= self.ending[usize::from(*byte)] << back;
            // The beginning of so many bytes is all there.
            let whole = 2 << back;
            found |= left & whole;
            left &= !whole;
            if left == 0 {
                break;
            }
        }
        found
    }

    /// After which lengths the whole word is the needle's next part, and after which what is left of the needle lies at the
    /// word's beginning.
    fn goes_on(&self, word: &[u8]) -> (State, State) {
        let length = self.probe.bytes.len();
        let (mut left, mut completes) = (State::MAX >> (NEEDLE_BYTES_MAX + 1 - length), 0);
        let Some(last) = word.len().checked_sub(1) else { return (0, 0) };
        for (ahead, byte) in word.iter().enumerate().take(length) {
            left &= self.ending[usize::from(*byte)] >> 1 >> ahead;
            let at_end = left & 1 << (length - 1 - ahead);
            completes |= if self.may_end { at_end } else { 0 };
            if ahead == last {
                return (left, completes);
            }
            left &= !at_end;
            if left == 0 {
                break;
            }
        }
        (0, completes)
    }
}

/// The lengths in a state, ascending.
fn lengths(mut state: State) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let length = state.trailing_zeros();
        state &= state.checked_sub(1)?;
        Some(length as usize)
    })
}

impl Effect {
    fn ends_match(&self, state: State) -> bool {
        self.holds || self.completes & state != 0
    }

    /// The state after the word.
    fn after(&self, state: State) -> State {
        let continued = self.continues.iter().filter(|(from, _)| state >> from & 1 == 1);
        continued.fold(self.begins, |next, (_, to)| next | 1 << to)
    }
}
