//! What the environment says of a bench.

/// The number in the variable `name`, or else `default`.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text:?} and has to be a whole number")),
        Err(_) => default,
    }
}
