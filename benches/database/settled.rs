//! A database that has come to rest.

use std::path::Path;
use std::sync::Arc;

use monitoring_rs::log_database::Database;
use monitoring_rs::log_database::storage::DiskStorage;
use monitoring_rs::model::Timestamp;

const HOUR_NS: i64 = 3_600_000_000_000;

/// Opens the database in `data`, which nobody else may have open.
pub(crate) fn open(data: &Path) -> Database {
    let storage = DiskStorage::open(data).expect("nobody else has it open");
    Database::open(Arc::new(storage)).expect("it was written just now")
}

/// Moves all lines to segments and merges these, as an hour and a day without another line would; the bytes of all
/// segments then.
pub(crate) fn settle(database: &Database) -> u64 {
    let now_ns = now().as_ns();
    for hours in [0, 2, 26] {
        while database.maintain(Timestamp::from_ns(now_ns + hours * HOUR_NS)).expect("the disk has room") {}
    }
    database.statistics().segment_bytes
}

/// The time by the system's clock.
pub(crate) fn now() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    Timestamp::from_ns(i64::try_from(now.as_nanos()).expect("it is before 2262"))
}
