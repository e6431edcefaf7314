//! What became of a log's files: renamed, copied, compressed, truncated, deleted, while somebody looked or not.
//!
//! Downtime and the moment between two looks are the same thing: the world as it was then, and the world now. So there is one
//! mechanism for both. What is known of a stream's files, how far each was read and what it began and ended with, is in the
//! *ledger* ([`ledger`]). What lies on the disk is the log's *family* ([`family`]): the file that has the log's name and those
//! whose names say that they were rotated out of it ([`names`]), compressed or not. [`reconcile`] compares the two and says
//! what to do, in five rules:
//!
//! 1. A file with a known identity is that file.
//! 2. A known file that is missing, or whose content was cut, is looked for by content among the files that nothing is known
//!    of; it is read on there. A content that cannot be looked at now is looked at later: not knowing decides nothing.
//! 3. Files of which nothing is known and that are younger than the newest known one were rotated while nobody looked. They
//!    are read from their start, oldest first, before the file that has the name now. Of a log of which nothing is known all
//!    are: a rotated file is its log's past.
//! 4. A file that holds what the log began with, while the log is intact, or what another of its files holds, is a copy of it,
//!    compressed or not ([`copy`]): it is not read, for its content is or will be stored.
//! 5. What is found nowhere is lost once another file has its place; until then its position is kept.
//!
//! The order of a stream's files is stored as an ordinal in their positions, not inferred. A file is read once those before it
//! in each of its streams are read to their end.

pub(super) mod copy;
pub(super) mod family;
pub(super) mod ledger;
pub(super) mod listing;
pub(super) mod names;
pub(super) mod reconcile;
