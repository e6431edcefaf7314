//! Regular expressions as queries write them: the syntax of Go's RE2, run by the `regex` crate.
//!
//! The two differ in details that users meet: `\d`, `\w`, `\s`, `\b` and `\B` are ASCII in Go, a brace that is no repetition is
//! a brace, and `[`, `&&` or `--` inside a class have no meaning of their own. Here an expression is rewritten from the
//! one syntax into the other. Matching takes time linear in the text with both.
//!
//! Deliberately laxer than Go: `a**` is accepted.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

use crate::logql::Error;
use crate::model::LinePattern;

/// Most bytes that one compiled expression may take, and its cache as much again: what a `(?i)` of a few dozen
/// words needs many times over, and little enough for dozens of queries at once.
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// How deep groups may nest.
const DEPTH_MAX: u32 = 100;
/// Most repetitions that braces may ask for; Go's limit.
const REPEAT_MAX: u32 = 1000;

/// Compiles an expression that is searched for anywhere in a line.
///
/// # Errors
///
/// [`Error::Stage`] if `text` is no expression of RE2, or too large.
pub fn for_lines(text: &str) -> Result<regex::bytes::Regex, Error> {
    let translated = translate(text).map_err(|reason| refusal(&reason, text))?;
    regex::bytes::RegexBuilder::new(&translated)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(COMPILED_BYTES_MAX)
        .nest_limit(DEPTH_MAX)
        .build()
        .map_err(|error| refusal(&reason_of(&error), text))
}

/// The expression that is found in a line where one of `texts` is, in the database's terms.
///
/// # Errors
///
/// [`Error::Stage`] if one of them is no expression of RE2, or too large.
pub fn any_in_lines(texts: &[&str]) -> Result<LinePattern, Error> {
    let mut alternatives = Vec::with_capacity(texts.len());
    for text in texts {
        // Each is held to the limit; all of them together are below the pattern's own.
        for_lines(text)?;
        let translated = translate(text).map_err(|reason| refusal(&reason, text))?;
        alternatives.push(format!("(?:{translated})"));
    }
    let all = alternatives.join("|");
    LinePattern::new(&all).map_err(|error| refusal(&reason_of(&error), &texts.join(" or ")))
}

/// The text that the expression is found by, if it is no more than a text.
pub fn as_text(expression: &str) -> Option<&str> {
    (!expression.contains(|c| r"\.+*?()|[]{}^$".contains(c))).then_some(expression)
}

/// Compiles an expression that has to match the whole of a label's value.
///
/// # Errors
///
/// [`Error::Stage`] if `text` is no expression of RE2, or too large.
pub fn for_labels(text: &str) -> Result<regex::Regex, Error> {
    let translated = translate(text).map_err(|reason| refusal(&reason, text))?;
    regex::RegexBuilder::new(&format!("^(?s:{translated})$"))
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(COMPILED_BYTES_MAX)
        .nest_limit(DEPTH_MAX)
        .build()
        .map_err(|error| refusal(&reason_of(&error), text))
}

fn refusal(reason: &str, text: &str) -> Error {
    Error::stage(format!("error parsing regexp: {reason}: `{text}`"))
}

/// The essence of the error, without the drawing of where it is.
fn reason_of(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => format!("expression needs more than {COMPILED_BYTES_MAX} bytes"),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        }
    }
}

/// Rewrites an expression from Go's syntax into that of the `regex` crate.
///
/// What is wrong in both is left for the compiler to find.
fn translate(text: &str) -> Result<String, String> {
    let mut translation = Translation { rest: text.chars().peekable(), out: String::with_capacity(text.len() + 16) };
    while let Some(c) = translation.rest.next() {
        match c {
            '\\' => translation.escape()?,
            '[' => translation.class()?,
            '(' => translation.group()?,
            '{' => translation.brace()?,
            '}' | ']' => translation.literal(c),
            _ => translation.out.push(c),
        }
    }
    Ok(translation.out)
}

struct Translation<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
}

impl Translation<'_> {
    /// Writes a character that stands for itself.
    fn literal(&mut self, c: char) {
        if r"\.+*?()|[]{}^$#&-~".contains(c) {
            self.out.push('\\');
        }
        self.out.push(c);
    }

    /// An escape outside of a class.
    fn escape(&mut self) -> Result<(), String> {
        match self.rest.peek() {
            Some(&c @ ('b' | 'B')) => write!(self.out, r"(?-u:\{c})").expect("writing to a string cannot fail"),
            Some(&c @ ('A' | 'z')) => self.out.extend(['\\', c]),
            Some('C') => self.out.push_str("(?s:.)"),
            Some('Q') => {
                self.rest.next();
                self.verbatim();
                return Ok(());
            }
            _ => {
                if let Some(class) = self.perl_class() {
                    self.out.push_str(&class);
                    return Ok(());
                }
                return self.character_escape();
            }
        }
        self.rest.next();
        Ok(())
    }

    /// `\d` and its like as a class of ASCII characters, taken if it is one.
    fn perl_class(&mut self) -> Option<String> {
        let letter = *self.rest.peek()?;
        let members = match letter.to_ascii_lowercase() {
            'd' => "0-9",
            'w' => "0-9A-Za-z_",
            's' => r"\t\n\f\r ",
            _ => return None,
        };
        self.rest.next();
        let negation = if letter.is_ascii_uppercase() { "^" } else { "" };
        Some(format!("[{negation}{members}]"))
    }

    /// The rest of `\Q…\E`.
    fn verbatim(&mut self) {
        while let Some(c) = self.rest.next() {
            if c == '\\' && self.rest.next_if_eq(&'E').is_some() {
                return;
            }
            self.literal(c);
        }
    }

    /// An escape that stands for one character or for a class of Unicode, after its backslash.
    fn character_escape(&mut self) -> Result<(), String> {
        let Some(c) = self.rest.next() else { return Err("trailing backslash at end of expression".to_owned()) };
        match c {
            'a' | 'f' | 't' | 'n' | 'r' | 'v' => self.out.extend(['\\', c]),
            'x' | 'p' | 'P' => {
                self.out.extend(['\\', c]);
                if self.rest.peek() == Some(&'{') {
                    self.copy_through(&['}']);
                }
            }
            '0'..='7' => {
                let is_octal = c == '0' || matches!(self.rest.peek(), Some('0'..='7'));
                let Some(first) = c.to_digit(8).filter(|_| is_octal) else {
                    return Err(format!("invalid escape sequence: `\\{c}`"));
                };
                let mut value = first;
                for _ in 0..2 {
                    let Some(digit) = self.rest.peek().and_then(|c| c.to_digit(8)) else { break };
                    value = value * 8 + digit;
                    self.rest.next();
                }
                write!(self.out, "\\x{{{value:x}}}").expect("writing to a string cannot fail");
            }
            _ if c.is_ascii() && !c.is_ascii_alphanumeric() => self.literal(c),
            _ => return Err(format!("invalid escape sequence: `\\{c}`")),
        }
        Ok(())
    }

    /// Copies up to and including one of `ends`.
    fn copy_through(&mut self, ends: &[char]) {
        for c in self.rest.by_ref() {
            self.out.push(c);
            if ends.contains(&c) {
                return;
            }
        }
    }

    /// A class, after its opening bracket.
    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut is_first = true;
        while let Some(c) = self.rest.next() {
            match c {
                ']' if !is_first => {
                    self.out.push(']');
                    return Ok(());
                }
                '[' if self.rest.peek() == Some(&':') => self.named_class(),
                _ => self.class_member(c)?,
            }
            is_first = false;
        }
        Err("missing closing ]".to_owned())
    }

    /// `[:alpha:]`, or else a bracket.
    fn named_class(&mut self) {
        let mut ahead = self.rest.clone();
        ahead.next();
        let name: String = ahead.by_ref().take_while(|c| *c != ':').collect();
        if ahead.next() == Some(']') && name.trim_start_matches('^').chars().all(|c| c.is_ascii_lowercase()) {
            write!(self.out, "[:{name}:]").expect("writing to a string cannot fail");
            self.rest = ahead;
        } else {
            self.literal('[');
        }
    }

    /// A character, an escape or a range of characters in a class.
    fn class_member(&mut self, first: char) -> Result<(), String> {
        if first == '\\' {
            if let Some(class) = self.perl_class() {
                self.out.push_str(&class);
                return Ok(());
            }
            self.character_escape()?;
        } else {
            self.literal(first);
        }
        let mut ahead = self.rest.clone();
        if ahead.next() == Some('-') && ahead.peek().is_some_and(|c| *c != ']') {
            self.rest = ahead;
            self.out.push('-');
            match self.rest.next() {
                Some('\\') => self.character_escape()?,
                Some(last) => self.literal(last),
                None => {}
            }
        }
        Ok(())
    }

    /// A group, after its opening parenthesis: of what comes after `(?` only what Go knows.
    fn group(&mut self) -> Result<(), String> {
        self.out.push('(');
        if self.rest.next_if_eq(&'?').is_none() {
            return Ok(());
        }
        self.out.push('?');
        let mut ahead = self.rest.clone();
        let is_name = match ahead.next() {
            Some('P') => ahead.next() == Some('<'),
            Some('<') => !matches!(ahead.next(), Some('=' | '!')),
            _ => false,
        };
        if is_name {
            self.copy_through(&['>']);
            return Ok(());
        }
        let flags: String = self.rest.clone().take_while(|c| !matches!(c, ')' | ':')).collect();
        if !flags.chars().all(|c| "imsU-".contains(c)) {
            let shown: String = flags.chars().take(2).collect();
            return Err(format!("invalid or unsupported Perl syntax: `(?{shown}`"));
        }
        self.copy_through(&[')', ':']);
        Ok(())
    }

    /// An opening brace: the beginning of a repetition, or a brace.
    fn brace(&mut self) -> Result<(), String> {
        let mut ahead = self.rest.clone();
        let inside: String = ahead.by_ref().take_while(|c| *c != '}').take(32).collect();
        let (least, most) = inside.split_once(',').unwrap_or((&inside, ""));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_closed = self.rest.clone().nth(inside.len()) == Some('}');
        if !is_closed || !is_number(least) || !(most.is_empty() || is_number(most)) {
            self.literal('{');
            return Ok(());
        }
        let is_too_many = |text: &str| !text.is_empty() && !text.parse::<u32>().is_ok_and(|count| count <= REPEAT_MAX);
        if is_too_many(least) || is_too_many(most) {
            return Err(format!("invalid repeat count: `{{{inside}}}`"));
        }
        write!(self.out, "{{{inside}}}").expect("writing to a string cannot fail");
        self.rest = ahead;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `text`, anywhere in the line, is found in each of `lines`.
    #[track_caller]
    fn check(text: &str, found: &[&str], not_found: &[&str]) {
        let regex = for_lines(text).unwrap();
        for line in found {
            assert!(regex.is_match(line.as_bytes()), "{text} in {line}");
        }
        for line in not_found {
            assert!(!regex.is_match(line.as_bytes()), "{text} not in {line}");
        }
    }

    #[track_caller]
    fn check_refused(text: &str, expected: &str) {
        assert_eq!(for_lines(text).unwrap_err().to_string(), expected);
    }

    #[test]
    fn classes_of_one_letter_are_ascii() {
        check(r"^\d\D$", &["1a", "1٣"], &["٣a"]);
        check(r"^\w\W$", &["a-", "aä"], &["ä-"]);
        check(r"^[\w-]+$", &["a-_9"], &["ä"]);
        check(r"^[^\s]$", &["a", "\u{a0}"], &[" ", "\t"]);
        check(r"\bend\b", &["the end", "äend"], &["bend"]);
        check(r"\Bin", &["sin"], &["in", "ſin"]);
        check(r"^in\B.$", &["ins"], &["inä", "in-"]);
        let label = for_labels(r".*\Bin").unwrap();
        assert_eq!(["sin", "ſin"].map(|value| label.is_match(value)), [true, false]);
        let pattern = any_in_lines(&[r"\Bin"]).unwrap();
        assert_eq!(
            ["sin", "ſin"].map(|line| crate::model::LineFilter::Matches(pattern.clone()).accepts(line.as_bytes())),
            [true, false]
        );
        check(r"(?i)ÄRGER", &["ärger"], &[]);
    }

    #[test]
    fn a_brace_that_repeats_nothing_is_a_brace() {
        check(r#"{"level":"error"}"#, &[r#"x {"level":"error"}"#], &[]);
        check(r"a{,3}", &["a{,3}"], &["aaa"]);
        check(r"^a{2,3}$", &["aa", "aaa"], &["a"]);
        check(r"]x}", &["]x}"], &[]);
    }

    #[test]
    fn classes_have_no_operators() {
        check(r"^[a&&b]+$", &["a&b"], &["c"]);
        check(r"^[[x]+$", &["[x"], &["a"]);
        check(r"^[]a-]+$", &["]a-"], &["b"]);
        check(r"^[a-c~~]+$", &["b~"], &["d"]);
        check(r"^[[:alpha:]_]+$", &["a_"], &["1"]);
        check(r"^[\]\-\x41-\x43]+$", &["]-B"], &["\\"]);
    }

    #[test]
    fn escapes_are_those_of_go() {
        check(r"^\Qa.b*\E+$", &["a.b*", "a.b**"], &["aXb*"]);
        check(r"^\101\x42\x{43}\_\<$", &["ABC_<"], &[]);
        check(r"^\pL\p{Greek}$", &["aα"], &["1a"]);
        check_refused(r"\q", "error parsing regexp: invalid escape sequence: `\\q`: `\\q`");
        check_refused(r"a\", "error parsing regexp: trailing backslash at end of expression: `a\\`");
        check_refused(r"\1", "error parsing regexp: invalid escape sequence: `\\1`: `\\1`");
    }

    #[test]
    fn groups_are_those_of_go() {
        check(r"^(?P<a>x)(?<b>y)(?:z)(?i:Q)$", &["xyzq"], &["xyzQQ"]);
        check_refused("(?=a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?=a`: `(?=a)`");
        check_refused("(?<!a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?<!`: `(?<!a)`");
        check_refused("(?x)a", "error parsing regexp: invalid or unsupported Perl syntax: `(?x`: `(?x)a`");
        check_refused("(", "error parsing regexp: unclosed group: `(`");
        check_refused("[a", "error parsing regexp: missing closing ]: `[a`");
    }

    #[test]
    fn size_is_limited() {
        check_refused("a{1001}", "error parsing regexp: invalid repeat count: `{1001}`: `a{1001}`");
        let large = r"(\pL{1000}){1000}";
        check_refused(large, &format!("error parsing regexp: expression needs more than 1048576 bytes: `{large}`"));
    }

    #[test]
    fn a_label_has_to_match_whole() {
        let regex = for_labels("a|b.").unwrap();
        assert_eq!(["a", "bx", "b\n", "ab", "xa"].map(|value| regex.is_match(value)), [true, true, true, false, false]);
    }
}
