//! An expression as a table of states, to be walked over the parts that lines are made of instead of over lines.
//!
//! Whoever stands in a state before some text stands in one other state after it, whatever the line is: so a literal is
//! walked once for all lines that come to it in one state, and a value of a dictionary once for all lines that have it.

use regex_automata::dfa::Automaton as _;
use regex_automata::dfa::dense::{Config, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};

use super::face::Face;
use crate::model::ByteSet;
use crate::model::budget::Budget;

/// Most bytes of the table, and most that making it takes. What needs more is matched line by line.
const TABLE_BYTES_MAX: usize = 256 << 10;
const MAKING_BYTES_MAX: usize = 1 << 20;
/// Sets of more states say too little to be worth following.
const REACHED_MAX: usize = 24;

/// An expression that reads ASCII alone.
#[derive(Debug)]
pub(super) struct Automaton {
    table: DFA<Vec<u32>>,
    start: State,
}

/// How much of the expression the text so far has matched.
pub(super) type State = StateID;

/// What a line has come to at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Matched,
    NotMatched,
    /// The line has bytes past ASCII before it matches.
    Unknown,
}

/// A few states that lines may have come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reached(Vec<State>);

impl Reached {
    /// This one.
    pub(super) fn one(state: State) -> Self {
        Self(vec![state])
    }

    /// Adds a state; `None` where they are too many to be worth following.
    pub(super) fn insert(&mut self, state: State) -> Option<()> {
        // Most often it is the one that came last.
        if self.0.iter().rev().any(|known| *known == state) {
            return Some(());
        }
        self.0.push(state);
        (self.0.len() <= REACHED_MAX).then_some(())
    }

    /// Adds states.
    pub(super) fn extend(&mut self, states: impl IntoIterator<Item = State>) -> Option<()> {
        states.into_iter().try_for_each(|state| self.insert(state))
    }

    /// Each of them, once.
    pub(super) fn iter(&self) -> impl Iterator<Item = State> {
        self.0.iter().copied()
    }

    /// The only one there is.
    pub(super) fn only(&self) -> Option<State> {
        if let [state] = self.0[..] { Some(state) } else { None }
    }
}

impl Automaton {
    /// Makes the table of an expression; `None` where it would be too large.
    pub(super) fn new(pattern: &str) -> Option<Self> {
        let mut config = Config::new().accelerate(false);
        config = config.dfa_size_limit(Some(TABLE_BYTES_MAX)).determinize_size_limit(Some(MAKING_BYTES_MAX));
        // Characters past ASCII would make the table many times as large; and each byte that is not UTF-8 is a character.
        config = (0x80..=u8::MAX).fold(config, |config, byte| config.quit(byte, true));
        let mut builder = DFA::builder();
        builder
            .configure(config)
            .syntax(syntax::Config::new().utf8(false))
            .thompson(thompson::Config::new().utf8(false));
        let table = builder.build(pattern).ok()?;
        let start = table.start_state(&start::Config::new()).ok()?;
        Some(Self { table, start })
    }

    /// The same, within what `budget` has for it; what the table takes stays taken.
    pub(super) fn within(budget: &Budget, pattern: &str) -> Option<Self> {
        const BYTES_MAX: usize = TABLE_BYTES_MAX + MAKING_BYTES_MAX;
        budget.take(BYTES_MAX).ok()?;
        let automaton = Self::new(pattern);
        let kept_bytes = automaton.as_ref().map_or(0, |automaton| automaton.table.memory_usage());
        budget.give_back(BYTES_MAX.saturating_sub(kept_bytes));
        automaton
    }

    /// The state before a line.
    pub(super) fn start(&self) -> State {
        self.start
    }

    /// Whether what comes behind matters no more.
    pub(super) fn is_final(&self, state: State) -> bool {
        self.table.is_special_state(state)
    }

    /// The state after `text`.
    pub(super) fn walk(&self, mut state: State, text: &[u8]) -> State {
        for byte in text {
            if self.is_final(state) {
                break;
            }
            state = self.table.next_state(state, *byte);
        }
        state
    }

    /// What a line has come to that ends in `state`.
    pub(super) fn verdict(&self, state: State) -> Verdict {
        // A match is told a byte late.
        let last = if self.is_final(state) { state } else { self.table.next_eoi_state(state) };
        if self.table.is_match_state(last) {
            Verdict::Matched
        } else if self.table.is_quit_state(last) {
            Verdict::Unknown
        } else {
            Verdict::NotMatched
        }
    }

    /// The states after `text`, from one of `from`.
    pub(super) fn reach(&self, from: &Reached, text: &[u8]) -> Reached {
        let mut reached = Reached::default();
        // There are no more than before.
        let _ = reached.extend(from.iter().map(|state| self.walk(state, text)));
        reached
    }

    /// The states after one of `texts`, from one of `from`; `None` where they are too many.
    pub(super) fn reach_any<'t>(&self, from: &Reached, texts: impl Iterator<Item = &'t [u8]>) -> Option<Reached> {
        let mut reached = Reached::default();
        for text in texts {
            reached.extend(from.iter().map(|state| self.walk(state, text)))?;
        }
        Some(reached)
    }

    /// The states after any number of `words`, each any number of times, from one of `from`; `None` where they are too many.
    pub(super) fn reach_words<'t>(
        &self,
        from: &Reached,
        words: &(impl Iterator<Item = &'t [u8]> + Clone),
    ) -> Option<Reached> {
        let mut reached = from.clone();
        let mut done = 0;
        while done < reached.0.len() {
            let new = Reached(reached.0.split_off(done));
            done += new.0.len();
            let after = self.reach_any(&new, words.clone())?;
            reached.0.extend(new.0);
            reached.extend(after.iter())?;
        }
        Some(reached)
    }

    /// The states after one text that looks like this, from one of `from`; `None` where they are too many.
    pub(super) fn reach_face(&self, from: &Reached, face: &Face<'_>) -> Option<Reached> {
        match face {
            Face::Literal(text) => Some(self.reach(from, text)),
            Face::Bytes { of, shortest, longest } => {
                let bytes = self.representatives(of);
                let after = |from: &Reached| self.reach_any(from, bytes.iter().map(std::slice::from_ref));
                let mut now = from.clone();
                for _ in 0..*shortest {
                    let next = after(&now)?;
                    if next == now {
                        break;
                    }
                    now = next;
                }
                for _ in *shortest..*longest {
                    let count = now.0.len();
                    now.extend(after(&now)?.iter())?;
                    if now.0.len() == count {
                        break;
                    }
                }
                Some(now)
            }
        }
    }

    /// One of these bytes for all that the table does not tell apart.
    fn representatives(&self, of: &ByteSet) -> Vec<u8> {
        let classes = self.table.byte_classes();
        let mut is_known = [false; 256];
        let is_new = |byte: &u8| !std::mem::replace(&mut is_known[usize::from(classes.get(*byte))], true);
        (0..=u8::MAX).filter(|byte| of.contains(*byte)).filter(is_new).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(automaton: &Automaton, parts: &[&[u8]]) -> Verdict {
        automaton.verdict(parts.iter().fold(automaton.start(), |state, part| automaton.walk(state, part)))
    }

    #[test]
    fn a_table_is_taken_from_the_budget() {
        let budget = Budget::new(2 << 20);
        let automaton = Automaton::within(&budget, "[0-9]{4}").unwrap();
        assert_eq!(budget.taken_bytes(), automaton.table.memory_usage());
        assert!(Automaton::within(&Budget::new(1 << 10), "[0-9]{4}").is_none());
    }

    #[test]
    fn lines_may_be_walked_in_parts() {
        let line = b"took 17ms at pod-7f";
        for pattern in ["[0-9]{2}m", "^took", "7f$", "pod.[0-9]f\\b", "(?i)TOOK\\s+", "", "x|at", "^[^x]*$"] {
            let automaton = Automaton::new(pattern).unwrap();
            for (first, second) in
                (0..=line.len()).flat_map(|first| (first..=line.len()).map(move |second| (first, second)))
            {
                let parts = [&line[..first], &line[first..second], &line[second..]];
                assert_eq!(verdict(&automaton, &parts), Verdict::Matched, "{pattern}, {parts:?}");
            }
        }
        for pattern in ["[0-9]{3}", "^pod", "took$", "\\B7f", "k\\S17"] {
            assert_eq!(verdict(&Automaton::new(pattern).unwrap(), &[line]), Verdict::NotMatched, "{pattern}");
        }
        let automaton = Automaton::new(r"7\w").unwrap();
        assert_eq!(verdict(&automaton, &["17\u{e9}".as_bytes()]), Verdict::Unknown);
        assert_eq!(verdict(&automaton, &["17f \u{e9}".as_bytes()]), Verdict::Matched);
    }

    #[test]
    fn what_may_be_reached_is_all_that_is() {
        let automaton = Automaton::new("[a-z]{3}[0-9]{2}[^0-9]").unwrap();
        let start = Reached::one(automaton.start());
        let digits = Face::Bytes { of: ByteSet::DIGITS, shortest: 1, longest: 20 };
        assert!(automaton.reach_face(&start, &digits).unwrap().only().is_some(), "digits begin nothing");
        let letters = Face::Bytes { of: ByteSet::LETTERS, shortest: 2, longest: 3 };
        let reached = automaton.reach_face(&start, &letters).unwrap();
        for text in ["ab", "abc", "Abc", "AB"] {
            let state = automaton.walk(automaton.start(), text.as_bytes());
            assert!(reached.iter().any(|reached| reached == state), "{text}");
        }
        assert!(reached.iter().all(|state| state != automaton.walk(automaton.start(), b"abc12")));
        let words: [&[u8]; 3] = [b"abc", b"1", b" "];
        let reached = automaton.reach_words(&start, &words.into_iter()).unwrap();
        assert!(reached.iter().any(|state| automaton.verdict(state) == Verdict::Matched), "abc, 1, 1, blank");
        assert!(Automaton::new("[ab].{40}").is_none(), "the table would be too large");
    }
}
