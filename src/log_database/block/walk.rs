//! Which rows an expression matches: its [`Automaton`] is walked over literals once, over the values of dictionaries and
//! over words once each, and over the rest where what is known of a column leaves any doubt.
//!
//! Rows are followed together, column by column: as long as all of them are in one state, nothing is kept of each, and
//! columns that leave them in one state are not read.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::Error;
use super::automaton::{Automaton, Reached, State, Verdict};
use super::face::{Face, faces};
use super::lines::{Texts, View, Vocabulary};
use super::read::Block;
use super::search::{Found, Owner};
use super::sections::Source;
use super::structure::{Column, Template, Templates};
use crate::model::budget::Budget;

/// So many times it is remembered where a value leads from a state, or as often as there are values; and from so many states.
const STEPS_MAX: usize = 1 << 18;
const TABLES_MAX: usize = 16;
/// The values of a dictionary are walked beforehand to tell what may be reached if all of them have no more bytes.
const FORESEEN_BYTES_MAX: usize = 1 << 20;

/// The states that the rows of a template have come to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum States {
    /// All the same one.
    Same(State),
    /// By row.
    Each(Vec<State>),
}

impl States {
    /// The states of these rows, of which there is one at least.
    fn of(each: Vec<State>) -> Self {
        match each.first() {
            Some(first) if each.iter().all(|state| state == first) => Self::Same(*first),
            _ => Self::Each(each),
        }
    }

    fn get(&self, row: usize) -> State {
        match self {
            Self::Same(state) => *state,
            Self::Each(each) => each[row],
        }
    }

    /// The different ones; `None` where they are many.
    fn distinct(&self) -> Option<Reached> {
        match self {
            Self::Same(state) => Some(Reached::one(*state)),
            Self::Each(each) => {
                let mut distinct = Reached::default();
                distinct.extend(each.iter().copied())?;
                Some(distinct)
            }
        }
    }

    /// Another state for each other one.
    fn map(self, mut next: impl FnMut(State) -> State) -> Self {
        match self {
            Self::Same(state) => Self::Same(next(state)),
            Self::Each(each) => {
                let mut known: HashMap<State, State, RandomState> = HashMap::default();
                Self::of(each.into_iter().map(|state| *known.entry(state).or_insert_with(|| next(state))).collect())
            }
        }
    }

    /// The state of each row after this one, of `count` rows.
    fn step(self, count: u32, mut next: impl FnMut(usize, State) -> State) -> Self {
        Self::of((0..count as usize).map(|row| next(row, self.get(row))).collect())
    }
}

/// Where the values of a column lead, found when it is first asked for.
struct Steps<'a> {
    automaton: &'a Automaton,
    count: usize,
    tables_max: usize,
    tables: Vec<(State, Vec<State>)>,
    /// The table that was asked last.
    last: usize,
}

/// In place of a state that is not known: a final one, from which nothing is asked for.
const UNKNOWN: State = State::MAX;

impl<'a> Steps<'a> {
    fn new(automaton: &'a Automaton, count: usize) -> Self {
        let tables_max = TABLES_MAX.min(STEPS_MAX / count.max(1)).max(1);
        Self { automaton, count, tables_max, tables: Vec::new(), last: 0 }
    }

    /// The state after the value at `index`, which is `text`.
    fn after<'t>(&mut self, state: State, index: usize, text: impl FnOnce() -> &'t [u8]) -> State {
        let automaton = self.automaton;
        if automaton.is_final(state) {
            return state;
        }
        if self.tables.get(self.last).is_none_or(|(from, _)| *from != state) {
            self.last = match self.tables.iter().position(|(from, _)| *from == state) {
                Some(at) => at,
                None if self.tables.len() == self.tables_max => return automaton.walk(state, text()),
                None => {
                    self.tables.push((state, vec![UNKNOWN; self.count]));
                    self.tables.len() - 1
                }
            };
        }
        let next = &mut self.tables[self.last].1[index];
        if *next == UNKNOWN {
            *next = automaton.walk(state, text());
        }
        *next
    }
}

/// The rows of each template that have come to a verdict.
pub(super) struct Walked {
    pub(super) matched: Vec<Found>,
    pub(super) unknown: Vec<Found>,
}

impl<S: Source> Block<S> {
    /// Walks over the lines of every template, until `budget` is cancelled.
    pub(super) fn walk(&self, automaton: &Automaton, budget: &Budget) -> Result<Walked, Error> {
        let mut walked = Walked { matched: Vec::new(), unknown: Vec::new() };
        for (index, template) in self.root()?.by_id.iter().enumerate() {
            let start = automaton.start();
            let may_match = !budget.is_cancelled() && self.may_match(template, automaton)?;
            let states = if may_match {
                Some(self.walk_template(template, States::Same(start), automaton, Owner::Block(index))?)
            } else {
                None
            };
            let found = |wanted: Verdict| match &states {
                Some(States::Same(state)) if automaton.verdict(*state) == wanted => Found::All,
                None | Some(States::Same(_)) => Found::None,
                Some(States::Each(each)) => {
                    Found::by(template.count, |row| automaton.verdict(each[row as usize]) == wanted)
                }
            };
            walked.matched.push(found(Verdict::Matched));
            walked.unknown.push(found(Verdict::Unknown));
        }
        Ok(walked)
    }

    /// Whether some line of a template may match, as far as that is known without looking at rows.
    fn may_match(&self, template: &Template, automaton: &Automaton) -> Result<bool, Error> {
        let reached = self.reach_template(template, &Reached::one(automaton.start()), automaton)?;
        Ok(reached.is_none_or(|states| states.iter().any(|state| automaton.verdict(state) != Verdict::NotMatched)))
    }

    /// The states after a row of a template, from one of `from`; `None` where they are too many.
    fn reach_template(
        &self,
        template: &Template,
        from: &Reached,
        automaton: &Automaton,
    ) -> Result<Option<Reached>, Error> {
        let structure = self.structure()?;
        let mut reached = automaton.reach(from, template.head.of(structure));
        for slot in &template.slots {
            let Some(after) = self.reach_column(&slot.column, &reached, automaton)? else { return Ok(None) };
            reached = automaton.reach(&after, slot.tail.of(structure));
        }
        Ok(Some(reached))
    }

    /// The states after a value of a column, from one of `from`; `None` where they are too many, or it takes long to tell.
    fn reach_column(&self, column: &Column, from: &Reached, automaton: &Automaton) -> Result<Option<Reached>, Error> {
        Ok(match column {
            Column::Dictionary { values, .. } if values.place.length <= FORESEEN_BYTES_MAX => {
                automaton.reach_any(from, Texts::new(self, values)?.iter())
            }
            Column::Words(words) => {
                // Walking each word of each row takes no longer than walking so many distinct ones.
                let length: usize = words.vocabularies.iter().map(|vocabulary| vocabulary.place.length).sum();
                if words.count() < length {
                    return Ok(None);
                }
                let vocabulary = Vocabulary::new(self, words)?;
                automaton.reach_words(from, &(0..vocabulary.len()).map(|index| vocabulary.get(index)))
            }
            Column::Templates(templates) => {
                let mut all = Reached::default();
                for template in &templates.by_id {
                    let reached = self.reach_template(template, from, automaton)?;
                    if reached.and_then(|reached| all.extend(reached.iter())).is_none() {
                        return Ok(None);
                    }
                }
                Some(all)
            }
            column => {
                let faces: Vec<Face<'_>> = faces(self, column, false)?;
                faces.iter().try_fold(from.clone(), |from, face| automaton.reach_face(&from, face))
            }
        })
    }

    fn walk_template(
        &self,
        template: &Template,
        states: States,
        automaton: &Automaton,
        owner: Owner,
    ) -> Result<States, Error> {
        let structure = self.structure()?;
        let literal = |states: States, text| states.map(|state| automaton.walk(state, text));
        let mut states = literal(states, template.head.of(structure));
        for slot in &template.slots {
            states = self.walk_column(&slot.column, template.count, states, automaton, owner)?;
            states = literal(states, slot.tail.of(structure));
        }
        Ok(states)
    }

    fn walk_column(
        &self,
        column: &Column,
        count: u32,
        states: States,
        automaton: &Automaton,
        owner: Owner,
    ) -> Result<States, Error> {
        if let Some(certain) = self.certain(column, &states, automaton)? {
            let next = |state| certain.iter().find(|(from, _)| *from == state).map_or(state, |(_, to)| *to);
            return Ok(states.map(next));
        }
        let sections = &self.sections;
        Ok(match column {
            Column::Text(values) => {
                let texts = Texts::new(self, values)?;
                states.step(count, |row, state| automaton.walk(state, texts.get(row)))
            }
            Column::Dictionary { values, ids } => {
                let (texts, ids) = (Texts::new(self, values)?, ids.get(sections)?);
                let mut steps = Steps::new(automaton, values.count as usize);
                states.step(count, |row, state| {
                    let id = ids[row] as usize;
                    steps.after(state, id, || texts.get(id))
                })
            }
            Column::Words(texts) => {
                let (words, ids, ends) = (Vocabulary::new(self, texts)?, texts.ids(sections)?, texts.ends(sections)?);
                let mut steps = Steps::new(automaton, words.len());
                let mut start = 0;
                states.step(count, |row, state| {
                    let end = ends[row] as usize;
                    let of_row = &ids[std::mem::replace(&mut start, end)..end];
                    of_row.iter().fold(state, |state, id| steps.after(state, *id as usize, || words.get(*id as usize)))
                })
            }
            Column::Templates(templates) => self.walk_templates(templates, &states, automaton)?,
            Column::Decimal { .. } | Column::Clock { .. } | Column::Hex { .. } => {
                let view = View::new(self, column)?;
                let owner = if matches!(column, Column::Clock { .. }) { owner } else { Owner::Column };
                let timestamp_ns = self.timestamps_of(owner)?;
                let mut value = Vec::new();
                states.step(count, |row, state| {
                    let row = u32::try_from(row).expect("rows are counted in 32 bits");
                    value.clear();
                    view.append(row, timestamp_ns(row), &mut value);
                    automaton.walk(state, &value)
                })
            }
        })
    }

    /// Where each of the states leads to, if that is one state whatever the value of the column is.
    fn certain(
        &self,
        column: &Column,
        states: &States,
        automaton: &Automaton,
    ) -> Result<Option<Vec<(State, State)>>, Error> {
        let Some(distinct) = states.distinct().filter(|_| !matches!(column, Column::Words(_))) else { return Ok(None) };
        let mut certain = Vec::new();
        for state in distinct.iter() {
            let reached = self.reach_column(column, &Reached::one(state), automaton)?;
            let Some(to) = reached.and_then(|reached| reached.only()) else { return Ok(None) };
            certain.push((state, to));
        }
        Ok(Some(certain))
    }

    fn walk_templates(&self, templates: &Templates, states: &States, automaton: &Automaton) -> Result<States, Error> {
        let mut each = Vec::new();
        for (index, template) in templates.by_id.iter().enumerate() {
            let before = match states {
                States::Same(state) => States::Same(*state),
                States::Each(each) => {
                    let rows = templates.rows(&self.sections, index)?;
                    States::of(rows.iter().map(|row| each[*row as usize]).collect())
                }
            };
            each.push(self.walk_template(template, before, automaton, Owner::Column)?);
        }
        if let Some(first @ States::Same(_)) = each.first()
            && each.iter().all(|states| states == first)
        {
            return Ok(first.clone());
        }
        let (ids, ranks) = (templates.ids(&self.sections)?, templates.ranks(&self.sections)?);
        Ok(States::of(ids.iter().zip(ranks).map(|(id, rank)| each[*id as usize].get(*rank as usize)).collect()))
    }
}
