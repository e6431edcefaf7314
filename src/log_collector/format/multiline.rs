//! Lines that belong together become one entry: stack traces and indented continuations (`--multiline auto`).
//!
//! Whether a line continues the one above it is decided from the two lines and no more, so that an entry which is read
//! again from one of its later lines ends where it ended before. That is what keeps delivery exactly-once: reading
//! resumes where the oldest entry begins that has not ended, and entries of the other channel that had begun before and
//! have ended since are cut short but end at the same line, so that they are recognised as delivered. For the same reason
//! whatever is no property of the lines (limits, time) ends all entries at once.
//!
//! Memory: at most [`LINE_BYTES_MAX`] for each channel.

use memchr::{memchr, memmem};

use super::{Channel, Decoded, LINE_BYTES_MAX};
use crate::model::Timestamp;

/// Most lines of one entry: a little more than the deepest trace that Java prints.
pub(in crate::log_collector) const ENTRY_LINES_MAX: usize = 1100;
/// How far into a line the name of an exception or a word such as `error` is looked for, in bytes.
const WINDOW_BYTES: usize = 256;

/// The entries of one file whose last line may not have come yet.
#[derive(Debug, Default)]
pub(in crate::log_collector) struct Multiline {
    /// In the order they were begun; at most one for each channel.
    pending: Vec<Pending>,
}

#[derive(Debug)]
struct Pending {
    channel: Channel,
    timestamp: Timestamp,
    /// Where the first line stands in the file.
    offset: u64,
    text: Vec<u8>,
    /// Those of the first line.
    attributes: Vec<u8>,
    line_count: usize,
    last: Kind,
}

/// What a line says of the one below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing.
    Normal,
    /// Tells of a failure, whose trace may follow.
    Failure,
    /// Names an exception.
    Exception,
    /// Indented, as frames are.
    Indented,
    /// Indented, as Python's frames and the source in them are: the exception's name follows without indentation.
    Source,
    /// Go's `panic:`, `goroutine 1 [running]:`, `[signal …]`, or a frame's place.
    Go,
    /// Go's function of a frame.
    GoFunction,
    /// Rust's `thread 'main' panicked at …:`, whose message follows without indentation.
    RustPanic,
    /// Node's `    ^`, under the place of an uncaught exception.
    Caret,
    /// Empty.
    Gap,
    /// Empty, below [`Kind::Caret`].
    CaretGap,
    /// What introduces another trace or ends one.
    Joint,
}

impl Multiline {
    /// Takes the next line, which stands at `offset` of the file, and hands over the entries that have ended with it.
    pub(in crate::log_collector) fn add(
        &mut self,
        line: &Decoded<'_>,
        offset: u64,
        mut ended: impl FnMut(&Decoded<'_>),
    ) {
        if line.is_joined {
            // Runtimes split lines that no trace has. Where its first part is does not matter then.
            self.end_all(&mut ended);
            return ended(line);
        }
        let index = self.pending.iter().position(|pending| pending.channel == line.channel);
        if let Some(pending) = index.map(|index| &mut self.pending[index])
            && let Some(kind) = continued(pending.last, line.line)
        {
            if pending.text.len() + line.line.len() < LINE_BYTES_MAX && pending.line_count < ENTRY_LINES_MAX {
                pending.text.push(b'\n');
                pending.text.extend_from_slice(line.line);
                pending.line_count += 1;
                pending.last = kind;
                return;
            }
            self.end_all(&mut ended);
        } else if let Some(index) = index {
            ended(&self.pending.remove(index).as_decoded());
        }
        self.pending.push(Pending {
            channel: line.channel,
            timestamp: line.timestamp,
            offset,
            text: line.line.to_vec(),
            attributes: line.attributes.to_vec(),
            line_count: 1,
            last: first_kind(line.line),
        });
    }

    /// Hands over all entries, whether they have ended or not: their next line takes too long, or will never come.
    pub(in crate::log_collector) fn end_all(&mut self, mut ended: impl FnMut(&Decoded<'_>)) {
        for pending in self.pending.drain(..) {
            ended(&pending.as_decoded());
        }
    }

    /// Where the oldest entry begins that has not ended.
    pub(in crate::log_collector) fn pending_from(&self) -> Option<u64> {
        self.pending.iter().map(|pending| pending.offset).min()
    }
}

impl Pending {
    fn as_decoded(&self) -> Decoded<'_> {
        Decoded { attributes: &self.attributes, ..Decoded::new(self.channel, self.timestamp, &self.text) }
    }
}

/// What `line` is below a line of the kind `above`, if it continues that one.
///
/// Never more than what [`first_kind`] says of the line above continues: see the module's documentation.
fn continued(above: Kind, line: &[u8]) -> Option<Kind> {
    use Kind::{Caret, CaretGap, Failure, Gap, Go, GoFunction, Indented, Joint, Normal, RustPanic, Source};
    let kind = first_kind(line);
    let text = line.trim_ascii();
    match kind {
        Gap => match above {
            Normal | Failure | RustPanic => None,
            Caret => Some(CaretGap),
            _ => Some(Gap),
        },
        Joint if text.starts_with(PYTHON_TRACE) => {
            matches!(above, Failure | GoFunction | Gap | CaretGap | Joint).then_some(kind)
        }
        Indented | Source | Caret | Joint => Some(kind),
        // A frame's place is indented.
        Go if line[0] == b'\t' => Some(kind),
        Go => matches!(above, Go | GoFunction | Failure | Gap | CaretGap | Joint).then_some(kind),
        RustPanic => None,
        _ if above == RustPanic => Some(kind),
        _ if above == Go && is_go_function(text) => Some(GoFunction),
        _ if above == Go && text.starts_with(b"exit status ") => Some(Joint),
        _ if matches!(above, Indented | Source) && text.iter().all(|byte| b"}]),;".contains(byte)) => Some(Joint),
        Kind::Exception => matches!(above, Failure | GoFunction | Source | Caret | CaretGap).then_some(kind),
        _ => None,
    }
}

/// What a line is that begins an entry.
fn first_kind(line: &[u8]) -> Kind {
    let text = line.trim_ascii();
    if text.is_empty() {
        Kind::Gap
    } else if line[0] == b' ' || line[0] == b'\t' {
        indented_kind(line, text)
    } else if is_go(text) {
        Kind::Go
    } else if text.starts_with(b"thread '") && memmem::find(window(text), b"panicked at ").is_some() {
        Kind::RustPanic
    } else if text.starts_with(PYTHON_TRACE) || JOINTS.iter().any(|joint| text.starts_with(joint)) {
        Kind::Joint
    } else if is_exception(text) {
        Kind::Exception
    } else if tells_of_failure(text) {
        Kind::Failure
    } else {
        Kind::Normal
    }
}

const PYTHON_TRACE: &[u8] = b"Traceback (most recent call last)";

/// How lines begin that stand in traces without indentation, whatever is above them.
const JOINTS: [&[u8]; 9] = [
    b"Caused by:",
    b"Suppressed: ",
    b"--- End of ",
    b"During handling of the above exception",
    b"The above exception was the direct cause",
    b"stack backtrace:",
    b"Stack backtrace:",
    b"note: run with `RUST_BACKTRACE=",
    b"note: Some details are omitted",
];

fn indented_kind(line: &[u8], text: &[u8]) -> Kind {
    if line[0] == b'\t' && memmem::find(window(text), b".go:").is_some() {
        Kind::Go
    } else if text.iter().all(|byte| *byte == b'^') {
        Kind::Caret
    } else if line[0] == b' ' && !text.starts_with(b"at ") {
        Kind::Source
    } else {
        Kind::Indented
    }
}

fn is_go(text: &[u8]) -> bool {
    [&b"goroutine "[..], b"panic: ", b"fatal error: ", b"[signal ", b"created by "]
        .iter()
        .any(|start| text.starts_with(start))
}

/// `main.main()`, `net/http.(*conn).serve(0xc000, {0x1, 0x2})`.
fn is_go_function(text: &[u8]) -> bool {
    text.ends_with(b")") && memchr(b'(', text).is_some_and(|at| memchr(b'.', &text[..at]).is_some())
        || memmem::find(text, b"...additional frames elided...").is_some()
}

/// `ValueError: x`, `java.lang.IllegalStateException`, `app.Problem: x`: a name, and after it a colon or nothing.
fn is_exception(text: &[u8]) -> bool {
    const SUFFIXES: [&[u8]; 8] =
        [b"Error", b"Exception", b"Throwable", b"Interrupt", b"Exit", b"Iteration", b"Warning", b"Failure"];
    let text = window(text);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$');
    let (name, rest) = text.split_at(text.iter().take_while(|byte| is_name(byte)).count());
    // Node says a code: `TypeError [ERR_INVALID_ARG_TYPE]: x`.
    if !(rest.is_empty() || rest.starts_with(b": ") || rest == b":" || rest.starts_with(b" [ERR_")) {
        return false;
    }
    let last = name.rsplit(|byte| matches!(byte, b'.' | b'$')).next().unwrap_or_default();
    let is_type = last.first().is_some_and(u8::is_ascii_uppercase);
    is_type && (SUFFIXES.iter().any(|suffix| last.ends_with(suffix)) || !rest.is_empty() && last.len() < name.len())
}

/// Whether a line has a word that stands above traces.
fn tells_of_failure(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 7] = [b"error", b"warn", b"fatal", b"severe", b"critical", b"exception", b"fail"];
    let text = window(text).to_ascii_lowercase();
    WORDS.iter().any(|word| memmem::find(&text, word).is_some())
}

fn window(text: &[u8]) -> &[u8] {
    &text[..text.len().min(WINDOW_BYTES)]
}
