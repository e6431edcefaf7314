//! The entries of a file as they lie there, object after object: for files whose arrays are damaged.
//!
//! Only what proves to be whole is passed as a whole: an entry whose fields add up to its hash, a data object whose bytes do.
//! Everything else is passed 8 bytes at a time, so that no length which is damaged hides what follows. Bytes that somebody
//! has logged lie in data objects, and are passed with them: they are taken for objects only where the one that they are
//! in is damaged.

use super::layout::{OBJECT_HEADER_BYTES, ObjectHeader, Type};
use super::{Error, Journal, ReadAt, Step, next_place};

/// What does not belong to any object.
#[derive(Default)]
struct Torn {
    start: Option<u64>,
    end: u64,
}

impl Torn {
    fn note(&mut self, offset: u64) {
        self.start.get_or_insert(offset);
        self.end = next_place(offset);
    }
}

impl<B: ReadAt> Journal<B> {
    /// Looks for the next entry from where the last one ends.
    pub(super) fn scan(&mut self, is_final: bool) -> Result<Step, Error> {
        self.refresh()?;
        if !is_final && self.scanned.as_ref() == Some(&self.header) {
            return Ok(Step::End);
        }
        let end = self.windows.source().size_bytes()?.min(self.limit);
        let mut offset = self.place.offset.max(self.header.bytes);
        let (mut torn, mut hole) = (Torn::default(), Torn::default());
        // Within this, bytes belong to an object of which nothing can be proven.
        let mut object_end = offset;
        while offset.saturating_add(OBJECT_HEADER_BYTES as u64) <= end {
            let Some(head) = self.windows.get(offset, OBJECT_HEADER_BYTES)? else { break };
            let object = ObjectHeader::decode(head);
            let whole_end = match object.kind {
                Type::Entry => self.read_entry(offset)?,
                Type::Data => self.whole_data(offset)?,
                _ => None,
            };
            if let Some(whole_end) = whole_end {
                if hole.start.is_some() {
                    torn = Torn { start: torn.start.into_iter().chain(hole.start).min(), end: torn.end.max(hole.end) };
                    hole = Torn::default();
                }
                offset = whole_end;
                object_end = whole_end;
                if object.kind == Type::Entry {
                    self.note_damage(&torn);
                    self.place.ordinal += 1;
                    self.place.offset = whole_end;
                    return Ok(Step::Entry);
                }
                continue;
            }
            match object.kind {
                Type::Other | Type::EntryArray if object_end <= offset => {
                    object_end = object.end(offset).filter(|of| *of <= end).unwrap_or(offset);
                }
                _ if offset < object_end => {}
                // At the end there is nothing to come.
                Type::Nothing => hole.note(offset),
                _ => torn.note(offset),
            }
            offset = next_place(offset);
        }
        self.scanned = Some(self.header.clone());
        self.forget();
        if is_final && self.place.offset < end {
            self.note_damage(&torn);
            self.place.offset = end;
        }
        Ok(Step::End)
    }

    /// Where the data object at `offset` ends, if it is whole.
    fn whole_data(&mut self, offset: u64) -> Result<Option<u64>, Error> {
        self.fields.begin();
        let field = self.fields.load(&mut self.windows, &self.header, offset)?;
        Ok(field.filter(|field| self.fields.is_sound(*field, &self.header)).map(|field| field.end))
    }

    fn note_damage(&mut self, torn: &Torn) {
        if let Some(start) = torn.start {
            let start = self.damage.as_ref().map_or(start, |damage| damage.start.min(start));
            self.damage = Some(start..torn.end);
        }
    }
}
