//! What tells a copy of a log from a file of its own: rule 4, and half of copytruncate.
//!
//! A copy begins as its original does. While that is intact and goes on, the copy is read in it; once that was truncated, the copy
//! is where its content went. Until then the copy is held back.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::file;
use crate::log_collector::rotation::names::replaced_by;
use crate::log_collector::source::Source;
use crate::log_collector::tracked::{COPY_PATIENCE, Tracked};
use crate::model::Timestamp;

/// What a file turns out to be.
pub(in crate::log_collector) enum Verdict {
    /// A copy of a file that goes on: all it holds is stored.
    Copy,
    /// A file of its own.
    Other,
    /// Whatever comes.
    Undecided,
}

/// Whether an archive is none of another one, which `is_compressed`: logs may repeat themselves, and who compresses a file twice
/// gives both its time.
pub(in crate::log_collector) fn is_archive_of_its_own(copy: &Source, is_compressed: bool, modified_ns: i64) -> bool {
    is_compressed && copy.is_compressed() && copy.modified_ns != modified_ns
}

/// Whether a file named `name` looks like one that is still written, to be put in the place of a log named `logs`.
fn is_temporary(name: &Path, logs: &[PathBuf]) -> bool {
    let replaced = name.file_name().and_then(|name| name.to_str()).map(replaced_by).unwrap_or_default();
    let is_log = |replaced: &String| logs.iter().any(|log| log.file_name() == Some(OsStr::new(replaced)));
    replaced.iter().any(|replaced| replaced.is_empty() || is_log(replaced))
}

/// Decides what `copy` is, which may be a copy of `original`, whose content `was_cut` where that is still looked for.
pub(in crate::log_collector) fn verdict<D>(
    copy: &mut Tracked<D>,
    original: &Tracked<D>,
    was_cut: bool,
    now: Timestamp,
) -> Result<Verdict, file::Error> {
    // In this order: what the two have in common says nothing if the original is truncated meanwhile.
    let is_beginning = copy.source.is_beginning_of(&original.source)?;
    let is_intact = original.source.is_intact()?;
    if is_beginning && is_intact {
        // Of what it holds now, whatever becomes of what was cut before.
        copy.note_began_alike();
    }
    if was_cut || !is_intact {
        // It was truncated: once that is read, what it was is looked for.
        return Ok(Verdict::Undecided);
    }
    if copy.source.has_grown()? {
        copy.quiet_since = Instant::now();
    }
    if !is_beginning {
        let is_temporary = copy.names().iter().any(|name| is_temporary(name, original.names()));
        let waits = is_temporary && copy.quiet_since.elapsed() < COPY_PATIENCE;
        return Ok(if waits { Verdict::Undecided } else { Verdict::Other });
    }
    if copy.quiet_since.elapsed() < COPY_PATIENCE || !copy.source.is_read_in(&original.source)? {
        return Ok(Verdict::Undecided);
    }
    copy.source.count_as_copy(&original.source.position(now))?;
    Ok(Verdict::Copy)
}
