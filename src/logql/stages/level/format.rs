//! Levels that the format of a line tells, not a word: the priority of syslog, a letter, a mark of Redis, the status of an
//! access log; and words that are a level only where formats put one.

use super::normalised;

/// Longest header of a line, in bytes: the part in front of the message.
pub(in crate::logql::stages) const HEADER_BYTES_MAX: usize = 128;
/// Most bytes in front of the request of an access log.
pub(in crate::logql::stages) const REQUEST_AT_MAX: usize = 256;
/// Longest request of an access log, in bytes: as servers limit it.
pub(in crate::logql::stages) const REQUEST_BYTES_MAX: usize = 16 << 10;
/// Names of levels that are none of Loki's, and what it calls them.
pub(in crate::logql::stages) const OTHER_NAMES: [(&[u8], &str); 15] = [
    (b"notice", "info"),
    (b"note", "info"),
    (b"severe", "error"),
    (b"fine", "debug"),
    (b"finer", "trace"),
    (b"finest", "trace"),
    (b"verbose", "trace"),
    (b"vrb", "trace"),
    (b"crit", "critical"),
    (b"alert", "critical"),
    (b"emerg", "critical"),
    (b"emergency", "critical"),
    (b"panic", "fatal"),
    (b"dpanic", "fatal"),
    (b"ftl", "fatal"),
];
/// Syslog's facilities, as they stand before a dot and a severity.
const FACILITIES: [&[u8]; 12] =
    [b"user", b"daemon", b"kern", b"auth", b"authpriv", b"cron", b"mail", b"syslog", b"lpr", b"news", b"uucp", b"ftp"];
/// Bytes that may stand before a level in a header.
pub(in crate::logql::stages) const BEFORE: &[u8] = b" \t[(:|*,=\"'./";

/// The level that `name` stands for in a field or a header, in whatever case.
pub(in crate::logql::stages) fn named(name: &[u8]) -> Option<&'static str> {
    /// Longer than any name.
    const NAME_BYTES_MAX: usize = 12;
    if NAME_BYTES_MAX < name.len() {
        return None;
    }
    let other = || OTHER_NAMES.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, level)| *level);
    normalised(name).or_else(other)
}

/// The level that a letter stands for, as glog, Android and others write it.
pub(super) fn lettered(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'V' | b'T' => "trace",
        b'D' => "debug",
        b'I' => "info",
        b'W' => "warn",
        b'E' => "error",
        b'C' => "critical",
        b'F' => "fatal",
        _ => return None,
    })
}

/// The level that a number stands for in a field: a severity of syslog, or a level of pino and bunyan.
pub(in crate::logql::stages) fn numbered(number: &[u8]) -> Option<&'static str> {
    match number {
        [digit @ b'0'..=b'7'] => Some(severity(digit - b'0')),
        b"10" => Some("trace"),
        b"20" => Some("debug"),
        b"30" => Some("info"),
        b"40" => Some("warn"),
        b"50" => Some("error"),
        b"60" => Some("fatal"),
        _ => None,
    }
}

/// The level of a severity of syslog: the last three bits count.
fn severity(number: u8) -> &'static str {
    match number & 7 {
        0..=2 => "critical",
        3 => "error",
        4 => "warn",
        5 | 6 => "info",
        _ => "debug",
    }
}

/// The level that the format of `line` tells by other means than a word.
pub(super) fn marked(line: &[u8]) -> Option<&'static str> {
    marked_at_start(line).or_else(|| after_time(line)).or_else(|| of_request(line))
}

/// The level that a mark at the very start of `line` tells.
pub(in crate::logql::stages) fn marked_at_start(line: &[u8]) -> Option<&'static str> {
    match *line {
        [b'<', ref rest @ ..] => priority(rest),
        [letter, b'/', ref rest @ ..] => has_process(rest).then(|| lettered(letter)).flatten(),
        [letter, b',', b' ', b'[', b'0'..=b'9', ..] | [b'[', letter, b' ', b'0'..=b'9', ..] => lettered(letter),
        [letter @ b'A'..=b'Z', b'0'..=b'9', ref rest @ ..] => is_glog(rest).then(|| lettered(letter)).flatten(),
        _ => None,
    }
}

/// `165>`: facility and severity of syslog.
fn priority(text: &[u8]) -> Option<&'static str> {
    let digit_count = text.iter().take("191>".len()).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(digit_count);
    let number = digits.iter().fold(0_u16, |number, digit| 10 * number + u16::from(digit - b'0'));
    let is_priority = (1..=3).contains(&digit_count) && number <= 191 && rest.starts_with(b">");
    is_priority.then(|| severity((number & 7) as u8))
}

/// Tells if a tag and a process follow, as in Android's `Tag( 77): …`.
fn has_process(text: &[u8]) -> bool {
    const TAG_BYTES_MAX: usize = 64;
    let Some(open) = memchr::memchr(b'(', &text[..text.len().min(TAG_BYTES_MAX)]) else { return false };
    let process = text[open + 1..].trim_ascii_start();
    let digit_count = process.iter().take_while(|byte| byte.is_ascii_digit()).count();
    0 < digit_count && process[digit_count..].starts_with(b")")
}

/// Tells if the rest of a date and a time follow, as in glog's `1130 11:22:33`, of which one digit is read.
fn is_glog(text: &[u8]) -> bool {
    let digit_count = text.iter().take(8).take_while(|byte| byte.is_ascii_digit()).count();
    matches!(digit_count, 3 | 5 | 7) && matches!(text[digit_count..], [b' ', _, _, b':', ..])
}

/// The level that a letter or a mark right behind the time tells.
fn after_time(line: &[u8]) -> Option<&'static str> {
    let (before, after) = split_time(line)?;
    match *after {
        [b' ', mark @ (b'.' | b'-' | b'*' | b'#'), b' ', ..] if is_redis(before) => Some(match mark {
            b'.' => "debug",
            b'#' => "warn",
            _ => "info",
        }),
        [b' ', letter, b' ', b'A'..=b'Z', b'A'..=b'Z', ..]
        | [b' ', letter, b' ', b'-' | b'|', b' ', ..]
        | [b' ', letter, b'/', ..] => lettered(letter),
        [b' ', ref rest @ ..] => logcat(rest),
        _ => None,
    }
}

/// Splits `line` around the first time of day in its header, zone included.
fn split_time(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let header = &line[..line.len().min(HEADER_BYTES_MAX)];
    let is_time = |colon: &usize| {
        let digits = |text: Option<&[u8]>| text.is_some_and(|text| text.iter().all(u8::is_ascii_digit));
        2 <= *colon
            && digits(header.get(colon - 2..*colon))
            && header.get(colon + 3) == Some(&b':')
            && digits(header.get(colon + 1..colon + 3))
            && header.get(colon + 4).is_some_and(u8::is_ascii_digit)
    };
    let colon = memchr::memchr_iter(b':', header).find(is_time)?;
    let after = line.get(colon + ":22:33".len()..)?;
    let is_part = |byte: &u8| byte.is_ascii_digit() || b".,:+Z".contains(byte);
    let part_count = after.iter().take_while(|byte| is_part(byte)).count();
    Some((&line[..colon - 2], &after[part_count..]))
}

/// `77:M `, `[77] `, and a date.
fn is_redis(before: &[u8]) -> bool {
    let text = before.strip_prefix(b"[").unwrap_or(before);
    let digit_count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    0 < digit_count && matches!(text[digit_count..], [b':', b'A'..=b'Z', b' ', ..] | [b']', b' ', ..])
}

/// ` 1000  1017 E `: process, thread and letter.
fn logcat(text: &[u8]) -> Option<&'static str> {
    let mut rest = text;
    for _ in 0..2 {
        rest = rest.trim_ascii_start();
        let digit_count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digit_count == 0 {
            return None;
        }
        rest = &rest[digit_count..];
    }
    match *rest {
        [b' ', letter, b' ', ..] => lettered(letter),
        _ => None,
    }
}

/// The level that the status of an access log tells, behind its request: `"GET / HTTP/1.1" 200`.
fn of_request(line: &[u8]) -> Option<&'static str> {
    let open = memchr::memchr(b'"', &line[..line.len().min(REQUEST_AT_MAX)])?;
    let (before, rest) = (&line[..open], &line[open + 1..]);
    if !rest.first().is_some_and(|byte| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'\\')) {
        return None;
    }
    let close = memchr::memchr(b'"', &rest[..rest.len().min(REQUEST_BYTES_MAX)])?;
    let request = &rest[..close];
    let version = request.iter().rposition(|byte| *byte == b' ').map_or(&b""[..], |blank| &request[blank + 1..]);
    if !version.starts_with(b"HTTP/") && !before.ends_with(b"] ") {
        return None;
    }
    let &[b' ', class @ b'1'..=b'5', b'0'..=b'9', b'0'..=b'9', ref rest @ ..] = &rest[close + 1..] else { return None };
    let level = match class {
        b'5' => "error",
        b'4' => "warn",
        _ => "info",
    };
    rest.first().is_none_or(|byte| *byte == b' ').then_some(level)
}

/// The level that stands in the header of `line`, before byte `end`: in brackets (`[core:error]`,
/// `[11:22:33 INF]`), in capitals, or after a facility of syslog (`user.warn`).
pub(super) fn in_header(line: &[u8], end: usize) -> Option<&'static str> {
    let header = &line[..line.len().min(HEADER_BYTES_MAX)];
    let mut at = 0;
    while at < header.len().min(end) {
        let word_bytes = header[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        if word_bytes == 0 {
            at += 1;
            continue;
        }
        let (before, word, after) = (&header[..at], &header[at..at + word_bytes], &line[at + word_bytes..]);
        if may_name(word, before, after)
            && let Some(level) = named(word)
        {
            return Some(level);
        }
        at += word_bytes;
    }
    None
}

/// Tells if `word` is where a level stands, between `before` and `after`.
pub(in crate::logql::stages) fn may_name(word: &[u8], before: &[u8], after: &[u8]) -> bool {
    if word.len() < 3 || !before.last().is_none_or(|byte| BEFORE.contains(byte)) {
        return false;
    }
    let is_after_dot = before.last() == Some(&b'.');
    match after.first() {
        Some(b']') if !is_after_dot => true,
        Some(b' ') if is_after_dot => is_facility(&before[..before.len() - 1]),
        None | Some(b' ' | b'\t' | b':' | b'|' | b'*' | b',' | b')' | b'"' | b'/') => {
            // Nagios calls its records alerts.
            let is_capital = word.iter().all(u8::is_ascii_uppercase) && word != b"ALERT";
            is_capital && !is_after_dot && before.last() != Some(&b'/')
        }
        _ => false,
    }
}

/// Tells if `text` ends with a facility of syslog.
fn is_facility(text: &[u8]) -> bool {
    let word_bytes = text.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let word = &text[text.len() - word_bytes..];
    FACILITIES.contains(&word) || matches!(word, [b'l', b'o', b'c', b'a', b'l', b'0'..=b'7'])
}
