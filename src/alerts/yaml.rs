//! YAML as a tree whose parts know where they stand. The parser gives events; of its features those that rule files have no use for
//! are refused: anchors, tags, several documents.

use std::fmt;

use saphyr_parser::{Event, Marker, Parser};

/// Deepest nesting; a group's annotations are at 5.
const DEPTH_MAX: usize = 16;

/// A line and a column, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    fn of(marker: &Marker) -> Self {
        Self { line: marker.line(), column: marker.col() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) place: Place,
    pub(super) reason: String,
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    List(Vec<Node>),
    /// With the keys' places.
    Map(Vec<(String, Place, Node)>),
}

impl Node {
    pub(super) fn fault(&self, reason: impl Into<String>) -> Fault {
        Fault { place: self.place, reason: reason.into() }
    }

    pub(super) fn text(&self) -> Result<&str, Fault> {
        match &self.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.fault("expected a text")),
        }
    }

    pub(super) fn list(&self) -> Result<&[Node], Fault> {
        match &self.value {
            Value::List(nodes) => Ok(nodes),
            // As `rules:` with nothing behind it.
            Value::Text(text) if text.is_empty() => Ok(&[]),
            _ => Err(self.fault("expected a list")),
        }
    }

    pub(super) fn map(&self) -> Result<&[(String, Place, Node)], Fault> {
        match &self.value {
            Value::Map(pairs) => Ok(pairs),
            Value::Text(text) if text.is_empty() => Ok(&[]),
            _ => Err(self.fault("expected names and values")),
        }
    }

    /// The value of `key`; keys other than those that are `known` are refused by [`Node::check_keys`].
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(pairs) = &self.value else { return None };
        pairs.iter().find(|(name, ..)| name == key).map(|(.., node)| node)
    }

    pub(super) fn check_keys(&self, known: &[&str]) -> Result<(), Fault> {
        for (name, place, _) in self.map()? {
            if !known.contains(&name.as_str()) {
                let reason = format!("{name:?} is not known here; there are {}", known.join(", "));
                return Err(Fault { place: *place, reason });
            }
        }
        Ok(())
    }
}

/// Reads one document; an empty one is an empty text.
pub(super) fn parse(text: &str) -> Result<Node, Fault> {
    /// A list or a map that has not ended, with the key that waits for its value.
    struct Open {
        node: Node,
        key: Option<(String, Place)>,
    }
    let mut open: Vec<Open> = Vec::new();
    let mut root: Option<Node> = None;
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| Fault { place: Place::of(error.marker()), reason: error.info().to_owned() })?;
        let place = Place::of(&span.start);
        let refuse = |what: &str| Err(Fault { place, reason: format!("{what} are not taken in rule files") });
        let done = match event {
            Event::DocumentStart(_) if root.is_some() => return refuse("several documents"),
            Event::Alias(_) => return refuse("aliases"),
            Event::Scalar(text, ..) => Some(Node { place, value: Value::Text(text.into_owned()) }),
            Event::SequenceStart(..) => {
                open.push(Open { node: Node { place, value: Value::List(Vec::new()) }, key: None });
                None
            }
            Event::MappingStart(..) => {
                open.push(Open { node: Node { place, value: Value::Map(Vec::new()) }, key: None });
                None
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().map(|open| open.node),
            _ => None,
        };
        if DEPTH_MAX < open.len() {
            return Err(Fault { place, reason: format!("this is nested deeper than {DEPTH_MAX} times") });
        }
        let Some(node) = done else { continue };
        let Some(parent) = open.last_mut() else {
            root = Some(node);
            continue;
        };
        match (&mut parent.node.value, parent.key.take()) {
            (Value::List(nodes), _) => nodes.push(node),
            (Value::Map(pairs), Some((key, at))) => {
                if pairs.iter().any(|(name, ..)| *name == key) {
                    return Err(Fault { place: at, reason: format!("{key:?} stands here twice") });
                }
                pairs.push((key, at, node));
            }
            (Value::Map(_), None) => parent.key = Some((node.text()?.to_owned(), node.place)),
            (Value::Text(_), _) => {}
        }
    }
    Ok(root.unwrap_or(Node { place: Place { line: 1, column: 1 }, value: Value::Text(String::new()) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_a_tree_with_places() {
        let node = parse("a:\n  - b: 1\n    c: |\n      x\n      y\n  - d\n").unwrap();
        let list = node.get("a").unwrap().list().unwrap();
        assert_eq!(list[0].get("b").unwrap().text(), Ok("1"));
        assert_eq!(list[0].get("c").unwrap().text(), Ok("x\ny\n"));
        assert_eq!((list[1].text(), list[1].place), (Ok("d"), Place { line: 6, column: 5 }));
        assert_eq!(parse("").unwrap().map(), Ok(&[][..]));
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        let fault = |text: &str| {
            let Fault { place, reason } = parse(text).unwrap_err();
            format!("{place}: {reason}")
        };
        assert_eq!(fault("a: 1\na: 2\n"), "line 2, column 1: \"a\" stands here twice");
        assert!(fault("a: &x 1\nb: *x\n").contains("aliases"), "{}", fault("a: &x 1\nb: *x\n"));
        assert!(fault("a: [1\n").starts_with("line 2"), "{}", fault("a: [1\n"));
        assert!(fault(&"[".repeat(100)).contains("nested deeper"));
        let node = parse("a: 1\nb: 2\n").unwrap();
        assert_eq!(node.check_keys(&["a"]).unwrap_err().place, Place { line: 2, column: 1 });
    }
}
