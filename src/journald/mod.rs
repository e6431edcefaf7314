//! Reads the journal files of systemd: bytes of a file in, entries out.
//!
//! The format is systemd's `JOURNAL_FILE_FORMAT`: a header, then objects that are only ever appended. *Data* objects hold
//! one `NAME=value` each, and whichever entry has that refers to them; *entry* objects hold times and the offsets of their
//! data; *entry arrays* list the entries, each with the offset of the next array.
//!
//! | file | in one sentence |
//! |---|---|
//! | `layout` | where what stands |
//! | `windows` | reads the file piece by piece; never a memory map, which a truncated file would end the process with |
//! | `fields` | data objects, decompressed within limits; those that entries share are kept |
//! | `chain` | the entries as the arrays list them |
//! | `scan` | the entries as they lie in a file whose arrays are damaged |
//! | `hash` | the hashes of data and entries |
//!
//! journald writes an entry's offset to the array when all else is written, so an offset that is there leads to an entry that
//! is whole, and no counter has to be believed. Whether it is whole is checked all the same: an entry carries the hashes of
//! its fields, added up. What does not fit is damage, from where on the arrays of the file are not believed any more: the
//! rest is looked for object by object, and what is damaged costs no more than itself. A field that is damaged costs the
//! entries that share it that field, unless it is their message.
//!
//! Every offset, count and length is checked before it is used; whatever the bytes are, reading ends.

mod chain;
mod fields;
mod hash;
mod layout;
mod scan;
#[cfg(test)]
pub(crate) mod tests;
mod windows;

use std::io;
use std::ops::Range;

use chain::{Chain, Listed};
pub use fields::FIELD_BYTES_MAX;
use fields::{Field, Fields};
pub use layout::Header;
use layout::{
    ALIGNMENT, ENTRY_HEADER_BYTES, ITEMS_MAX, OBJECT_HEADER_BYTES, ObjectHeader, Refusal, Type, id_at, u64_at,
};
use windows::Windows;

/// Most bytes of the header that are read.
const HEADER_BYTES: usize = 272;
/// The field that is an entry's text.
const MESSAGE: &[u8] = b"MESSAGE";

/// Something that can be read at any place, such as a file.
pub trait ReadAt {
    /// Reads at `offset` until `buffer` is full or there is no more, and returns how many bytes were read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// How long it is, in bytes.
    fn size_bytes(&self) -> io::Result<u64>;
}

impl ReadAt for &[u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = usize::try_from(offset).map_or(self.len(), |offset| offset.min(self.len()));
        let count = buffer.len().min(self.len() - start);
        buffer[..count].copy_from_slice(&self[start..][..count]);
        Ok(count)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Its creation has not come to an end.
    #[error("it has no header yet")]
    Unfinished,
    /// It is no journal file.
    #[error("it is no journal file of systemd: it does not begin with LPKSHHRH")]
    NoJournal,
    /// It was written by a version of systemd that came later.
    #[error("its format is newer than what is understood (incompatible flags {flags:#x}); a newer release may read it")]
    Newer {
        /// The flags that are not known.
        flags: u32,
    },
    /// It could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unfinished => Self::Unfinished,
            Refusal::NoJournal => Self::NoJournal,
            Refusal::Flags(flags) => Self::Newer { flags },
        }
    }
}

/// How far a file has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// How many entries of the arrays were passed.
    pub ordinal: u64,
    /// Where the last of them ends, in bytes.
    pub offset: u64,
    /// Whether the arrays are damaged, and entries are looked for from `offset` on.
    pub is_scanning: bool,
}

/// What comes next in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// An entry, which [`Journal::entry`] returns.
    Entry,
    /// Nothing, as yet.
    End,
}

/// A journal file that is being read.
pub struct Journal<B> {
    windows: Windows<B>,
    header: Header,
    place: Place,
    chain: Option<Chain>,
    fields: Fields,
    object: Vec<u8>,
    /// Those of the entry.
    found: Vec<Field>,
    head: EntryHead,
    damage: Option<Range<u64>>,
    /// What begins here or later is not read.
    limit: u64,
    /// What the header said when a scan came to its end.
    scanned: Option<Header>,
}

#[derive(Clone, Copy, Debug, Default)]
struct EntryHead {
    seqnum: u64,
    realtime_us: u64,
    monotonic_us: u64,
    boot_id: [u8; 16],
    lost_field_count: usize,
}

/// An entry of a journal file.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// Its sequence number.
    pub seqnum: u64,
    /// When journald took it, in microseconds since the Unix epoch.
    pub realtime_us: u64,
    /// The same, in microseconds since the start of the machine.
    pub monotonic_us: u64,
    /// Which start of the machine that was.
    pub boot_id: [u8; 16],
    /// How many of its fields are damaged, and left out.
    pub lost_field_count: usize,
    fields: &'a Fields,
    found: &'a [Field],
}

impl<'a> Entry<'a> {
    /// Names and values, in the order of the file. A name may come several times.
    pub fn fields(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let fields = self.fields;
        self.found.iter().map(move |field| fields.name_and_value(*field))
    }

    /// The offsets of the objects that the fields are in, in their order: fields of one object are the same.
    pub fn offsets(&self) -> impl Iterator<Item = u64> + use<'a> {
        self.found.iter().map(|field| field.offset)
    }
}

impl<B: ReadAt> Journal<B> {
    /// Begins to read a file at `place`.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn open(bytes: B, place: Place) -> Result<Self, Error> {
        let windows = Windows::new(bytes);
        let header = read_header(windows.source())?;
        Ok(Self {
            windows,
            header,
            place,
            chain: None,
            fields: Fields::default(),
            object: Vec::new(),
            found: Vec::new(),
            head: EntryHead::default(),
            damage: None,
            limit: u64::MAX,
            scanned: None,
        })
    }

    /// What is read.
    pub fn source(&self) -> &B {
        self.windows.source()
    }

    /// The header as it was read last.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How far it has been read: where a new [`Journal::open`] goes on.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The entry that [`Journal::advance`] has come to.
    pub fn entry(&self) -> Entry<'_> {
        let EntryHead { seqnum, realtime_us, monotonic_us, boot_id, lost_field_count } = self.head;
        Entry { seqnum, realtime_us, monotonic_us, boot_id, lost_field_count, fields: &self.fields, found: &self.found }
    }

    /// Takes the bytes that have been found damaged on the way to the entry, or to the end.
    pub fn take_damage(&mut self) -> Option<Range<u64>> {
        self.damage.take()
    }

    /// Where the last object ends, as far as the header knows: what there is to read. In bytes.
    pub fn end(&self) -> Result<u64, Error> {
        let size = self.windows.source().size_bytes()?;
        let tail = self.header.tail_object;
        let object = self.windows.get_now::<OBJECT_HEADER_BYTES>(tail)?.map(|bytes| ObjectHeader::decode(&bytes));
        Ok(object.and_then(|object| object.end(tail)).unwrap_or(size).min(size).max(self.place.offset.min(size)))
    }

    /// Reads the header again.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn refresh(&mut self) -> Result<(), Error> {
        self.header = read_header(self.windows.source())?;
        Ok(())
    }

    /// Leaves entries unread that begin at `limit` or later, in bytes.
    pub fn set_limit(&mut self, limit: u64) {
        if std::mem::replace(&mut self.limit, limit) != limit {
            self.scanned = None;
        }
    }

    /// Goes behind the last entry.
    ///
    /// # Errors
    ///
    /// The file could not be read.
    pub fn skip_to_end(&mut self) -> Result<(), Error> {
        self.refresh()?;
        let Some(last) = self.header.entry_count.checked_sub(1) else { return Ok(()) };
        if let Listed::Entry(mut chain) = Chain::at(&mut self.windows, &self.header, last)?
            && let Listed::Entry(entry) = chain.next(&mut self.windows, &self.header)?
        {
            let offset = entry.saturating_add(ENTRY_HEADER_BYTES as u64);
            self.place = Place { ordinal: self.header.entry_count, offset, is_scanning: false };
        } else {
            // The arrays are damaged: what is appended lies behind what is there.
            self.place = Place { offset: self.end()?, is_scanning: true, ..self.place };
        }
        self.chain = None;
        self.forget();
        Ok(())
    }

    /// Goes to the next entry. Nothing is appended any more to a file that `is_final`.
    ///
    /// # Errors
    ///
    /// The file could not be read; where it was is where the next call goes on.
    pub fn advance(&mut self, is_final: bool) -> Result<Step, Error> {
        if !self.place.is_scanning
            && let Some(step) = self.advance_in_chain()?
        {
            return Ok(step);
        }
        self.place.is_scanning = true;
        self.chain = None;
        self.scan(is_final)
    }

    /// Forgets what was read of a file that may have changed, and gives back the memory.
    fn forget(&mut self) {
        self.windows.forget();
        self.fields.forget();
        self.object = Vec::new();
    }

    /// Follows the arrays; `None` where they are damaged.
    fn advance_in_chain(&mut self) -> Result<Option<Step>, Error> {
        let mut is_fresh = self.windows.are_forgotten();
        if is_fresh {
            // The header first: what it counts is listed by the time that the arrays are read.
            self.refresh()?;
        }
        loop {
            let listed = match &mut self.chain {
                Some(chain) => chain.next(&mut self.windows, &self.header)?,
                None => match Chain::at(&mut self.windows, &self.header, self.place.ordinal)? {
                    Listed::Entry(chain) => {
                        self.chain = Some(chain);
                        continue;
                    }
                    Listed::Nothing => Listed::Nothing,
                    Listed::Damage => Listed::Damage,
                },
            };
            match listed {
                Listed::Entry(offset) if self.limit <= offset => {
                    self.forget();
                    return Ok(Some(Step::End));
                }
                Listed::Entry(offset) if self.place.offset <= offset => {
                    if let Some(end) = self.read_entry(offset)? {
                        if let Some(chain) = &mut self.chain {
                            chain.pass();
                        }
                        self.place.ordinal += 1;
                        self.place.offset = end;
                        return Ok(Some(Step::Entry));
                    }
                }
                Listed::Nothing if is_fresh => {
                    let is_short = self.place.ordinal < self.header.entry_count;
                    self.forget();
                    return Ok((!is_short).then_some(Step::End));
                }
                _ => {}
            }
            if std::mem::replace(&mut is_fresh, true) {
                return Ok(None);
            }
            // It may have been written since.
            self.forget();
            self.refresh()?;
        }
    }

    /// Reads the entry at `offset`, and returns where it ends; `None` where there is none that is whole.
    fn read_entry(&mut self, offset: u64) -> io::Result<Option<u64>> {
        self.found.clear();
        self.fields.begin();
        if !self.header.is_place(offset) {
            return Ok(None);
        }
        let item_bytes = self.header.item_bytes();
        let Some(head) = self.windows.get(offset, OBJECT_HEADER_BYTES)? else { return Ok(None) };
        let object = ObjectHeader::decode(head);
        let bytes = usize::try_from(object.size).unwrap_or(usize::MAX);
        let is_plausible = object.kind == Type::Entry
            && (ENTRY_HEADER_BYTES + item_bytes..=ENTRY_HEADER_BYTES + ITEMS_MAX * item_bytes).contains(&bytes)
            && (bytes - ENTRY_HEADER_BYTES).is_multiple_of(item_bytes);
        let Some(end) = object.end(offset).filter(|_| is_plausible) else { return Ok(None) };
        let Some(all) = self.windows.get(offset, bytes)? else { return Ok(None) };
        all.clone_into(&mut self.object);
        self.head = EntryHead {
            seqnum: u64_at(&self.object, 16),
            realtime_us: u64_at(&self.object, 24),
            monotonic_us: u64_at(&self.object, 32),
            boot_id: id_at(&self.object, 40),
            lost_field_count: 0,
        };
        if self.head.seqnum == 0 || self.head.realtime_us == 0 {
            return Ok(None);
        }
        let mut sum = u64_at(&self.object, 56);
        let item_count = (bytes - ENTRY_HEADER_BYTES) / item_bytes;
        for at in (ENTRY_HEADER_BYTES..bytes).step_by(item_bytes) {
            let data = self.header.offset_at(&self.object, at);
            // Its length may be damaged, so that what follows is taken for items: that is no entry, be all else sound.
            if offset < data || !self.header.is_place(data) {
                return Ok(None);
            }
            if let Some(field) = self.fields.load(&mut self.windows, &self.header, data)? {
                sum ^= field.jenkins;
                self.found.push(field);
            }
        }
        let is_complete = self.found.len() == item_count;
        if is_complete && (sum == 0 || self.is_sum_of_repeated(sum)) || self.keep_sound_fields(item_count) {
            return Ok(Some(end));
        }
        Ok(None)
    }

    /// Whether the entry's hash lacks what a field or two add that were given twice: each is stored once.
    fn is_sum_of_repeated(&self, sum: u64) -> bool {
        let hashes = || self.found.iter().map(|field| field.jenkins);
        hashes().any(|hash| hash == sum || hashes().any(|other| hash ^ other == sum))
            && self.found.iter().all(|field| self.fields.is_sound(*field, &self.header))
    }

    /// Lets go of fields that are damaged; whether that leaves an entry. One without its message is none.
    fn keep_sound_fields(&mut self, item_count: usize) -> bool {
        let (fields, header) = (&self.fields, &self.header);
        // A compact entry does not say which hashes its fields have.
        let items = || self.object[ENTRY_HEADER_BYTES..].chunks_exact(header.item_bytes());
        self.found.retain(|field| {
            let is_it = |item: &[u8]| u64_at(item, 0) == field.offset && u64_at(item, 8) == field.claimed;
            (header.is_compact || items().any(is_it)) && fields.is_sound(*field, header)
        });
        let has_message = self.found.iter().any(|field| fields.name_and_value(*field).0 == MESSAGE);
        self.head.lost_field_count = item_count - self.found.len();
        0 < self.head.lost_field_count && has_message
    }
}

/// Reads a file's header.
///
/// # Errors
///
/// See [`Error`].
pub fn read_header(bytes: &impl ReadAt) -> Result<Header, Error> {
    let mut header = [0; HEADER_BYTES];
    let count = bytes.read_at(&mut header, 0)?;
    Ok(Header::decode(&header[..count])?)
}

/// Where the next object may begin, 8 bytes on.
fn next_place(offset: u64) -> u64 {
    offset.saturating_add(ALIGNMENT)
}
