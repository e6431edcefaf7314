//! `| decolorize`: takes the escape sequences of terminals (ECMA-48) out of the line.

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// Appends `line` without its escape sequences to `out`. One that is cut off goes up to the end of the line.
pub(super) fn decolorize(line: &[u8], out: &mut Vec<u8>) {
    let mut rest = line;
    while let Some(index) = memchr::memchr(ESCAPE, rest) {
        out.extend_from_slice(&rest[..index]);
        rest = after_sequence(&rest[index + 1..]);
    }
    out.extend_from_slice(rest);
}

/// What follows the sequence that `text` continues, from behind its escape character.
fn after_sequence(text: &[u8]) -> &[u8] {
    let Some((&kind, rest)) = text.split_first() else { return text };
    let end = match kind {
        // A control sequence, as those for colours are: parameters up to a letter or the like.
        b'[' => rest.iter().position(|byte| matches!(byte, 0x40..=0x7e)).map(|index| index + 1),
        // A command for the operating system, such as a window's title: up to a bell or an escape and a backslash.
        b']' => match memchr::memchr2(BELL, ESCAPE, rest) {
            Some(index) if rest[index] == BELL => Some(index + 1),
            Some(index) => Some((index + 2).min(rest.len())),
            None => None,
        },
        0x40..=0x5f => Some(0),
        _ => return text,
    };
    &rest[end.unwrap_or(rest.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &[u8], expected: &[u8]) {
        let mut out = Vec::new();
        decolorize(line, &mut out);
        assert_eq!(out, expected);
    }

    #[test]
    fn escape_sequences_are_taken_out() {
        check(b"\x1b[0;32mgreen\x1b[0m \x1b[1mbold\x1b[22m", b"green bold");
        check(b"\x1b]0;title\x07a\x1b]8;;x\x1b\\b\x1bMc", b"abc");
        check(b"plain \xff", b"plain \xff");
    }

    #[test]
    fn what_is_cut_off_or_no_sequence_does_no_harm() {
        check(b"a\x1b[31", b"a");
        check(b"a\x1b", b"a");
        check(b"a\x1b]x\x1b", b"a");
        check(b"a\x1b b", b"a b");
    }
}
