//! What happens: to files, to the agent, to the machine.

use proptest::prelude::*;

use super::logs::LOGS;
use crate::log_database::storage::CrashMode;

/// What happens next. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Write {
        log: usize,
        lines: usize,
    },
    WriteUnended {
        log: usize,
    },
    /// As the log's program or its administrator rotates: by renaming, or by copying and truncating.
    Rotate {
        log: usize,
        look_between: bool,
        write_between: bool,
    },
    Truncate {
        log: usize,
    },
    Compress {
        log: usize,
        which: usize,
    },
    /// Copies the log and leaves it as it is, beside it or into another directory.
    Copy {
        log: usize,
        is_away: bool,
    },
    DeleteOldest {
        log: usize,
    },
    DeleteAndCreate {
        log: usize,
    },
    SwitchLink,
    Look {
        batches: usize,
        commit: bool,
    },
    Sync,
    /// The next agent may open only a few files, or many.
    Kill {
        few_files: bool,
    },
    PowerCut {
        mode: usize,
        seed: u64,
    },
    ClockJump {
        hours: i64,
    },
    DiskFull {
        is_full: bool,
    },
    /// Rotated files can be read, or not for now.
    Readable {
        is_readable: bool,
    },
    Query,
}

pub(super) fn action() -> impl Strategy<Value = Action> {
    let log = 0..LOGS.len();
    let any_bool = any::<bool>;
    prop_oneof![
        10 => (log.clone(), 1..6_usize).prop_map(|(log, lines)| Action::Write { log, lines }),
        2 => log.clone().prop_map(|log| Action::WriteUnended { log }),
        6 => (log.clone(), any_bool(), any_bool())
            .prop_map(|(log, look_between, write_between)| Action::Rotate { log, look_between, write_between }),
        1 => log.clone().prop_map(|log| Action::Truncate { log }),
        3 => (log.clone(), 0..4_usize).prop_map(|(log, which)| Action::Compress { log, which }),
        1 => (log.clone(), any_bool()).prop_map(|(log, is_away)| Action::Copy { log, is_away }),
        1 => log.clone().prop_map(|log| Action::DeleteOldest { log }),
        1 => log.prop_map(|log| Action::DeleteAndCreate { log }),
        1 => Just(Action::SwitchLink),
        10 => (1..5_usize, any_bool()).prop_map(|(batches, commit)| Action::Look { batches, commit }),
        2 => any_bool().prop_map(|commit| Action::Look { batches: 1000, commit }),
        2 => Just(Action::Sync),
        4 => any_bool().prop_map(|few_files| Action::Kill { few_files }),
        2 => (0..CrashMode::ALL.len(), any::<u64>()).prop_map(|(mode, seed)| Action::PowerCut { mode, seed }),
        1 => (-100..100_i64).prop_map(|hours| Action::ClockJump { hours }),
        1 => any_bool().prop_map(|is_full| Action::DiskFull { is_full }),
        1 => any_bool().prop_map(|is_readable| Action::Readable { is_readable }),
        1 => Just(Action::Query),
    ]
}

/// How a collector can be broken, to see that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    None,
    /// The checkpoint before the batch is stored instead of the one after it.
    EarlyCheckpoint,
    /// Nothing is remembered of a file's content.
    NoFingerprints,
    /// Each tenth batch is not stored.
    LostBatch,
    /// Files are let go before what was read of them is on stable storage.
    NoSyncBeforeLettingGo,
    /// What is left of a file is not read once it was rotated or deleted.
    RotatedNotReadToEnd,
}

impl Defect {
    /// All that have to be noticed.
    pub(super) const ALL: [Self; 5] = [
        Self::EarlyCheckpoint,
        Self::NoFingerprints,
        Self::LostBatch,
        Self::NoSyncBeforeLettingGo,
        Self::RotatedNotReadToEnd,
    ];
}
