//! Which labels a template looks at.

use super::parser::{Node, Operand, OperandKind, Pipeline, ROOT};

/// The names; `None` if it may be any label, because the dot or `$` is used as a whole.
pub(super) fn of(nodes: &[Node]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    add_nodes(nodes, &mut names)?;
    Some(names)
}

fn add_nodes(nodes: &[Node], names: &mut Vec<String>) -> Option<()> {
    for node in nodes {
        match node {
            Node::Literal(_) | Node::Break | Node::Continue => {}
            Node::Action(pipeline) => add_pipeline(pipeline, names)?,
            // What it is given is all that a named template sees.
            Node::Invocation { pipeline, .. } => {
                pipeline.iter().try_for_each(|pipeline| add_pipeline(pipeline, names))?;
            }
            Node::Branch { pipeline, then: body, otherwise, .. } | Node::Range { pipeline, body, otherwise } => {
                add_pipeline(pipeline, names)?;
                add_nodes(body, names)?;
                add_nodes(otherwise, names)?;
            }
        }
    }
    Some(())
}

fn add_pipeline(pipeline: &Pipeline, names: &mut Vec<String>) -> Option<()> {
    pipeline.commands.iter().flatten().try_for_each(|operand| add_operand(operand, names))
}

fn add_operand(operand: &Operand, names: &mut Vec<String>) -> Option<()> {
    match &operand.kind {
        OperandKind::Dot => return None,
        OperandKind::Fields(fields) => names.extend(fields.first().cloned()),
        OperandKind::Variable(name, fields) if name == ROOT => names.push(fields.first()?.clone()),
        OperandKind::Nested(pipeline, _) => add_pipeline(pipeline, names)?,
        OperandKind::Nil
        | OperandKind::Bool(_)
        | OperandKind::Int(_)
        | OperandKind::Float(_)
        | OperandKind::Text(_)
        | OperandKind::Variable(..)
        | OperandKind::Function(_) => {}
    }
    Some(())
}
