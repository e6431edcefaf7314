//! The pump: batches in, append, commit, sync.
