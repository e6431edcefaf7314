//! Selectors and pipelines.

use crate::logql::ast::{
    CompareOp, Conversion, Extraction, FilterText, LabelFilter, LabelFormat, LabelMatcher, LabelTarget, LineFilter,
    LineFilterOp, LogExpr, MatchOp, Stage, Unwrap,
};
use crate::logql::limits::{MATCHERS_MAX, STAGES_MAX};
use crate::logql::parser::{MATCHES_EVERYTHING, Parser, is_name, to_float};
use crate::logql::token::Token;
use crate::logql::{Error, regexp};

impl Parser<'_> {
    /// A selector and its pipeline. Only a range may end in `unwrap`, as only there numbers are asked for.
    pub(super) fn log_expr(&mut self) -> Result<LogExpr, Error> {
        let matchers = self.checked_selector()?;
        let stages = self.pipeline()?;
        if self.is_symbol("|") && self.is_next_unwrap() {
            self.advance()?;
            return Err(self.unexpected(""));
        }
        Ok(LogExpr { matchers, stages })
    }

    /// A selector that is remembered as an error if it accepts a stream without labels.
    pub(super) fn checked_selector(&mut self) -> Result<Vec<LabelMatcher>, Error> {
        let matchers = self.selector()?;
        if matchers.iter().all(accepts_empty) && self.selects_everything.is_none() {
            self.selects_everything = Some(Error::meaning(MATCHES_EVERYTHING));
        }
        Ok(matchers)
    }

    /// `{a="b", c=~"d"}`
    pub(super) fn selector(&mut self) -> Result<Vec<LabelMatcher>, Error> {
        self.expect_symbol("{")?;
        if self.accept_symbol("}")? {
            return Ok(Vec::new());
        }
        let start = self.position;
        let matchers = self.list(Self::matcher)?;
        if !self.accept_symbol("}")? {
            return Err(self.unexpected("} or ,"));
        }
        if MATCHERS_MAX < matchers.len() {
            let message = format!("a selector of {} matchers is over the limit of {MATCHERS_MAX}", matchers.len());
            return Err(Error::syntax(start, message));
        }
        Ok(matchers)
    }

    /// `a="b"`
    fn matcher(&mut self) -> Result<LabelMatcher, Error> {
        let name = self.identifier()?;
        let op = self.match_op().ok_or_else(|| self.unexpected("=, !=, =~ or !~"))?;
        self.advance()?;
        self.matcher_value(name, op)
    }

    fn match_op(&self) -> Option<MatchOp> {
        if let Token::Symbol(symbol) = self.token { MatchOp::from_name(symbol) } else { None }
    }

    /// The text of a matcher, whose expression has to be one.
    fn matcher_value(&mut self, name: String, op: MatchOp) -> Result<LabelMatcher, Error> {
        let position = self.position;
        let value = self.string()?;
        if let MatchOp::Matches | MatchOp::NotMatches = op {
            self.count_expression(position)?;
            regexp::for_labels(&value).map_err(|error| Error::syntax(position, error.to_string()))?;
        }
        Ok(LabelMatcher { name, op, value })
    }

    /// Stages as long as there are any; without `unwrap`.
    pub(super) fn pipeline(&mut self) -> Result<Vec<Stage>, Error> {
        let mut stages = Vec::new();
        let mut count = 0;
        while let Token::Symbol(symbol) = self.token {
            let line_filter = LineFilterOp::from_name(symbol);
            if line_filter.is_none() && (symbol != "|" || self.is_next_unwrap()) {
                break;
            }
            count += 1;
            self.check_stage_count(count)?;
            self.advance()?;
            if let Some(op) = line_filter {
                let position = self.position;
                let alternatives = self.filter_texts()?;
                if let LineFilterOp::Matches | LineFilterOp::NotMatches = op {
                    alternatives.iter().try_for_each(|_| self.count_expression(position))?;
                }
                if op.is_negative() {
                    // Neither is one and not the other.
                    let each = alternatives.into_iter().map(|text| LineFilter { op, alternatives: vec![text] });
                    stages.extend(each.map(Stage::LineFilter));
                } else {
                    stages.push(Stage::LineFilter(LineFilter { op, alternatives }));
                }
            } else {
                stages.push(self.stage()?);
            }
        }
        Ok(stages)
    }

    /// Refuses the stage in view if it is one too many as number `count` of its pipeline.
    fn check_stage_count(&self, count: usize) -> Result<(), Error> {
        if STAGES_MAX < count {
            return Err(Error::syntax(self.position, format!("a pipeline has more than {STAGES_MAX} stages")));
        }
        Ok(())
    }

    fn is_next_unwrap(&self) -> bool {
        matches!(self.lexer.clone().next(), Ok((Token::Keyword("unwrap"), _)))
    }

    /// `"a" or ip("b")`
    fn filter_texts(&mut self) -> Result<Vec<FilterText>, Error> {
        let mut texts = vec![self.filter_text()?];
        while self.accept_keyword("or")? {
            texts.push(self.filter_text()?);
        }
        Ok(texts)
    }

    fn filter_text(&mut self) -> Result<FilterText, Error> {
        self.count_condition()?;
        match &self.token {
            Token::String(_) => self.string().map(FilterText::Text),
            Token::Function(name) if name == "ip" => self.ip().map(FilterText::Ip),
            _ => Err(self.unexpected("STRING or ip")),
        }
    }

    /// `ip("b")`
    fn ip(&mut self) -> Result<String, Error> {
        self.advance()?;
        self.expect_symbol("(")?;
        let pattern = self.string()?;
        self.expect_symbol(")")?;
        Ok(pattern)
    }

    /// What comes after a bar.
    fn stage(&mut self) -> Result<Stage, Error> {
        if self.starts_label_filter() {
            return self.label_filter().map(Stage::LabelFilter);
        }
        let Token::Keyword(keyword) = self.token else { return Err(self.unexpected("")) };
        let read: fn(&mut Self) -> Result<Stage, Error> = match keyword {
            "json" => |parser| parser.extractions().map(Stage::Json),
            "logfmt" => Self::logfmt,
            "regexp" => |parser| {
                parser.count_expression(parser.position)?;
                parser.string().map(Stage::Regexp)
            },
            "pattern" => |parser| parser.string().map(Stage::Pattern),
            "unpack" => |_| Ok(Stage::Unpack),
            "line_format" => |parser| parser.string().map(Stage::LineFormat),
            "label_format" => |parser| parser.list(Self::label_format).map(Stage::LabelFormat),
            "decolorize" => |_| Ok(Stage::Decolorize),
            "drop" => |parser| parser.list(Self::label_target).map(Stage::Drop),
            "keep" => |parser| parser.list(Self::label_target).map(Stage::Keep),
            _ => return Err(self.unexpected("")),
        };
        self.advance()?;
        read(self)
    }

    fn logfmt(&mut self) -> Result<Stage, Error> {
        let (mut strict, mut keep_empty) = (false, false);
        loop {
            if self.accept_symbol("--strict")? {
                strict = true;
            } else if self.accept_symbol("--keep-empty")? {
                keep_empty = true;
            } else {
                return Ok(Stage::Logfmt { strict, keep_empty, extractions: self.extractions()? });
            }
        }
    }

    /// `a="x", b`, or nothing.
    fn extractions(&mut self) -> Result<Vec<Extraction>, Error> {
        if !is_name(&self.token) {
            return Ok(Vec::new());
        }
        self.list(|parser| {
            parser.count_condition()?;
            let name = parser.identifier()?;
            let expression = if parser.accept_symbol("=")? { parser.string()? } else { name.clone() };
            Ok(Extraction { name, expression })
        })
    }

    fn label_format(&mut self) -> Result<LabelFormat, Error> {
        self.count_condition()?;
        let name = self.identifier()?;
        self.expect_symbol("=")?;
        match self.token {
            Token::String(_) => Ok(LabelFormat::Template { name, template: self.string()? }),
            _ if is_name(&self.token) => Ok(LabelFormat::Rename { to: name, from: self.identifier()? }),
            _ => Err(self.unexpected("IDENTIFIER or STRING")),
        }
    }

    fn label_target(&mut self) -> Result<LabelTarget, Error> {
        self.count_condition()?;
        let name = self.identifier()?;
        let Some(op) = self.match_op() else { return Ok(LabelTarget::Name(name)) };
        self.advance()?;
        self.matcher_value(name, op).map(LabelTarget::Matcher)
    }

    /// Conditions with `or` between them.
    fn label_filter(&mut self) -> Result<LabelFilter, Error> {
        self.nested(|parser| {
            let mut filters = vec![parser.label_filter_and()?];
            while parser.accept_keyword("or")? {
                filters.push(parser.label_filter_and()?);
            }
            Ok(one_or(filters, LabelFilter::Or))
        })
    }

    /// Conditions with `and`, a comma or nothing between them.
    fn label_filter_and(&mut self) -> Result<LabelFilter, Error> {
        let mut filters = vec![self.label_filter_unit()?];
        while self.accept_keyword("and")? || self.accept_symbol(",")? || self.starts_label_filter() {
            filters.push(self.label_filter_unit()?);
        }
        Ok(one_or(filters, LabelFilter::And))
    }

    fn starts_label_filter(&self) -> bool {
        self.is_symbol("(") || is_name(&self.token)
    }

    /// One condition, or several in parentheses.
    fn label_filter_unit(&mut self) -> Result<LabelFilter, Error> {
        if self.accept_symbol("(")? {
            let filter = self.label_filter()?;
            self.expect_symbol(")")?;
            return Ok(filter);
        }
        self.count_condition()?;
        let name = self.identifier()?;
        let Token::Symbol(symbol) = self.token else { return Err(self.unexpected("")) };
        let match_op = MatchOp::from_name(symbol);
        let compare_op = if symbol == "=" { Some(CompareOp::Equal) } else { CompareOp::from_name(symbol) };
        if match_op.is_none() && compare_op.is_none() {
            return Err(self.unexpected(""));
        }
        self.advance()?;
        match (&self.token, match_op, compare_op) {
            (Token::String(_), Some(op), _) => self.matcher_value(name, op).map(LabelFilter::Text),
            (Token::Function(function), Some(op @ (MatchOp::Equal | MatchOp::NotEqual)), _) if function == "ip" => {
                Ok(LabelFilter::Ip { name, negated: op == MatchOp::NotEqual, pattern: self.ip()? })
            }
            (_, _, Some(op)) => self.compared_value(name, op),
            _ => Err(self.unexpected("STRING")),
        }
    }

    /// The number, duration or amount that a label is compared with.
    fn compared_value(&mut self, name: String, op: CompareOp) -> Result<LabelFilter, Error> {
        let is_negative = self.accept_symbol("-")?;
        let is_signed = is_negative || self.accept_symbol("+")?;
        let filter = match &self.token {
            Token::Number(text) => {
                let value = to_float(text)?;
                LabelFilter::Number { name, op, value: if is_negative { -value } else { value } }
            }
            Token::Duration(ns) => LabelFilter::Duration { name, op, nanoseconds: if is_negative { -ns } else { *ns } },
            Token::Bytes(bytes) if !is_signed => LabelFilter::Bytes { name, op, bytes: *bytes },
            _ => return Err(self.unexpected("")),
        };
        self.advance()?;
        Ok(filter)
    }

    /// `| unwrap duration(a) | b="c"`, or nothing.
    pub(super) fn unwrap(&mut self) -> Result<Vec<Stage>, Error> {
        if !self.is_symbol("|") || !self.is_next_unwrap() {
            return Ok(Vec::new());
        }
        self.advance()?;
        self.advance()?;
        let mut stages = vec![Stage::Unwrap(self.unwrapped()?)];
        while self.accept_symbol("|")? {
            self.check_stage_count(stages.len() + 1)?;
            stages.push(Stage::LabelFilter(self.label_filter()?));
        }
        Ok(stages)
    }

    fn unwrapped(&mut self) -> Result<Unwrap, Error> {
        let Token::Function(function) = &self.token else {
            return Ok(Unwrap { name: self.identifier()?, conversion: Conversion::Number });
        };
        let conversion = Conversion::from_name(function).ok_or_else(|| self.unexpected("IDENTIFIER"))?;
        self.advance()?;
        self.expect_symbol("(")?;
        let name = self.identifier()?;
        self.expect_symbol(")")?;
        Ok(Unwrap { name, conversion })
    }
}

/// The only one of `filters`, or all of them in what `several` makes of them.
fn one_or(mut filters: Vec<LabelFilter>, several: fn(Vec<LabelFilter>) -> LabelFilter) -> LabelFilter {
    if filters.len() == 1 { filters.pop().expect("there is one") } else { several(filters) }
}

/// Whether a matcher leaves streams in that do not have the label. Negative ones count as if they did.
fn accepts_empty(matcher: &LabelMatcher) -> bool {
    match matcher.op {
        MatchOp::Equal => matcher.value.is_empty(),
        MatchOp::Matches => regexp::for_labels(&matcher.value).is_ok_and(|regex| regex.is_match("")),
        MatchOp::NotEqual | MatchOp::NotMatches => true,
    }
}
