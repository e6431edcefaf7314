//! Runs a template's tree.

use std::borrow::Cow;
use std::iter;

use super::Template;
use super::functions::{Context, Function};
use super::parser::{Node, Operand, OperandKind, Pipeline, ROOT};
use super::value::{self, Value};

/// How many templates may have been invoked by one another. Each may nest as deep as the parser lets it.
const INVOCATIONS_MAX: usize = 16;

/// Why a template has no output, and where.
#[derive(Debug)]
pub(super) struct Failure {
    /// In bytes of the template.
    pub(super) at: usize,
    /// The part of the template, as written.
    pub(super) operand: String,
    pub(super) message: String,
}

/// How a list of nodes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Normal,
    Break,
    Continue,
}

/// Appends the output of `template` to `out`.
pub(super) fn execute<'c>(template: &'c Template, context: Context<'_, 'c>, out: &mut String) -> Result<(), Failure> {
    let mut executor = Executor { template, context, variables: vec![(ROOT, Value::Labels)], invocation_count: 0 };
    executor.nodes(&template.nodes, &Value::Labels, out)?;
    Ok(())
}

/// Every value that it makes or copies is charged, so that each of its steps is.
struct Executor<'a, 'c> {
    template: &'c Template,
    context: Context<'a, 'c>,
    /// Of the template that is executed, innermost last.
    variables: Vec<(&'c str, Value<'a>)>,
    /// How many named templates are being executed.
    invocation_count: usize,
}

impl<'a, 'c> Executor<'a, 'c> {
    fn nodes(&mut self, nodes: &'c [Node], dot: &Value<'a>, out: &mut String) -> Result<Flow, Failure> {
        for node in nodes {
            let flow = match node {
                Node::Literal(text) => {
                    let charged = self.context.allowance.charge(text.len());
                    let printed = charged.and_then(|()| value::push(out, text));
                    printed.map_err(|message| Failure { at: 0, operand: "text".to_owned(), message })?;
                    Flow::Normal
                }
                Node::Action(pipeline) => {
                    self.action(pipeline, dot, out)?;
                    Flow::Normal
                }
                Node::Branch { pipeline, is_with, then, otherwise } => {
                    let variable_count = self.variables.len();
                    let value = self.pipeline(pipeline, dot)?;
                    let flow = match (value.is_true(), is_with) {
                        (true, true) => self.nodes(then, &value, out)?,
                        (true, false) => self.nodes(then, dot, out)?,
                        (false, _) => self.nodes(otherwise, dot, out)?,
                    };
                    self.variables.truncate(variable_count);
                    flow
                }
                Node::Range { pipeline, body, otherwise } => self.range(pipeline, body, otherwise, dot, out)?,
                Node::Invocation { name, at, pipeline } => {
                    let data = pipeline.as_ref().map_or(Ok(Value::Nil), |pipeline| self.pipeline(pipeline, dot))?;
                    self.invoke(name, *at, &data, out)?;
                    Flow::Normal
                }
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::Normal {
                return Ok(flow);
            }
        }
        Ok(Flow::Normal)
    }

    fn action(&mut self, pipeline: &'c Pipeline, dot: &Value<'a>, out: &mut String) -> Result<(), Failure> {
        let value = self.pipeline(pipeline, dot)?;
        if !pipeline.variables.is_empty() {
            return Ok(());
        }
        let length_before = out.len();
        let printed = match value {
            Value::Nil => value::push(out, "<no value>"),
            Value::Labels => self.context.print_labels(out),
            value => value.print(out),
        };
        let charged = printed.and_then(|()| self.context.allowance.charge(out.len() - length_before));
        charged.map_err(|message| failure_of(&pipeline.commands[0][0], message))
    }

    /// Executes the template called `name` with `data` as its dot. It sees no variable of the one that invokes it.
    fn invoke(&mut self, name: &str, at: usize, data: &Value<'a>, out: &mut String) -> Result<(), Failure> {
        let template = self.template;
        let fail = |message| Failure { at, operand: format!("{{{{template {name:?}}}}}"), message };
        let itself = (name == template.name).then_some(&template.nodes);
        let nodes = template.named.get(name).or(itself);
        let nodes = nodes.ok_or_else(|| fail(format!("template {name:?} not defined")))?;
        if self.invocation_count == INVOCATIONS_MAX {
            return Err(fail(format!("exceeded maximum template depth ({INVOCATIONS_MAX})")));
        }
        self.context.allowance.charge(data.byte_count()).map_err(fail)?;
        let variables = std::mem::replace(&mut self.variables, vec![(ROOT, data.clone())]);
        self.invocation_count += 1;
        let executed = self.nodes(nodes, data, out);
        self.invocation_count -= 1;
        self.variables = variables;
        executed.map(|_| ())
    }

    /// Goes through the elements of a list or of an object, or through as many numbers as a number says; its variables live
    /// as long as the range.
    fn range(
        &mut self,
        pipeline: &'c Pipeline,
        body: &'c [Node],
        otherwise: &'c [Node],
        dot: &Value<'a>,
        out: &mut String,
    ) -> Result<Flow, Failure> {
        let fail = |message: String| failure_of(&pipeline.commands[0][0], message);
        let variable_count = self.variables.len();
        let value = self.pipeline(pipeline, dot)?;
        let elements: Box<dyn Iterator<Item = (Value<'a>, Value<'a>)> + '_> = match &value {
            Value::Nil => Box::new(iter::empty()),
            Value::Int(_) if 1 < pipeline.variables.len() => {
                return Err(fail(format!(
                    "can't use {} to iterate over more than one variable",
                    pipeline.commands[0][0].text
                )));
            }
            Value::Int(count) => Box::new((0..*count).map(|index| (Value::Int(index), Value::Int(index)))),
            Value::List(values) => Box::new((0..).map(Value::Int).zip(values.iter().cloned())),
            Value::Map(values) => Box::new(values.iter().map(|(key, value)| (Value::text(key), value.clone()))),
            Value::Labels => Box::new(self.context.labels().map(|(name, value)| (text(name), text(value)))),
            value => return Err(fail(format!("range can't iterate over {}", value.type_name()))),
        };
        let mut elements = elements.peekable();
        self.variables.truncate(variable_count);
        if elements.peek().is_none() {
            return self.nodes(otherwise, dot, out);
        }
        for (key, element) in elements {
            self.context.allowance.charge(key.byte_count() + element.byte_count()).map_err(fail)?;
            match pipeline.variables.as_slice() {
                [] => {}
                [element_name] => self.variables.push((element_name, element.clone())),
                [key_name, element_name, ..] => {
                    self.variables.push((key_name, key));
                    self.variables.push((element_name, element.clone()));
                }
            }
            let flow = self.nodes(body, &element, out)?;
            self.variables.truncate(variable_count);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::Normal)
    }

    fn pipeline(&mut self, pipeline: &'c Pipeline, dot: &Value<'a>) -> Result<Value<'a>, Failure> {
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, dot, value)?);
        }
        let value = value.unwrap_or(Value::Nil);
        for name in &pipeline.variables {
            if pipeline.is_assignment {
                if let Some((_, place)) = self.variables.iter_mut().rev().find(|(present, _)| present == name) {
                    *place = value.clone();
                }
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    /// A command; `piped` is the value of the command before it.
    fn command(
        &mut self,
        command: &'c [Operand],
        dot: &Value<'a>,
        piped: Option<Value<'a>>,
    ) -> Result<Value<'a>, Failure> {
        let [operand, arguments @ ..] = command else { return Ok(Value::Nil) };
        let has_arguments = !arguments.is_empty() || piped.is_some();
        match &operand.kind {
            OperandKind::Function(function) => self.call(function, operand, arguments, dot, piped),
            OperandKind::Fields(fields) | OperandKind::Variable(_, fields) if has_arguments && !fields.is_empty() => {
                let name = fields.last().map_or("", String::as_str);
                Err(failure_of(operand, format!("{name} is not a method but has arguments")))
            }
            OperandKind::Nil => Err(failure_of(operand, "nil is not a command".to_owned())),
            _ if has_arguments => {
                Err(failure_of(operand, format!("can't give argument to non-function {}", operand.text)))
            }
            _ => self.operand(operand, dot),
        }
    }

    fn call(
        &mut self,
        function: &Function,
        operand: &'c Operand,
        arguments: &'c [Operand],
        dot: &Value<'a>,
        piped: Option<Value<'a>>,
    ) -> Result<Value<'a>, Failure> {
        let count = arguments.len() + usize::from(piped.is_some());
        function.check_count(count).map_err(|message| failure_of(operand, message))?;
        let mut values = Vec::with_capacity(count);
        for argument in arguments {
            let value = self.operand(argument, dot)?;
            // `and` and `or` stop at the first value that settles the matter.
            if function.settles_at.is_some_and(|truth| value.is_true() == truth) {
                return Ok(value);
            }
            function.check_type(values.len(), &value).map_err(|message| failure_of(argument, message))?;
            values.push(value);
        }
        if let Some(value) = piped {
            function.check_type(values.len(), &value).map_err(|message| failure_of(operand, message))?;
            values.push(value);
        }
        let called = (function.call)(&mut self.context, &values).and_then(|value| self.charged(value));
        called.map_err(|message| failure_of(operand, format!("error calling {}: {message}", function.name)))
    }

    /// The value of an operand that gets no arguments.
    fn operand(&mut self, operand: &'c Operand, dot: &Value<'a>) -> Result<Value<'a>, Failure> {
        let (value, fields): (_, &[String]) = match &operand.kind {
            OperandKind::Dot => (dot.clone(), &[]),
            OperandKind::Nil => (Value::Nil, &[]),
            OperandKind::Bool(truth) => (Value::Bool(*truth), &[]),
            OperandKind::Int(number) => (Value::Int(*number), &[]),
            OperandKind::Float(number) => (Value::Float(*number), &[]),
            OperandKind::Text(text) => (Value::text(text), &[]),
            OperandKind::Function(function) => return self.call(function, operand, &[], dot, None),
            OperandKind::Fields(fields) => (dot.clone(), fields),
            OperandKind::Variable(name, fields) => {
                let found = self.variables.iter().rev().find(|(present, _)| present == name);
                (found.map_or(Value::Nil, |(_, value)| value.clone()), fields)
            }
            OperandKind::Nested(pipeline, fields) => (self.pipeline(pipeline, dot)?, fields),
        };
        let step = |value, field: &String| self.context.field(value, field);
        let found = fields.iter().try_fold(value, step).and_then(|value| self.charged(value));
        found.map_err(|message| failure_of(operand, message))
    }

    /// A value that was made or copied.
    fn charged(&mut self, value: Value<'a>) -> Result<Value<'a>, String> {
        self.context.allowance.charge(value.byte_count())?;
        Ok(value)
    }
}

fn text(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

fn failure_of(operand: &Operand, message: String) -> Failure {
    Failure { at: operand.at, operand: operand.text.clone(), message }
}
