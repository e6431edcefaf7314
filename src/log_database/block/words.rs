//! Which texts contain a needle, where texts are sequences of words from a vocabulary.
//!
//! The needle is matched word by word: a state says how much of it the words so far have matched, and of each distinct
//! word it is known beforehand what it does to the state. Where no sequence of words of the vocabulary can hold the
//! needle, the texts are not read at all. Where texts were cut into words does not matter.

use super::needle::{Part, Probe};

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
    /// Those of the few words that have to do with the needle.
    effects: Vec<Effect>,
    /// By word: one more than the index of its effect, or 0.
    effect_of: Vec<u32>,
    start: State,
    /// The state that a text has to end with; none where the needle may end anywhere.
    end: State,
}

impl Matcher {
    /// Whether a probe is of the length that can be matched.
    pub(super) fn fits(probe: &Probe<'_>) -> bool {
        (1..=NEEDLE_BYTES_MAX).contains(&probe.bytes.len())
    }

    /// Prepares a probe that [`Self::fits`]; `None` where no text over the vocabulary can hold it. `holds` says of which
    /// words the needle may lie within and does.
    pub(super) fn new<'w>(
        probe: &Probe<'_>,
        words: impl ExactSizeIterator<Item = &'w [u8]>,
        holds: impl Fn(u32) -> bool,
    ) -> Option<Self> {
        let lengths = Lengths::new(probe);
        let word_count = words.len();
        let (ids, effects): (Vec<usize>, Vec<Effect>) = words
            .zip(0..)
            .filter_map(|(word, id)| Some((id as usize, lengths.effect(probe, word, holds(id))?)))
            .unzip();
        let start = u64::from(!lengths.may_begin);
        let end = if lengths.may_end { 0 } else { 1 << probe.bytes.len() };
        if !is_possible(&effects, start, end) {
            return None;
        }
        let mut effect_of = vec![0; word_count];
        for (number, id) in (1..).zip(ids) {
            effect_of[id] = number;
        }
        Some(Self { effects, effect_of, start, end })
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

/// Whether some sequence of words leads from `start` to a match, or to `end`.
fn is_possible(effects: &[Effect], start: State, end: State) -> bool {
    let mut reached = start;
    loop {
        let next = effects.iter().fold(reached, |state, effect| state | effect.after(state));
        if next == reached {
            break;
        }
        reached = next;
    }
    reached & end != 0 || effects.iter().any(|effect| effect.ends_match(reached))
}

/// By byte, where the needle has it: single bytes rule out most of what a word may do.
struct Lengths {
    /// Lengths of the needle's beginnings that end with the byte.
    ending: [State; 256],
    /// Lengths after which the needle goes on with the byte.
    followed: [State; 256],
    /// Whether the needle may begin, and may end, in the middle of a text.
    may_begin: bool,
    may_end: bool,
}

impl Lengths {
    fn new(probe: &Probe<'_>) -> Self {
        let (mut ending, mut followed) = ([0; 256], [0; 256]);
        for (length, byte) in probe.bytes.iter().enumerate() {
            for byte in (0..=u8::MAX).filter(|other| probe.same(&[*other], &[*byte])) {
                ending[usize::from(byte)] |= 2 << length;
                followed[usize::from(byte)] |= 1 << length;
            }
        }
        let may_begin = matches!(probe.part, Part::Inner | Part::End);
        let may_end = matches!(probe.part, Part::Inner | Part::Start);
        Self { ending, followed, may_begin, may_end }
    }

    /// What `word` does, if anything.
    fn effect(&self, probe: &Probe<'_>, word: &[u8], holds: bool) -> Option<Effect> {
        let needle = probe.bytes;
        let (first, last) = (word.first()?, word.last()?);
        let ending = if self.may_begin { self.ending[usize::from(*last)] } else { 0 };
        let followed = self.followed[usize::from(*first)];
        if !holds && ending | followed == 0 {
            return None;
        }
        let mut effect = Effect { holds, ..Effect::default() };
        for length in lengths(ending).filter(|length| probe.ends(word, &needle[..*length])) {
            effect.begins |= 1 << length;
        }
        for length in lengths(followed) {
            let rest = &needle[length..];
            if probe.begins(rest, word) {
                effect.continues.push((length, length + word.len()));
            }
            if self.may_end && probe.begins(word, rest) {
                effect.completes |= 1 << length;
            }
        }
        let has_any = holds || effect.completes | effect.begins != 0 || !effect.continues.is_empty();
        has_any.then_some(effect)
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
