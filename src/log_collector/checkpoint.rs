//! How far one source has been read, as bytes for the database to keep.
//!
//! # Format, version 3 (integers little-endian, sizes in bytes)
//!
//! ```text
//! key      := device: u64 | inode: u64 | born_ns: i64                                        24
//! position := version: u8 = 3 | flags: u8 | offset: u64 | resume: u64 | saved_ns: i64 |
//!             tail_bytes: u8 | tail_md5: u8[16] | path | delivery_count: u16 | delivery* |
//!             seen: u64 | modified_ns: i64 | head_count: u8 | head: u64[head_count] |
//!             (partial_count: u8 | partial*)?
//! delivery := delivered: u64 | end: u64 | ordinal: u64 | path
//! path     := byte_count: u16 | u8[byte_count]
//! partial  := channel: u8 | timestamp_ns: i64 | byte_count: u32 | u8[byte_count]
//! ```
//!
//! `flags` bit 0: the reader is inside a line over the limit, whose rest is to be skipped. Bit 1: the file is
//! compressed, and offsets are those of what is in it. Bit 2: it was read to its end and let go. Bit 3: the line before
//! `offset` had not ended when it was stored. Bit 4: the content was cut from its file, which was truncated or written anew,
//! and the file that holds it now has not been found; in the key of such a position `device` is inverted and `born_ns` is the
//! ordinal in the first of its streams. Bit 5: there is a count of partials,
//! which were there when the file was read from its start.
//!
//! `tail_md5` is the MD5 of the `tail_bytes` bytes before `offset`: a file that does not have them there is not the file that
//! was read.
//! `seen` is how long the file was, and `modified_ns` when it had been written to. `head` is the beginning of the MD5
//! of the file's first 1, 4, 16, … bytes ([`HEAD_BYTES`]), as far as `offset` goes: it tells what a file was that has
//! become shorter, and which file is a copy.
//!
//! A partial is an entry of a container that began in the file before, without its last part, as it is at the start of this file
//! (channel 0: unknown, 1: standard output, 2: standard error). It is kept here until it is complete.
//!
//! A delivery says for each stream up to where it has the file's entries, at which byte it ends (`u64::MAX`: nowhere), and
//! which of the stream's files this one is: they are read in the order of their ordinals.
//!
//! Version 2 had no `end`, which was `delivered` where that is before `offset`, and no `ordinal`, which is read as 0. Version 1
//! ended before `seen` as well. It is read as one whose `seen` is its `offset` and whose `modified_ns` is its `saved_ns`,
//! without `head`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::file::Identity;
use crate::log_collector::format::{Channel, Partial};
use crate::model::{COLLECTOR_SOURCE_BYTES, Timestamp};

/// How many bytes before the offset are remembered, to notice that a file was rewritten.
pub const TAIL_BYTES_MAX: usize = 64;
/// Most names of one file that have a stream of their own: each line takes room in a batch for every one.
pub const DELIVERIES_MAX: usize = 64;

/// How many of a file's first bytes each fingerprint of its head covers.
pub const HEAD_BYTES: [usize; 6] = [1, 4, 16, 64, 256, 1024];

const VERSION: u8 = 3;
const VERSION_WITHOUT_ORDINALS: u8 = 2;
const VERSION_WITHOUT_HEAD: u8 = 1;
const FLAG_SKIPPING: u8 = 1;
const FLAG_COMPRESSED: u8 = 2;
const FLAG_FINISHED: u8 = 4;
const FLAG_CONTINUES: u8 = 8;
const FLAG_CUT: u8 = 16;
const FLAG_PARTIALS: u8 = 32;
const KEY_BYTES: usize = COLLECTOR_SOURCE_BYTES;
const _: () = assert!(KEY_BYTES == 3 * size_of::<u64>());

/// How far one source has been read.
#[expect(clippy::struct_excessive_bools, reason = "they are the format's flags, each independent of the others")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Everything before this byte has been read.
    pub offset: u64,
    /// Reading resumes at this byte: before `offset` where an entry has begun and not ended.
    pub resume: u64,
    /// Whether the bytes from `offset` to the next newline are the rest of a line over the limit.
    pub skipping: bool,
    /// Whether the file is compressed; offsets are those of what is in it.
    pub compressed: bool,
    /// Whether it was read to its end and let go: what comes after it is in other files.
    pub finished: bool,
    /// Whether the line before `offset` had not ended when it was stored: what comes next is the rest of it.
    pub continues: bool,
    /// Whether the content was cut from its file, and is to be found in another.
    pub cut: bool,
    /// How long the file was seen to be, at least `offset`.
    pub seen: u64,
    /// When the file had been written to, by the file system's clock, in nanoseconds since the Unix epoch.
    pub modified_ns: i64,
    /// Fingerprints of the file's first bytes, of as many of [`HEAD_BYTES`] as `offset` covers.
    pub head: Vec<u64>,
    /// When this was written down.
    pub saved: Timestamp,
    /// How many bytes `tail_md5` covers.
    pub tail_bytes: u8,
    /// MD5 of the bytes just before `offset`.
    pub tail_md5: [u8; 16],
    /// Where the file was last seen, as a canonical path.
    pub path: PathBuf,
    /// The names whose streams the entries go to.
    pub deliveries: Vec<DeliveryPosition>,
    /// Entries that began in the file before, as they are at the start of this one, if it was read on with such; none once they
    /// are complete.
    pub partials: Option<Vec<Partial>>,
}

/// How far one name's stream is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryPosition {
    /// The name, as seen under the root path.
    pub path: PathBuf,
    /// Entries that end at or before this byte are in the stream.
    pub delivered: u64,
    /// Entries that begin at or after this byte are not for the stream; [`ENDLESS`] where it does not end.
    pub end: u64,
    /// Which of the stream's files this is: they are read in the order of their ordinals. 0 where that was not noted.
    pub ordinal: u64,
}

/// The end of a stream that has none yet.
pub const ENDLESS: u64 = u64::MAX;

/// The key under which the position of the file `identity` is kept.
pub fn encode_key(identity: Identity) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(KEY_BYTES);
    bytes.extend_from_slice(&identity.device.to_le_bytes());
    bytes.extend_from_slice(&identity.inode.to_le_bytes());
    bytes.extend_from_slice(&identity.born_ns.to_le_bytes());
    bytes
}

/// The identity in a key; `None` where the bytes are no key.
pub fn decode_key(bytes: &[u8]) -> Option<Identity> {
    let mut reader = Reader(bytes);
    let identity = Identity { device: reader.u64()?, inode: reader.u64()?, born_ns: reader.u64()?.cast_signed() };
    reader.0.is_empty().then_some(identity)
}

/// What stands for the file `identity` in the key of a position whose content, the stream's file `ordinal`, was cut from it.
pub fn identity_of_cut(identity: Identity, ordinal: u64) -> Identity {
    Identity { device: !identity.device, born_ns: ordinal.cast_signed(), ..identity }
}

/// MD5 of the last [`TAIL_BYTES_MAX`] bytes before an offset.
pub fn tail_md5(tail: &[u8]) -> [u8; 16] {
    md5::compute(tail).0
}

/// The fingerprint of `start`, a file's first bytes.
pub fn head_hash(start: &[u8]) -> u64 {
    let md5 = md5::compute(start).0;
    u64::from_le_bytes(*md5.first_chunk().expect("MD5 has 16 bytes"))
}

impl Position {
    /// A path that tells under which root the file was found: a name that it delivers to, or its own.
    pub fn name(&self) -> &Path {
        self.deliveries.first().map_or(&self.path, |delivery| &delivery.path)
    }

    /// The position of a file or a directory at `path` of which nothing was read. That of a directory only says that it was
    /// collected from.
    pub fn unread(path: PathBuf, saved: Timestamp) -> Self {
        Self {
            offset: 0,
            resume: 0,
            skipping: false,
            compressed: false,
            finished: false,
            continues: false,
            cut: false,
            seen: 0,
            modified_ns: saved.as_ns(),
            head: Vec::new(),
            saved,
            tail_bytes: 0,
            tail_md5: tail_md5(&[]),
            path,
            deliveries: Vec::new(),
            partials: None,
        }
    }

    /// Of how many bytes it is known that a file which starts with `start` begins as this one did; `None` where it begins
    /// otherwise.
    pub fn common_head(&self, start: &[u8]) -> Option<usize> {
        let known = self.head.iter().zip(HEAD_BYTES);
        let comparable = known.filter_map(|(hash, byte_count)| Some((hash, start.get(..byte_count)?))).next_back();
        let Some((hash, start)) = comparable else { return Some(0) };
        (head_hash(start) == *hash).then_some(start.len())
    }

    /// The position as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        bytes.push(VERSION);
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let of_file = flag(self.compressed, FLAG_COMPRESSED) | flag(self.finished, FLAG_FINISHED);
        let of_file = of_file | flag(self.cut, FLAG_CUT) | flag(self.partials.is_some(), FLAG_PARTIALS);
        bytes.push(flag(self.skipping, FLAG_SKIPPING) | flag(self.continues, FLAG_CONTINUES) | of_file);
        bytes.extend_from_slice(&self.offset.to_le_bytes());
        bytes.extend_from_slice(&self.resume.to_le_bytes());
        bytes.extend_from_slice(&self.saved.as_ns().to_le_bytes());
        bytes.push(self.tail_bytes);
        bytes.extend_from_slice(&self.tail_md5);
        push_path(&mut bytes, &self.path);
        let deliveries = &self.deliveries[..self.deliveries.len().min(DELIVERIES_MAX)];
        push_u16(&mut bytes, deliveries.len());
        for delivery in deliveries {
            for number in [delivery.delivered, delivery.end, delivery.ordinal] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            push_path(&mut bytes, &delivery.path);
        }
        bytes.extend_from_slice(&self.seen.to_le_bytes());
        bytes.extend_from_slice(&self.modified_ns.to_le_bytes());
        let head = &self.head[..self.head.len().min(HEAD_BYTES.len())];
        bytes.push(u8::try_from(head.len()).expect("bounded by HEAD_BYTES"));
        bytes.extend(head.iter().flat_map(|hash| hash.to_le_bytes()));
        if let Some(partials) = &self.partials {
            bytes.push(u8::try_from(partials.len()).expect("one for each channel"));
        }
        for partial in self.partials.iter().flatten() {
            bytes.push(partial.channel as u8);
            bytes.extend_from_slice(&partial.timestamp.as_ns().to_le_bytes());
            let byte_count = u32::try_from(partial.text.len()).expect("bounded by LINE_BYTES_MAX");
            bytes.extend_from_slice(&byte_count.to_le_bytes());
            bytes.extend_from_slice(&partial.text);
        }
        bytes
    }

    /// The position in `bytes`; `None` where they are none, or one of a newer version.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let version = reader.u8()?;
        if ![VERSION, VERSION_WITHOUT_ORDINALS, VERSION_WITHOUT_HEAD].contains(&version) {
            return None;
        }
        let flags = reader.u8()?;
        let offset = reader.u64()?;
        let resume = reader.u64()?;
        let saved = Timestamp::from_ns(reader.u64()?.cast_signed());
        let tail_bytes = reader.u8()?;
        let tail_md5 = reader.array()?;
        let path = reader.path()?;
        let delivery_count = reader.u16()?;
        let mut deliveries = Vec::new();
        for _ in 0..delivery_count {
            let delivered = reader.u64()?;
            let (end, ordinal) = match version {
                VERSION => (reader.u64()?, reader.u64()?),
                _ => (if delivered < offset { delivered } else { ENDLESS }, 0),
            };
            deliveries.push(DeliveryPosition { delivered, end, ordinal, path: reader.path()? });
        }
        let (mut seen, mut modified_ns) = (offset, saved.as_ns());
        let mut head = Vec::new();
        if version != VERSION_WITHOUT_HEAD {
            seen = reader.u64()?.max(offset);
            modified_ns = reader.u64()?.cast_signed();
            for _ in 0..reader.u8()? {
                head.push(reader.u64()?);
            }
        }
        let partials = if flags & FLAG_PARTIALS == 0 {
            None
        } else {
            Some((0..reader.u8()?).map(|_| reader.partial()).collect::<Option<_>>()?)
        };
        let sound = reader.0.is_empty()
            && resume <= offset
            && usize::from(tail_bytes) <= TAIL_BYTES_MAX
            && head.len() <= HEAD_BYTES.len();
        sound.then_some(Self {
            offset,
            resume,
            skipping: flags & FLAG_SKIPPING != 0,
            compressed: flags & FLAG_COMPRESSED != 0,
            finished: flags & FLAG_FINISHED != 0,
            continues: flags & FLAG_CONTINUES != 0,
            cut: flags & FLAG_CUT != 0,
            seen,
            modified_ns,
            head,
            saved,
            tail_bytes,
            tail_md5,
            path,
            deliveries,
            partials,
        })
    }
}

fn push_u16(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend_from_slice(&u16::try_from(number).expect("bounded by PATH_MAX or DELIVERIES_MAX").to_le_bytes());
}

fn push_path(bytes: &mut Vec<u8>, path: &Path) {
    let path = path.as_os_str().as_bytes();
    push_u16(bytes, path.len());
    bytes.extend_from_slice(path);
}

/// Reads little-endian fields off the front of a slice.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn partial(&mut self) -> Option<Partial> {
        let channel = Channel::from_number(self.u8()?)?;
        let timestamp = Timestamp::from_ns(self.u64()?.cast_signed());
        let byte_count = usize::try_from(self.u32()?).ok()?;
        Some(Partial { channel, timestamp, text: self.bytes(byte_count)?.to_vec() })
    }

    fn path(&mut self) -> Option<PathBuf> {
        let byte_count = self.u16()?;
        let bytes = self.bytes(usize::from(byte_count))?;
        Some(PathBuf::from(OsStr::from_bytes(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position() -> Position {
        Position {
            offset: 4711,
            resume: 4700,
            skipping: true,
            compressed: true,
            finished: true,
            continues: true,
            cut: true,
            seen: 4800,
            modified_ns: -7,
            head: vec![1, 2, 3, 4, 5, u64::MAX],
            saved: Timestamp::from_ns(-5),
            tail_bytes: 64,
            tail_md5: tail_md5(b"the end of it"),
            path: "/var/log/pods/a/0.log".into(),
            deliveries: vec![
                DeliveryPosition { path: "/logs/a.log".into(), delivered: 4711, end: ENDLESS, ordinal: 7 },
                DeliveryPosition {
                    path: OsStr::from_bytes(b"/logs/\xff.log").into(),
                    delivered: 0,
                    end: 0,
                    ordinal: 0,
                },
            ],
            partials: Some(vec![Partial {
                channel: Channel::Stderr,
                timestamp: Timestamp::from_ns(-9),
                text: b"half a line".to_vec(),
            }]),
        }
    }

    #[test]
    fn a_position_comes_back_as_it_was() {
        assert_eq!(Position::decode(&position().encode()), Some(position()));
    }

    /// What version 1 wrote of [`position`].
    const VERSION_1: &[u8] = b"\x01\x01\x67\x12\0\0\0\0\0\0\x5c\x12\0\0\0\0\0\0\xfb\xff\xff\xff\xff\xff\xff\xff\
        \x40MD5 of 16 bytes!\x15\0/var/log/pods/a/0.log\x02\0\
        \x67\x12\0\0\0\0\0\0\x0b\0/logs/a.log\0\0\0\0\0\0\0\0\x0b\0/logs/\xff.log";

    #[test]
    fn a_position_of_version_2_is_read() {
        let mut bytes = Position { partials: None, ..position() }.encode();
        bytes[0] = VERSION_WITHOUT_ORDINALS;
        for delivery in [b"/logs/a.log", b"/logs/\xff.log"] {
            let path = bytes.windows(delivery.len()).position(|bytes| bytes == delivery).unwrap();
            bytes.drain(path - 18..path - 2);
        }
        let mut expected = position();
        expected.deliveries[0].ordinal = 0;
        expected.partials = None;
        assert_eq!(Position::decode(&bytes), Some(expected));
    }

    #[test]
    fn a_position_of_version_1_is_read() {
        let expected = Position {
            compressed: false,
            finished: false,
            continues: false,
            cut: false,
            seen: 4711,
            modified_ns: -5,
            head: vec![],
            tail_md5: *b"MD5 of 16 bytes!",
            deliveries: vec![
                DeliveryPosition { ordinal: 0, ..position().deliveries[0].clone() },
                position().deliveries[1].clone(),
            ],
            partials: None,
            ..position()
        };
        assert_eq!(Position::decode(VERSION_1), Some(expected));
    }

    #[test]
    fn what_a_file_begins_with_is_recognised_as_far_as_it_goes() {
        let mut position = position();
        position.head = [1, 4, 16].map(|count| head_hash(&b"0123456789abcdef"[..count])).into();
        let check = |start: &[u8], expected: Option<usize>| assert_eq!(position.common_head(start), expected);
        check(b"", Some(0));
        check(b"012", Some(1));
        check(b"x12", None);
        check(b"0123456789abcde", Some(4));
        check(b"0123456789abcdef and so on", Some(16));
        check(b"0123456789abcdxx and so on", None);
    }

    #[test]
    fn a_key_comes_back_as_it_was() {
        let identity = Identity { device: 1, inode: u64::MAX, born_ns: -1 };
        assert_eq!(decode_key(&encode_key(identity)), Some(identity));
        assert_eq!(decode_key(b"too short"), None);
    }

    #[test]
    fn cut_and_extended_positions_are_refused() {
        let bytes = position().encode();
        for length in 0..bytes.len() {
            assert_eq!(Position::decode(&bytes[..length]), None, "cut at {length}");
        }
        assert_eq!(Position::decode(&[&bytes[..], b"x"].concat()), None);
    }

    #[test]
    fn a_newer_version_is_refused() {
        let mut bytes = position().encode();
        bytes[0] = VERSION + 1;
        assert_eq!(Position::decode(&bytes), None);
    }
}
