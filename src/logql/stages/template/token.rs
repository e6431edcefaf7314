//! A template's text as tokens.
//!
//! `{{` and `}}` enclose actions; `{{-` and `-}}` take away the blanks of the text beside them.

use std::borrow::Cow;

use crate::logql::quoted;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text outside of actions.
    Literal,
    /// `{{`
    Open,
    /// `}}`
    Close,
    /// A name: a function, a keyword or a constant.
    Name,
    /// `.name`
    Field,
    /// `$` or `$name`
    Variable,
    /// `.`
    Dot,
    /// `"…"` or `` `…` ``
    Text,
    /// A number or a character, `'x'`.
    Number,
    /// `|`
    Pipe,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// `,`
    Comma,
    /// `(`
    OpenParenthesis,
    /// `)`
    CloseParenthesis,
    /// The end of the template.
    End,
}

/// A piece of a template.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    pub(super) text: &'t str,
    /// Where it starts, in bytes.
    pub(super) at: usize,
    /// Whether a blank precedes it.
    pub(super) follows_blank: bool,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

/// Splits `text`; the last token is [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, Fault> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new(), trims_next: false };
    while lexer.literal() {
        lexer.action()?;
    }
    lexer.push(Kind::End, text.len(), text.len(), false);
    Ok(lexer.tokens)
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token<'t>>,
    /// The last action ended in `-}}`.
    trims_next: bool,
}

impl<'t> Lexer<'t> {
    fn push(&mut self, kind: Kind, start: usize, end: usize, follows_blank: bool) {
        self.tokens.push(Token { kind, text: &self.text[start..end], at: start, follows_blank });
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Takes the text up to the next action; `false` if there is none.
    fn literal(&mut self) -> bool {
        let start = self.at;
        let end = self.rest().find("{{").map(|offset| start + offset);
        let trims_end = end.is_some_and(|end| is_trim_start(&self.text[end + 2..]));
        let mut literal = &self.text[start..end.unwrap_or(self.text.len())];
        if self.trims_next {
            literal = literal.trim_start_matches(is_blank);
        }
        if trims_end {
            literal = literal.trim_end_matches(is_blank);
        }
        self.trims_next = false;
        if !literal.is_empty() {
            self.tokens.push(Token { kind: Kind::Literal, text: literal, at: start, follows_blank: false });
        }
        let Some(end) = end else { return false };
        self.at = end + 2 + usize::from(trims_end);
        true
    }

    /// Takes an action, from behind its braces.
    fn action(&mut self) -> Result<(), Fault> {
        let open = self.at;
        if self.rest().trim_start_matches(is_blank).starts_with("/*") {
            return self.comment();
        }
        self.push(Kind::Open, open, open, false);
        loop {
            let blanks = self.rest().len() - self.rest().trim_start_matches(is_blank).len();
            if 0 < blanks && self.rest()[blanks..].starts_with("-}}") {
                self.at += blanks + 1;
                self.trims_next = true;
            } else {
                self.at += blanks;
            }
            if self.rest().starts_with("}}") {
                self.push(Kind::Close, self.at, self.at + 2, 0 < blanks);
                self.at += 2;
                return Ok(());
            }
            self.token(0 < blanks)?;
        }
    }

    /// Passes over a comment, which has to be all of its action.
    fn comment(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let Some(length) = self.rest().find("*/") else { return Err(Fault::new(start, "unclosed comment")) };
        self.at += length + 2;
        let after = self.rest().trim_start_matches(is_blank);
        let is_separated = after.len() < self.rest().len();
        let after = match after.strip_prefix('-') {
            Some(after) if is_separated => {
                self.trims_next = true;
                after
            }
            _ => after,
        };
        let Some(after) = after.strip_prefix("}}") else {
            return Err(Fault::new(start, "comment ends before closing delimiter"));
        };
        self.at = self.text.len() - after.len();
        Ok(())
    }

    fn token(&mut self, follows_blank: bool) -> Result<(), Fault> {
        let start = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Err(Fault::new(start, "unclosed action")) };
        let (kind, length) = match first {
            '|' => (Kind::Pipe, 1),
            ',' => (Kind::Comma, 1),
            '(' => (Kind::OpenParenthesis, 1),
            ')' => (Kind::CloseParenthesis, 1),
            '=' => (Kind::Assign, 1),
            ':' if rest.starts_with(":=") => (Kind::Declare, 2),
            '"' => (Kind::Text, quoted::length(rest, '"').ok_or_else(|| unterminated(start, "quoted string"))?),
            '`' => {
                let length = rest[1..].find('`').ok_or_else(|| unterminated(start, "raw quoted string"))?;
                (Kind::Text, length + 2)
            }
            '\'' => {
                (Kind::Number, quoted::length(rest, '\'').ok_or_else(|| unterminated(start, "character constant"))?)
            }
            '$' => (Kind::Variable, 1 + name_length(&rest[1..])),
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => (Kind::Number, number_length(rest)),
            '.' => match name_length(&rest[1..]) {
                0 => (Kind::Dot, 1),
                length => (Kind::Field, 1 + length),
            },
            '0'..='9' => (Kind::Number, number_length(rest)),
            '+' | '-' if rest[1..].starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
                (Kind::Number, 1 + number_length(&rest[1..]))
            }
            _ if is_name_char(first) => (Kind::Name, name_length(rest)),
            _ => return Err(Fault::new(start, format!("unexpected {first:?} in command"))),
        };
        self.push(kind, start, start + length, follows_blank);
        self.at += length;
        Ok(())
    }
}

fn unterminated(at: usize, what: &str) -> Fault {
    Fault::new(at, format!("unterminated {what}"))
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// Whether an action starts with a mark to trim what precedes it; `text` starts behind the braces.
fn is_trim_start(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| rest.starts_with(is_blank))
}

fn is_name_char(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn name_length(text: &str) -> usize {
    text.find(|c| !is_name_char(c)).unwrap_or(text.len())
}

fn number_length(text: &str) -> usize {
    let is_exponent_sign = |index: usize| {
        let has_exponent = text[..index].ends_with(['e', 'E', 'p', 'P']);
        has_exponent && (!text.starts_with("0x") || text[..index].ends_with(['p', 'P']))
    };
    let is_part = |(index, c): &(usize, char)| {
        is_name_char(*c) || *c == '.' || (matches!(c, '+' | '-') && is_exponent_sign(*index))
    };
    text.char_indices().find(|place| !is_part(place)).map_or(text.len(), |(index, _)| index)
}

/// The text that a quoted token stands for; `None` if an escape is none.
pub(super) fn unquote(quoted: &str) -> Option<Cow<'_, str>> {
    let inner = quoted.get(1..quoted.len() - 1)?;
    if quoted.starts_with('`') || !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    let text = quoted::resolve(inner, &['"', '\'']).ok()?;
    Some(Cow::Owned(String::from_utf8_lossy(&text).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of the tokens.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let actual: Vec<&str> = tokens(text).unwrap().iter().map(|token| token.text).collect();
        assert_eq!(actual, expected);
    }

    #[track_caller]
    fn check_refused(text: &str, expected: &str) {
        assert_eq!(tokens(text).unwrap_err().message, expected);
    }

    #[test]
    fn actions_consist_of_words() {
        check("a{{.b|c 1.5e+3 -2}}d", &["a", "", ".b", "|", "c", "1.5e+3", "-2", "}}", "d", ""]);
        check(
            "{{ $x := (f \"}}\\\"\" `a\n`).y }}",
            &["", "$x", ":=", "(", "f", "\"}}\\\"\"", "`a\n`", ")", ".y", "}}", ""],
        );
    }

    #[test]
    fn marks_take_blanks_away() {
        check("a {{- 1 -}} b", &["a", "", "1", "}}", "b", ""]);
        check("a {{-1}} b", &["a ", "", "-1", "}}", " b", ""]);
        check("a {{- /* x }} */ -}} b{{/**/}}", &["a", "b", ""]);
    }

    #[test]
    fn what_does_not_end_is_refused() {
        check_refused("{{", "unclosed action");
        check_refused("{{ .a", "unclosed action");
        check_refused("{{ \"a }}", "unterminated quoted string");
        check_refused("{{ `a }}", "unterminated raw quoted string");
        check_refused("{{/* a }}", "unclosed comment");
        check_refused("{{ % }}", "unexpected '%' in command");
    }

    #[test]
    fn escapes_are_those_of_go() {
        assert_eq!(unquote(r#""a\n\x41\101\u00e4\"""#).unwrap(), "a\nAAä\"");
        assert_eq!(unquote("`\\n`").unwrap(), "\\n");
        assert_eq!(unquote(r#""\q""#), None);
        assert_eq!(unquote(r#""\u12""#), None);
    }
}
