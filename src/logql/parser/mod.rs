//! Reads a query: recursive descent over tokens, with one token in view.
//!
//! [`log`] reads selectors and pipelines, [`metric`] what answers numbers. Here are the entry points and the steps that
//! both are made of. The grammar stands in [`crate::logql`], the limits in [`crate::logql::limits`].

mod log;
mod metric;
#[cfg(test)]
mod tests;

use crate::logql::ast::{Expr, LabelMatcher, MatchOp};
use crate::logql::lexer::Lexer;
use crate::logql::limits::{CONDITIONS_MAX, DEPTH_MAX, EXPRESSIONS_MAX, QUERY_BYTES_MAX};
use crate::logql::token::Token;
use crate::logql::{Error, Position, units};

pub(in crate::logql) use metric::precedence;

/// Why a selector that selects everything is refused.
const MATCHES_EVERYTHING: &str = "queries require at least one regexp or equality matcher that does not have an \
    empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will";

/// Reads a whole query.
///
/// # Errors
///
/// [`Error::Syntax`] if the text is no query, or one that makes no sense; [`Error::Stage`] if a regular expression that
/// a label is matched with is none.
pub fn parse(query: &str) -> Result<Expr, Error> {
    let mut parser = Parser::new(query)?;
    let expr = parser.expr()?;
    parser.end()?;
    parser.selects_everything.map_or(Ok(expr), Err)
}

/// Reads a selector alone, such as `{app="api"}`. It may accept every stream: `{}`.
///
/// # Errors
///
/// See [`parse`].
pub fn parse_selector(selector: &str) -> Result<Vec<LabelMatcher>, Error> {
    let mut parser = Parser::new(selector)?;
    let matchers = parser.selector()?;
    parser.end()?;
    Ok(matchers)
}

/// Reads the labels of a stream, such as `{app="api"}`, as agents write them. Their names may be words that a query takes
/// for keywords.
///
/// # Errors
///
/// [`Error::Syntax`] if the text is anything else.
pub fn parse_labels(labels: &str) -> Result<Vec<(String, String)>, Error> {
    let mut parser = Parser::over(Lexer::without_keywords(labels))?;
    let matchers = parser.selector()?;
    parser.end()?;
    if matchers.iter().any(|matcher| matcher.op != MatchOp::Equal) {
        return Err(Error::meaning("labels are written name=\"value\""));
    }
    Ok(matchers.into_iter().map(|matcher| (matcher.name, matcher.value)).collect())
}

/// A query that is being read.
struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The token in view and where it starts.
    token: Token,
    position: Position,
    depth: usize,
    operations: usize,
    /// How many regular expressions there have been.
    expressions: usize,
    /// How many conditions of stages there have been.
    conditions: usize,
    /// Set by a selector that needs another matcher; reported only if the query is well-formed.
    selects_everything: Option<Error>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, Error> {
        Self::over(Lexer::new(text))
    }

    fn over(mut lexer: Lexer<'a>) -> Result<Self, Error> {
        let length = lexer.rest_bytes();
        if QUERY_BYTES_MAX < length {
            return Err(Error::meaning(format!("input size too long ({length} > {QUERY_BYTES_MAX})")));
        }
        let (token, position) = lexer.next()?;
        let (depth, operations, expressions, conditions) = (0, 0, 0, 0);
        Ok(Self { lexer, token, position, depth, operations, expressions, conditions, selects_everything: None })
    }

    /// Counts a regular expression at `position`.
    fn count_expression(&mut self, position: Position) -> Result<(), Error> {
        self.expressions += 1;
        if EXPRESSIONS_MAX < self.expressions {
            let message = format!("the query has more than {EXPRESSIONS_MAX} regular expressions");
            return Err(Error::syntax(position, message));
        }
        Ok(())
    }

    /// Counts a condition of a stage.
    fn count_condition(&mut self) -> Result<(), Error> {
        self.conditions += 1;
        if CONDITIONS_MAX < self.conditions {
            let message = format!("the query's stages have more than {CONDITIONS_MAX} conditions and labels");
            return Err(Error::syntax(self.position, message));
        }
        Ok(())
    }

    /// Takes the token in view and brings the next one into view.
    fn advance(&mut self) -> Result<Token, Error> {
        let (token, position) = self.lexer.next()?;
        self.position = position;
        Ok(std::mem::replace(&mut self.token, token))
    }

    /// Whether the token after the one in view is `symbol`.
    fn is_next(&self, symbol: &'static str) -> bool {
        matches!(self.lexer.clone().next(), Ok((Token::Symbol(next), _)) if next == symbol)
    }

    fn is_symbol(&self, symbol: &'static str) -> bool {
        self.token == Token::Symbol(symbol)
    }

    /// Takes `token` if it is in view.
    fn accept(&mut self, token: &Token) -> Result<bool, Error> {
        let is_there = self.token == *token;
        if is_there {
            self.advance()?;
        }
        Ok(is_there)
    }

    fn accept_symbol(&mut self, symbol: &'static str) -> Result<bool, Error> {
        self.accept(&Token::Symbol(symbol))
    }

    fn accept_keyword(&mut self, keyword: &'static str) -> Result<bool, Error> {
        self.accept(&Token::Keyword(keyword))
    }

    fn expect_symbol(&mut self, symbol: &'static str) -> Result<(), Error> {
        if self.accept_symbol(symbol)? { Ok(()) } else { Err(self.unexpected(symbol)) }
    }

    /// Takes a string.
    fn string(&mut self) -> Result<String, Error> {
        let Token::String(text) = &mut self.token else { return Err(self.unexpected("STRING")) };
        let text = std::mem::take(text);
        self.advance()?;
        Ok(text)
    }

    /// Takes a label's name.
    fn identifier(&mut self) -> Result<String, Error> {
        if !is_name(&self.token) {
            return Err(self.unexpected("IDENTIFIER"));
        }
        match self.advance()? {
            Token::Identifier(name) => Ok(name),
            token => Ok(token.to_string()),
        }
    }

    /// Takes `(`, names with commas between them, and `)`.
    fn names(&mut self) -> Result<Vec<String>, Error> {
        self.expect_symbol("(")?;
        if self.accept_symbol(")")? {
            return Ok(Vec::new());
        }
        if !is_name(&self.token) {
            return Err(self.unexpected("IDENTIFIER or )"));
        }
        let names = self.list(Self::identifier)?;
        if self.accept_symbol(")")? { Ok(names) } else { Err(self.unexpected(", or )")) }
    }

    /// Takes one or more items with commas between them.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        let mut items = vec![item(self)?];
        while self.accept_symbol(",")? {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Takes a number as it was written.
    fn number(&mut self) -> Result<String, Error> {
        let Token::Number(text) = &mut self.token else { return Err(self.unexpected("NUMBER")) };
        let text = std::mem::take(text);
        self.advance()?;
        Ok(text)
    }

    /// Takes a number.
    fn float(&mut self) -> Result<f64, Error> {
        to_float(&self.number()?)
    }

    fn end(&self) -> Result<(), Error> {
        if self.token == Token::End { Ok(()) } else { Err(self.unexpected("")) }
    }

    /// Reads with `read` what nests in what is being read.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if DEPTH_MAX <= self.depth {
            return Err(Error::syntax(self.position, format!("the query nests deeper than {DEPTH_MAX} levels")));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// The token in view may not stand here; `expected`, if there is something to name, would have been right.
    fn unexpected(&self, expected: &str) -> Error {
        let separator = if expected.is_empty() { "" } else { ", expecting " };
        Error::syntax(self.position, format!("syntax error: unexpected {}{separator}{expected}", self.token))
    }
}

/// Whether a token can be a label's name where one has to stand. `bool` can, because JSON fields are called so.
fn is_name(token: &Token) -> bool {
    matches!(token, Token::Identifier(_) | Token::Keyword("bool"))
}

/// The number that `text` is; in Go's words where it is none.
fn to_float(text: &str) -> Result<f64, Error> {
    units::parse_number(text).ok_or_else(|| {
        let reason = format!("strconv.ParseFloat: parsing {text:?}: invalid syntax");
        Error::meaning(format!("unable to parse literal as a float: {reason}"))
    })
}
