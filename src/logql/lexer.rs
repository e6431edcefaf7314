//! Splits a query's text into tokens, one at a time.
//!
//! Nothing is split before it is asked for, so a fault in the text is reported only if everything before it is right.

use crate::logql::token::{KEYWORDS, SYMBOLS, Token, is_function};
use crate::logql::{Error, Position, quoted, units};

/// The rest of a query's text. A clone looks ahead.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    rest: &'a str,
    position: Position,
    /// Whether words may have a meaning of their own.
    has_keywords: bool,
}

impl<'a> Lexer<'a> {
    /// At the beginning of `text`.
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, position: Position { line: 1, column: 1 }, has_keywords: true }
    }

    /// The same for a text in which every word is a name.
    pub(super) fn without_keywords(text: &'a str) -> Self {
        Self { has_keywords: false, ..Self::new(text) }
    }

    /// How many bytes of text are left.
    pub(super) fn rest_bytes(&self) -> usize {
        self.rest.len()
    }

    /// The next token and where it starts; [`Token::End`] again and again at the end.
    pub(super) fn next(&mut self) -> Result<(Token, Position), Error> {
        self.skip_blanks();
        let start = self.position;
        let token = self.token().map_err(|message| Error::syntax(start, message))?;
        Ok((token, start))
    }

    fn token(&mut self) -> Result<Token, String> {
        match self.rest.chars().next() {
            None => Ok(Token::End),
            Some('"') => self.quoted(),
            Some('`') => self.raw(),
            Some('[') => self.range(),
            Some(c) if c.is_ascii_alphabetic() || c == '_' => Ok(self.word()),
            Some(c) if c.is_ascii_digit() || (c == '.' && is_digit(self.rest[1..].chars().next())) => Ok(self.number()),
            Some(c) => self.symbol().ok_or_else(|| format!("unexpected character {c:?}")),
        }
    }

    /// Takes the next `bytes` of the text, which end between two characters.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        for c in taken.chars() {
            if c == '\n' {
                self.position = Position { line: self.position.line + 1, column: 1 };
            } else {
                self.position.column += 1;
            }
        }
        taken
    }

    /// Takes what comes before the first character that `ends` it.
    fn take_until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        self.take(self.rest.find(ends).unwrap_or(self.rest.len()))
    }

    /// Skips white space and comments.
    fn skip_blanks(&mut self) {
        loop {
            self.take_until(|c| !matches!(c, ' ' | '\t' | '\r' | '\n'));
            if !self.rest.starts_with('#') {
                return;
            }
            self.take_until(|c| c == '\n');
        }
    }

    fn symbol(&mut self) -> Option<Token> {
        let symbol = SYMBOLS.into_iter().find(|symbol| self.rest.starts_with(symbol))?;
        self.take(symbol.len());
        Some(Token::Symbol(symbol))
    }

    /// A keyword, a function or an identifier.
    fn word(&mut self) -> Token {
        let word = self.take_until(|c| !is_word(c));
        if !self.has_keywords {
            return Token::Identifier(word.to_owned());
        }
        let lower = word.to_ascii_lowercase();
        if let Some(keyword) = KEYWORDS.into_iter().find(|keyword| *keyword == lower) {
            Token::Keyword(keyword)
        } else if is_function(&lower) && self.is_called() {
            Token::Function(lower)
        } else {
            Token::Identifier(word.to_owned())
        }
    }

    /// Whether arguments or a grouping follow.
    fn is_called(&self) -> bool {
        let mut ahead = self.clone();
        ahead.skip_blanks();
        let word = ahead.take_until(|c| !is_word(c));
        ahead.skip_blanks();
        let may_stand_between = ["", "by", "without"].iter().any(|between| word.eq_ignore_ascii_case(between));
        may_stand_between && ahead.rest.starts_with('(')
    }

    /// A number, a duration or an amount of bytes. The longest of them wins; what follows is another token.
    fn number(&mut self) -> Token {
        let may_be_duration = |c: char| c.is_ascii_digit() || ".nuµμmshdwy".contains(c);
        let run = prefix(self.rest, |c| !may_be_duration(c));
        if let Some(nanoseconds) = units::parse_duration(run).filter(|_| run.ends_with(char::is_alphabetic)) {
            self.take(run.len());
            return Token::Duration(nanoseconds);
        }
        let run = prefix(self.rest, |c| !c.is_ascii_alphanumeric() && c != '.');
        if let Some(bytes) = units::parse_bytes(run) {
            self.take(run.len());
            return Token::Bytes(bytes);
        }
        Token::Number(self.take(number_length(self.rest)).to_owned())
    }

    /// `[5m]`
    fn range(&mut self) -> Result<Token, String> {
        self.take(1);
        let text = self.take_until(|c| c == ']');
        if self.rest.is_empty() {
            return Err("missing closing ']' in duration".to_owned());
        }
        self.take(1);
        units::parse_prometheus_duration(text).map(Token::Range)
    }

    /// A text in back quotes, as it is.
    fn raw(&mut self) -> Result<Token, String> {
        self.take(1);
        let text = self.take_until(|c| c == '`');
        if self.rest.is_empty() {
            return Err("literal not terminated".to_owned());
        }
        self.take(1);
        Ok(Token::String(text.to_owned()))
    }

    /// A text in double quotes, with Go's escapes.
    fn quoted(&mut self) -> Result<Token, String> {
        let length = quoted::length(self.rest, '"').ok_or("literal not terminated")?;
        let quoted = self.take(length);
        quoted::unquote(&quoted[1..length - 1], '"').map(Token::String)
    }
}

fn is_digit(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_ascii_digit())
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What comes before the first character that `ends` it.
fn prefix(text: &str, ends: impl Fn(char) -> bool) -> &str {
    &text[..text.find(ends).unwrap_or(text.len())]
}

/// How many bytes of `text`, which starts with a digit or a point, are a number. Other bases than ten are taken with
/// their prefix, and each `_` whether it may stand there or not.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_part = |byte: &&u8| byte.is_ascii_digit() || **byte == b'_';
    let digits_from = |from: usize| from + bytes[from..].iter().take_while(is_part).count();
    if bytes.len() > 2 && bytes[0] == b'0' && matches!(bytes[1], b'x' | b'X' | b'o' | b'O' | b'b' | b'B') {
        let length = prefix(text, |c| !c.is_ascii_alphanumeric() && c != '.' && c != '_').len();
        return if text[..length].ends_with(['p', 'P']) && text[length..].starts_with(['+', '-']) {
            digits_from(length + 1)
        } else {
            length
        };
    }
    let mut length = digits_from(0);
    if bytes.get(length) == Some(&b'.') {
        length = digits_from(length + 1);
    }
    if let Some(b'e' | b'E') = bytes.get(length) {
        let signed = length + 1 + usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        if is_digit(text[signed..].chars().next()) {
            length = digits_from(signed);
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All tokens of `text`, one blank between them, or the error.
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut lexer = Lexer::new(text);
        let mut shown = Vec::new();
        loop {
            match lexer.next() {
                Ok((Token::End, _)) => break,
                Ok((token, _)) => shown.push(match &token {
                    Token::Identifier(name) => name.clone(),
                    Token::Function(name) => format!("{name}()"),
                    Token::Keyword(word) => word.to_uppercase(),
                    Token::Symbol(symbol) => (*symbol).to_owned(),
                    other => format!("{other:?}"),
                }),
                Err(error) => {
                    shown.push(error.to_string());
                    break;
                }
            }
        }
        assert_eq!(shown.join(" "), expected);
    }

    #[test]
    fn symbols_are_as_long_as_they_can_be() {
        check("|=|~|>|!=!~!>=~===>=<=", "|= |~ |> | != !~ !> =~ == = >= <=");
        check("--strict --keep-empty - -", "--strict --keep-empty - -");
    }

    #[test]
    fn words_are_functions_only_where_something_is_passed_to_them() {
        check("SUM (rate) by (count)", "sum() ( rate ) BY ( count )");
        check("sum By (a) # rate(\n rate", "sum() BY ( a ) rate");
        check("Bytes > duration", "Bytes > duration");
        check("JSON json_x", "JSON json_x");
    }

    #[test]
    fn a_number_takes_its_unit_with_it() {
        check("1 1.5 .5 1e3 2E-3", r#"Number("1") Number("1.5") Number(".5") Number("1e3") Number("2E-3")"#);
        check("0x10 0x1.8p-3 0o17", r#"Number("0x10") Number("0x1.8p-3") Number("0o17")"#);
        check("1_000 1_0.2_5e1_0", r#"Number("1_000") Number("1_0.2_5e1_0")"#);
        check(
            "1d 1.5s 2h45m 300µs",
            "Duration(86400000000000) Duration(1500000000) Duration(9900000000000) Duration(300000)",
        );
        check("1K 10GB 1.5KiB 7B", "Bytes(1000) Bytes(10000000000) Bytes(1536) Bytes(7)");
        check("1mb 1e 5x", r#"Duration(60000000000) b Number("1") e Number("5") x"#);
    }

    #[test]
    fn a_range_is_a_duration_in_brackets() {
        check("[5m]", "Range(300000000000)");
        check("a\n [5x]", "a parse error at line 2, col 2: unknown unit \"x\" in duration \"5x\"");
        check("[5m", "parse error at line 1, col 1: missing closing ']' in duration");
    }

    #[test]
    fn strings_are_quoted_or_raw() {
        check(r#""a\t\"" `a\t"`"#, r#"String("a\t\"") String("a\\t\"")"#);
        check("`a\nb` c", r#"String("a\nb") c"#);
        check(r#" "\q""#, "parse error at line 1, col 2: invalid char escape");
        check("a \"b\n\"", "a parse error at line 1, col 3: literal not terminated");
        check("`a", "parse error at line 1, col 1: literal not terminated");
        check("a ä", "a parse error at line 1, col 3: unexpected character 'ä'");
    }
}
