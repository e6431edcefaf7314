//! Keeps entries crash-safe and searchable, in this process.
