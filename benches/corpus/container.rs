//! Lines as container runtimes write them to disk.

use jiff::Timestamp;

/// Longest text of one record on disk, in bytes; both runtimes split longer lines into parts.
const PART_BYTES_MAX: usize = 16 * 1024;

/// How lines are written to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// As the program wrote them.
    Plain,
    /// `<RFC 3339> stdout|stderr P|F <text>`, as containerd and CRI-O do; `P` marks all parts of a line but the last.
    Cri,
    /// `{"log":…,"stream":…,"time":…}`, as Docker's json-file driver does; a part has no newline in `log`.
    Docker,
}

impl Format {
    /// Appends a record's lines, each of which ends with a newline, written at `now_ns` since the Unix epoch.
    pub(crate) fn write(self, record: &[u8], now_ns: u64, out: &mut Vec<u8>) {
        if self == Self::Plain {
            out.extend_from_slice(record);
            return;
        }
        let time = format!("{:.9}", Timestamp::from_nanosecond(i128::from(now_ns)).expect("the log spans hours"));
        let stream = if record.windows(5).any(|window| window == b"ERROR") { "stderr" } else { "stdout" };
        for line in record.split_inclusive(|byte| *byte == b'\n') {
            let mut parts = line.chunks(PART_BYTES_MAX).peekable();
            while let Some(part) = parts.next() {
                let is_last = parts.peek().is_none();
                match self {
                    Self::Plain => unreachable!("returned above"),
                    Self::Cri => cri(part, is_last, stream, &time, out),
                    Self::Docker => docker(part, stream, &time, out),
                }
            }
        }
    }
}

fn cri(part: &[u8], is_last: bool, stream: &str, time: &str, out: &mut Vec<u8>) {
    let tag = if is_last { "F" } else { "P" };
    for text in [time, " ", stream, " ", tag, " "] {
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(part.strip_suffix(b"\n").unwrap_or(part));
    out.push(b'\n');
}

fn docker(part: &[u8], stream: &str, time: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"log":""#);
    for &byte in part {
        match byte {
            b'\n' => out.extend_from_slice(br"\n"),
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            // Docker writes these for the sake of HTML.
            b'<' | b'>' | b'&' | ..b' ' => out.extend_from_slice(format!(r"\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    for text in [r#"","stream":""#, stream, r#"","time":""#, time, "\"}\n"] {
        out.extend_from_slice(text.as_bytes());
    }
}
