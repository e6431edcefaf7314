//! The captures of `| pattern` in an outline.

use memchr::memmem::Finder;

use super::cursor::{Cursor, Next};
use super::{Collected, Piece, Unknown, Value};
use crate::logql::stages::pattern::Pattern;
use crate::model::ByteSet;

/// What `| pattern` depends on.
pub(super) fn read(pieces: &[Piece<'_>], pattern: &Pattern, reading: &mut Collected<'_>) -> Result<(), Unknown> {
    let mut at = Cursor::new(pieces);
    if !at.is_sequence(&sets(&pattern.prefix))? {
        return Ok(());
    }
    pass_literal(&mut at, pattern.prefix.len())?;
    let mut found: Vec<&String> = Vec::new();
    for (name, follower) in &pattern.captures {
        if pattern.wanted.count() == Some(found.len()) {
            return Ok(());
        }
        let start = at;
        let is_followed = match follower {
            Some(literal) => find(&mut at, literal)?,
            None => false,
        };
        if !is_followed {
            while !matches!(at.peek(), Next::End) {
                at.pass();
            }
        }
        if name != "_" {
            reading.add_value(name, &Value { start, end: at, has_escapes: false }, &pattern.wanted);
            found.extend(Some(name).filter(|name| pattern.wanted.has(name)));
        }
        let Some(literal) = follower.as_ref().filter(|_| is_followed) else { return Ok(()) };
        pass_literal(&mut at, literal.needle().len())?;
    }
    Ok(())
}

/// Moves to where `literal` is found first; to the end if it is nowhere.
fn find(at: &mut Cursor<'_>, literal: &Finder<'_>) -> Result<bool, Unknown> {
    let (bytes, sets) = (ByteSet::of(literal.needle()), sets(literal.needle()));
    loop {
        match at.peek() {
            Next::End => return Ok(false),
            // It neither lies in the run nor begins there.
            Next::Run(run) if run.bytes.is_disjoint(&bytes) => at.pass(),
            Next::Run(run) => return Err(Unknown::Column(run.column)),
            Next::Byte(byte) if byte == literal.needle()[0] && at.is_sequence(&sets)? => return Ok(true),
            Next::Byte(_) => at.pass(),
        }
    }
}

fn sets(literal: &[u8]) -> Vec<ByteSet> {
    literal.iter().map(|byte| ByteSet::of(&[*byte])).collect()
}

/// Passes over a literal that is next.
fn pass_literal(at: &mut Cursor<'_>, length: usize) -> Result<(), Unknown> {
    for _ in 0..length {
        if let Next::Run(run) = at.peek() {
            return Err(Unknown::Column(run.column));
        }
        at.pass();
    }
    Ok(())
}
