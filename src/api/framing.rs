//! Where requests begin and end in what a client sends, as RFC 9112 has it and nobody else reads it.
//!
//! hyper takes a line feed alone for the end of a line, and a `Content-Length` that is there twice for one. A server in
//! front of this one may read either in another way, and then the two disagree on where a request ends, so that a part of
//! one is taken for another. Heads are followed here before hyper sees them; in the place of what can be read in two ways
//! hyper is given a byte that it refuses, and answers with 400.

use std::mem;

/// A byte that no head may have.
const REFUSED: u8 = 0;
/// Longest beginning of a header line that is kept, in bytes: the name of a length, and the length.
const LINE_BYTES_MAX: usize = 64;

/// Follows what a client sends.
#[derive(Debug, Default)]
pub(super) struct Framing(At);

#[derive(Debug)]
enum At {
    Head(Head),
    /// So many bytes of a body are left.
    Body(u64),
    /// What comes is no request: it was refused, or may be of another protocol.
    Unknown,
}

impl Default for At {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

/// A head, as far as it has come.
#[derive(Debug)]
struct Head {
    line: [u8; LINE_BYTES_MAX],
    /// The length of the line so far, in bytes; it may be longer than what is kept of it.
    line_bytes: usize,
    is_after_return: bool,
    has_request_line: bool,
    length: Option<u64>,
    /// Whether another protocol may follow, or a body without a length.
    is_unknown_after: bool,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            line: [0; LINE_BYTES_MAX],
            line_bytes: 0,
            is_after_return: false,
            has_request_line: false,
            length: None,
            is_unknown_after: false,
        }
    }
}

impl Framing {
    /// Looks at what has come, and makes unreadable what could be read in two ways; whether it did.
    pub(super) fn follow(&mut self, mut bytes: &mut [u8]) -> bool {
        while !bytes.is_empty() {
            match &mut self.0 {
                At::Unknown => return false,
                At::Body(left) => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= count as u64;
                    if *left == 0 {
                        self.0 = At::default();
                    }
                    bytes = &mut bytes[count..];
                }
                At::Head(head) => {
                    let Some(end) = head.follow(bytes) else { return false };
                    match end {
                        Ok(count) => {
                            let head = mem::take(head);
                            self.0 = if head.is_unknown_after {
                                At::Unknown
                            } else {
                                head.length.filter(|length| 0 < *length).map_or_else(At::default, At::Body)
                            };
                            bytes = &mut bytes[count..];
                        }
                        Err(wrong) => {
                            bytes[wrong] = REFUSED;
                            self.0 = At::Unknown;
                            return true;
                        }
                    }
                }
            }
        }
        false
    }

    /// A request begins: what came before has been answered.
    pub(super) fn begin(&mut self) {
        if matches!(self.0, At::Unknown) {
            self.0 = At::default();
        }
    }
}

impl Head {
    /// Where the head ends, after so many bytes; or the place of a byte that is not as it has to be.
    fn follow(&mut self, bytes: &[u8]) -> Option<Result<usize, usize>> {
        for (at, byte) in bytes.iter().copied().enumerate() {
            match byte {
                b'\n' if self.is_after_return => {
                    self.is_after_return = false;
                    // Empty lines before a request are nothing.
                    if self.line_bytes == 0 && self.has_request_line {
                        return Some(Ok(at + 1));
                    }
                    if !self.end_line() {
                        return Some(Err(at));
                    }
                }
                b'\n' => return Some(Err(at)),
                _ if self.is_after_return => return Some(Err(at)),
                b'\r' => self.is_after_return = true,
                _ => {
                    if let Some(place) = self.line.get_mut(self.line_bytes) {
                        *place = byte;
                    }
                    self.line_bytes += 1;
                }
            }
        }
        None
    }

    /// Takes the line for what it is; whether it may be there.
    fn end_line(&mut self) -> bool {
        let line = &self.line[..self.line_bytes.min(LINE_BYTES_MAX)];
        let is_whole = line.len() == mem::take(&mut self.line_bytes);
        if line.is_empty() || !mem::replace(&mut self.has_request_line, true) {
            return true;
        }
        let name_end = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(name_end);
        if name.eq_ignore_ascii_case(b"content-length") {
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            let is_number = value.iter().all(u8::is_ascii_digit);
            let length =
                str::from_utf8(value).ok().filter(|_| is_whole && is_number).and_then(|text| text.parse().ok());
            return length.is_some() && mem::replace(&mut self.length, length).is_none();
        }
        self.is_unknown_after |=
            name.eq_ignore_ascii_case(b"upgrade") || name.eq_ignore_ascii_case(b"transfer-encoding");
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What hyper is given of `sent`, in pieces of every size alike.
    #[track_caller]
    fn check(sent: &str, expected: &str) {
        for size in 1..=sent.len() {
            let (mut framing, mut bytes) = (Framing::default(), sent.as_bytes().to_vec());
            let refused = bytes.chunks_mut(size).filter_map(|piece| framing.follow(piece).then_some(())).count();
            assert_eq!(String::from_utf8_lossy(&bytes), expected, "in pieces of {size} bytes");
            assert_eq!(refused, usize::from(sent != expected), "in pieces of {size} bytes");
        }
    }

    #[test]
    fn requests_are_left_as_they_are() {
        for sent in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-LENGTH:  7 \r\n\r\na\nb\r\n\r\nGET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            "GET / HTTP/1.1\r\nUpgrade: x\r\n\r\nanything\nat all",
        ] {
            check(sent, sent);
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_made_unreadable() {
        check("GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\0Host: a\n\n");
        check("GET / HTTP/1.1\r\nHost: a\n\r\n", "GET / HTTP/1.1\r\nHost: a\0\r\n");
        check("GET / HTTP/1.1\r\nHost: a\r\n\n", "GET / HTTP/1.1\r\nHost: a\r\n\0");
        check("GET / HTTP/1.1\r\nX: a\rb\r\n\r\n", "GET / HTTP/1.1\r\nX: a\r\0\r\n\r\n");
        let twice = "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na";
        check(twice, "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\0\r\na");
        let second = "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n\n\nGET / HTTP/1.1\n\n";
        check(second, "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n\n\nGET / HTTP/1.1\0\n");
    }

    #[test]
    fn lengths_that_are_none_are_refused() {
        for length in ["", "x", "-1", "+1", "1, 1", "1 1", "99999999999999999999", &"1".repeat(LINE_BYTES_MAX)] {
            let sent = format!("GET / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
            let mut bytes = sent.into_bytes();
            assert!(Framing::default().follow(&mut bytes), "length: {length:?}");
        }
    }
}
