//! Tokens become trees: Go's `text/template`.

use std::collections::BTreeMap;

use super::functions::{self, Function};
use super::token::{Fault, Kind, Token, tokens, unquote};
use crate::logql::units;

/// How deep parentheses and blocks may nest; the parser and the evaluator recurse as deep.
const DEPTH_MAX: usize = 32;

/// The variable that a template's data has.
pub(super) const ROOT: &str = "$";

/// A piece of a template.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// Text that is printed as it is.
    Literal(String),
    /// `{{ … }}`: printed unless it only sets variables.
    Action(Pipeline),
    /// `{{if …}}` or `{{with …}}`, which makes the value the dot.
    Branch { pipeline: Pipeline, is_with: bool, then: Vec<Node>, otherwise: Vec<Node> },
    /// `{{template "name" …}}`, or `{{block "name" …}}` at its place.
    Invocation { name: String, at: usize, pipeline: Option<Pipeline> },
    /// `{{range …}}`
    Range { pipeline: Pipeline, body: Vec<Node>, otherwise: Vec<Node> },
    /// `{{break}}`
    Break,
    /// `{{continue}}`
    Continue,
}

/// Commands, each of which gets the value of the one before as its last argument.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    /// The variables that are set; two at most.
    pub(super) variables: Vec<String>,
    /// `=` rather than `:=`.
    pub(super) is_assignment: bool,
    /// One at least, each of one operand at least.
    pub(super) commands: Vec<Vec<Operand>>,
}

/// A part of a command, and where it is.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub(super) kind: OperandKind,
    /// In bytes.
    pub(super) at: usize,
    /// As written.
    pub(super) text: String,
}

/// What an operand is.
#[derive(Clone, Debug)]
pub(super) enum OperandKind {
    Dot,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// `.a.b`
    Fields(Vec<String>),
    /// `$x.a`; the root is called `$`.
    Variable(String, Vec<String>),
    Function(&'static Function),
    /// `(…).a.b`
    Nested(Box<Pipeline>, Vec<String>),
}

/// Templates by their names.
pub(super) type Named = BTreeMap<String, Vec<Node>>;

/// The tree of a template, and those of the templates that are defined in it.
pub(super) fn parse(text: &str) -> Result<(Vec<Node>, Named), Fault> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        text,
        tokens: &tokens,
        variables: vec![ROOT.to_owned()],
        depth: 0,
        range_depth: 0,
        named: Named::new(),
    };
    let (nodes, end) = parser.nodes()?;
    match end {
        BlockEnd::Template => Ok((nodes, parser.named)),
        BlockEnd::End(at) => Err(Fault::new(at, "unexpected {{end}}")),
        BlockEnd::Else(at) => Err(Fault::new(at, "unexpected {{else}}")),
    }
}

/// What ends a list of nodes, and where; behind `else`, its action is not yet read to its end.
#[derive(Clone, Copy)]
enum BlockEnd {
    Template,
    End(usize),
    Else(usize),
}

struct Parser<'a, 't> {
    text: &'t str,
    tokens: &'a [Token<'t>],
    /// Those that can be seen, innermost last.
    variables: Vec<String>,
    depth: usize,
    /// How many ranges enclose what is parsed.
    range_depth: usize,
    named: Named,
}

impl<'a, 't> Parser<'a, 't> {
    fn peek(&self) -> &'a Token<'t> {
        self.tokens.first().expect("the end is never taken")
    }

    fn next(&mut self) -> &'a Token<'t> {
        let token = self.peek();
        if token.kind != Kind::End {
            self.tokens = &self.tokens[1..];
        }
        token
    }

    fn next_if(&mut self, kind: Kind) -> Option<&'a Token<'t>> {
        (self.peek().kind == kind).then(|| self.next())
    }

    fn unexpected(token: &Token<'_>, place: &str) -> Fault {
        let what = if token.kind == Kind::End { "EOF".to_owned() } else { format!("{:?}", token.text) };
        Fault::new(token.at, format!("unexpected {what} in {place}"))
    }

    /// Parses one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth == DEPTH_MAX {
            return Err(Fault::new(self.peek().at, format!("nested deeper than {DEPTH_MAX}")));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn nodes(&mut self) -> Result<(Vec<Node>, BlockEnd), Fault> {
        let mut nodes = Vec::new();
        loop {
            let token = self.next();
            match token.kind {
                Kind::End => return Ok((nodes, BlockEnd::Template)),
                Kind::Literal => nodes.push(Node::Literal(token.text.to_owned())),
                _ => {
                    let word = self.peek();
                    match word.text {
                        "end" => {
                            self.next();
                            self.close("end")?;
                            return Ok((nodes, BlockEnd::End(word.at)));
                        }
                        "else" => {
                            self.next();
                            return Ok((nodes, BlockEnd::Else(word.at)));
                        }
                        "define" if self.depth == 0 => {
                            self.next();
                            let name = self.template_name("define clause")?;
                            self.close("define clause")?;
                            self.define(name, word.at)?;
                        }
                        _ => nodes.push(self.action()?),
                    }
                }
            }
        }
    }

    fn close(&mut self, place: &str) -> Result<(), Fault> {
        let token = self.next();
        if token.kind == Kind::Close { Ok(()) } else { Err(Self::unexpected(token, place)) }
    }

    /// An action, from behind its opening braces.
    fn action(&mut self) -> Result<Node, Fault> {
        let word = self.peek();
        match word.text {
            "if" | "with" => {
                self.next();
                self.nested(|parser| parser.branch(word.text == "with"))
            }
            "range" => {
                self.next();
                self.nested(Self::range)
            }
            "break" | "continue" => {
                self.next();
                self.close(word.text)?;
                if self.range_depth == 0 {
                    return Err(Fault::new(word.at, format!("{{{{{}}}}} outside {{{{range}}}}", word.text)));
                }
                Ok(if word.text == "break" { Node::Break } else { Node::Continue })
            }
            "define" => Err(Self::unexpected(word, "command")),
            "template" => {
                self.next();
                let name = self.template_name("template clause")?;
                let has_data = self.peek().kind != Kind::Close;
                let pipeline = if has_data { Some(self.pipeline("template clause", 1)?) } else { None };
                self.close("template clause")?;
                Ok(Node::Invocation { name, at: word.at, pipeline })
            }
            "block" => {
                self.next();
                let name = self.template_name("block clause")?;
                let pipeline = Some(self.pipeline("block clause", 1)?);
                self.close("block clause")?;
                self.define(name.clone(), word.at)?;
                Ok(Node::Invocation { name, at: word.at, pipeline })
            }
            _ => {
                let pipeline = self.pipeline("command", 1)?;
                self.close("command")?;
                Ok(Node::Action(pipeline))
            }
        }
    }

    fn template_name(&mut self, place: &str) -> Result<String, Fault> {
        let token = self.next();
        match token.kind {
            Kind::Text => Ok(unquote(token.text).ok_or_else(|| Fault::new(token.at, "invalid syntax"))?.into_owned()),
            _ => Err(Self::unexpected(token, place)),
        }
    }

    /// A named template, from behind the action that begins it to behind its `end`. It sees no variable from outside, and
    /// may be defined again where it is empty.
    fn define(&mut self, name: String, at: usize) -> Result<(), Fault> {
        let variables = std::mem::replace(&mut self.variables, vec![ROOT.to_owned()]);
        let range_depth = std::mem::take(&mut self.range_depth);
        let (nodes, end) = self.nested(Self::nodes)?;
        (self.variables, self.range_depth) = (variables, range_depth);
        match end {
            BlockEnd::End(_) => {}
            BlockEnd::Else(at) => return Err(Fault::new(at, "unexpected {{else}}")),
            BlockEnd::Template => return Err(Self::unexpected(self.peek(), "block")),
        }
        if is_empty(&nodes) {
            self.named.entry(name).or_default();
            return Ok(());
        }
        match self.named.get(&name) {
            Some(known) if !is_empty(known) => {
                Err(Fault::new(at, format!("template: multiple definition of template {name:?}")))
            }
            _ => {
                self.named.insert(name, nodes);
                Ok(())
            }
        }
    }

    /// `if` or `with`, from behind the word to behind its `end`.
    fn branch(&mut self, is_with: bool) -> Result<Node, Fault> {
        let variable_count = self.variables.len();
        let place = if is_with { "with" } else { "if" };
        let pipeline = self.pipeline(place, 1)?;
        self.close(place)?;
        let (then, end) = self.nodes()?;
        let otherwise = self.otherwise(end, Some(place))?;
        self.variables.truncate(variable_count);
        Ok(Node::Branch { pipeline, is_with, then, otherwise })
    }

    fn range(&mut self) -> Result<Node, Fault> {
        let variable_count = self.variables.len();
        let pipeline = self.pipeline("range", 2)?;
        self.close("range")?;
        self.range_depth += 1;
        let (body, end) = self.nodes()?;
        self.range_depth -= 1;
        let otherwise = self.otherwise(end, None)?;
        self.variables.truncate(variable_count);
        Ok(Node::Range { pipeline, body, otherwise })
    }

    /// What follows `else`, if there is one. `word` may follow it on the spot, as in `else if`.
    fn otherwise(&mut self, end: BlockEnd, word: Option<&str>) -> Result<Vec<Node>, Fault> {
        match end {
            BlockEnd::End(_) => Ok(Vec::new()),
            BlockEnd::Template => Err(Self::unexpected(self.peek(), "block")),
            BlockEnd::Else(_) if word.is_some_and(|word| self.peek().text == word) => {
                let is_with = self.next().text == "with";
                Ok(vec![self.nested(|parser| parser.branch(is_with))?])
            }
            BlockEnd::Else(_) => {
                self.close("else")?;
                match self.nodes()? {
                    (nodes, BlockEnd::End(_)) => Ok(nodes),
                    (_, BlockEnd::Else(at)) => Err(Fault::new(at, "expected end; found {{else}}")),
                    (_, BlockEnd::Template) => Err(Self::unexpected(self.peek(), "block")),
                }
            }
        }
    }

    /// A pipeline that may set up to `variables_max` variables, up to what closes it.
    fn pipeline(&mut self, place: &str, variables_max: usize) -> Result<Pipeline, Fault> {
        let (variables, is_assignment) = self.declaration(variables_max)?;
        let mut commands = Vec::new();
        loop {
            let command = self.command(place)?;
            let is_value = |operand: &Operand| {
                matches!(
                    operand.kind,
                    OperandKind::Bool(_) | OperandKind::Int(_) | OperandKind::Float(_) | OperandKind::Text(_)
                )
            };
            if let Some(operand) = command.first()
                && !commands.is_empty()
                && (is_value(operand) || matches!(operand.kind, OperandKind::Dot | OperandKind::Nil))
            {
                return Err(Fault::new(operand.at, format!("non executable command in pipeline: {}", operand.text)));
            }
            commands.push(command);
            if self.next_if(Kind::Pipe).is_none() {
                break;
            }
        }
        if !is_assignment {
            self.variables.extend(variables.iter().cloned());
        }
        Ok(Pipeline { variables, is_assignment, commands })
    }

    /// `$x :=`, `$x =` or `$i, $x :=`, if the pipeline starts with one.
    fn declaration(&mut self, variables_max: usize) -> Result<(Vec<String>, bool), Fault> {
        let kind = |index: usize| self.tokens.get(index).map(|token| token.kind);
        let count = match (kind(0), kind(1), kind(2), kind(3)) {
            (Some(Kind::Variable), Some(Kind::Declare | Kind::Assign), ..) => 1,
            (Some(Kind::Variable), Some(Kind::Comma), Some(Kind::Variable), Some(Kind::Declare | Kind::Assign)) => 2,
            _ => return Ok((Vec::new(), false)),
        };
        if variables_max < count {
            return Err(Fault::new(self.peek().at, "too many declarations in command"));
        }
        let mut variables = vec![self.next().text.to_owned()];
        if self.next_if(Kind::Comma).is_some() {
            variables.push(self.next().text.to_owned());
        }
        let operator = self.next();
        let is_assignment = operator.kind == Kind::Assign;
        for name in &variables {
            if is_assignment && !self.variables.contains(name) {
                return Err(Fault::new(operator.at, format!("undefined variable {name:?}")));
            }
        }
        Ok((variables, is_assignment))
    }

    fn command(&mut self, place: &str) -> Result<Vec<Operand>, Fault> {
        let mut operands: Vec<Operand> = Vec::new();
        loop {
            let token = self.peek();
            if matches!(token.kind, Kind::Pipe | Kind::Close | Kind::CloseParenthesis) {
                break;
            }
            if !operands.is_empty() && !token.follows_blank {
                return Err(Self::unexpected(token, "operand"));
            }
            operands.push(self.operand(place)?);
        }
        if operands.is_empty() {
            return Err(Fault::new(self.peek().at, format!("missing value for {place}")));
        }
        Ok(operands)
    }

    fn operand(&mut self, place: &str) -> Result<Operand, Fault> {
        let token = self.next();
        let kind = match token.kind {
            Kind::Dot => OperandKind::Dot,
            Kind::Field => {
                let mut fields = vec![token.text[1..].to_owned()];
                fields.extend(self.fields());
                OperandKind::Fields(fields)
            }
            Kind::Variable => {
                if !self.variables.iter().any(|name| name == token.text) {
                    return Err(Fault::new(token.at, format!("undefined variable {:?}", token.text)));
                }
                OperandKind::Variable(token.text.to_owned(), self.fields())
            }
            Kind::Name => match token.text {
                "true" => OperandKind::Bool(true),
                "false" => OperandKind::Bool(false),
                "nil" => OperandKind::Nil,
                name => OperandKind::Function(
                    functions::find(name)
                        .ok_or_else(|| Fault::new(token.at, format!("function {name:?} not defined")))?,
                ),
            },
            Kind::Text => OperandKind::Text(
                unquote(token.text).ok_or_else(|| Fault::new(token.at, "invalid syntax"))?.into_owned(),
            ),
            Kind::Number => number(token.text)
                .ok_or_else(|| Fault::new(token.at, format!("bad number syntax: {:?}", token.text)))?,
            Kind::OpenParenthesis => {
                let pipeline = self.nested(|parser| parser.pipeline("parenthesized pipeline", 0))?;
                if self.next_if(Kind::CloseParenthesis).is_none() {
                    return Err(Fault::new(self.peek().at, "unclosed left paren"));
                }
                OperandKind::Nested(Box::new(pipeline), self.fields())
            }
            _ => return Err(Self::unexpected(token, place)),
        };
        let end = self.peek().at;
        Ok(Operand { kind, at: token.at, text: self.text[token.at..end].trim_end().to_owned() })
    }

    /// `.a.b` directly behind what was taken.
    fn fields(&mut self) -> Vec<String> {
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field && !self.peek().follows_blank {
            fields.push(self.next().text[1..].to_owned());
        }
        fields
    }
}

/// Whether a template has nothing but blanks.
fn is_empty(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| matches!(node, Node::Literal(text) if text.trim().is_empty()))
}

/// A number of Go's syntax, or a character's code.
fn number(text: &str) -> Option<OperandKind> {
    if text.starts_with('\'') {
        let unquoted = unquote(text)?;
        let mut chars = unquoted.chars();
        return chars.next().filter(|_| chars.next().is_none()).map(|c| OperandKind::Int(i64::from(u32::from(c))));
    }
    let int = functions::parse_int(text).map(OperandKind::Int);
    int.or_else(|| units::parse_number(text).map(OperandKind::Float))
}
