//! Leaves blocks out that the filters of their segments say have nothing for the answer.

use std::collections::BTreeMap;

use crate::log_database::block::Required;
use crate::log_database::index::StoredIn;
use crate::log_database::part::Part;
use crate::log_database::scan::parallel;
use crate::log_database::segment::{Candidates, Segment};

/// A segment's filter is read where so many of its blocks are asked for; fewer are looked at as fast.
const PARTS_MIN: usize = 8;

/// Which blocks are worth a look.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    /// By the first sequence of each segment that has a filter.
    candidates: BTreeMap<u64, Candidates>,
}

impl Sieve {
    /// Reads the filters of the segments of `parts`, on several cores.
    pub(super) fn new<'a>(required: &Required, parts: impl Iterator<Item = &'a StoredIn>) -> Self {
        if matches!(required, Required::Nothing) {
            return Self::default();
        }
        let mut asked_for: BTreeMap<u64, (&Segment, usize)> = BTreeMap::new();
        for file in parts {
            if let StoredIn::Segment(segment) = file {
                asked_for.entry(*segment.sequences().start()).or_insert((segment, 0)).1 += 1;
            }
        }
        asked_for.retain(|_, (_, count)| PARTS_MIN <= *count);
        let segments: Vec<(u64, &Segment)> =
            asked_for.into_iter().map(|(first, (segment, _))| (first, segment)).collect();
        let read = parallel::map(&segments, |(first, segment)| Some((*first, segment.candidates(required)?)));
        Self { candidates: read.into_iter().flatten().collect() }
    }

    /// Whether a part may have lines of the answer.
    pub(super) fn may_have_any(&self, file: &StoredIn, part: &Part) -> bool {
        match file {
            StoredIn::Journal(_) => true,
            StoredIn::Segment(segment) => {
                let candidates = self.candidates.get(segment.sequences().start());
                candidates.is_none_or(|candidates| candidates.contains(part.offset))
            }
        }
    }
}
