//! `| drop a, b="x"` and `| keep a, b="x"`.

use crate::logql::Error;
use crate::logql::ast::LabelTarget;
use crate::logql::stages::label_filter::TextMatcher;
use crate::logql::stages::labels::LabelSet;

/// A label by its name, or only if its value fits.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Name(String),
    Matcher(TextMatcher),
}

/// The labels that `drop` and `keep` speak of.
///
/// # Errors
///
/// [`Error::Stage`] if an expression is none.
pub(super) fn targets(targets: &[LabelTarget]) -> Result<Vec<Target>, Error> {
    let target = |target: &LabelTarget| match target {
        LabelTarget::Name(name) => Ok(Target::Name(name.clone())),
        LabelTarget::Matcher(matcher) => TextMatcher::new(matcher).map(Target::Matcher),
    };
    targets.iter().map(target).collect()
}

/// Removes the labels that `targets` speak of.
pub(super) fn drop(targets: &[Target], labels: &mut LabelSet) {
    for target in targets {
        match target {
            Target::Name(name) => labels.remove(name),
            Target::Matcher(matcher) => {
                if labels.get(&matcher.name).is_some_and(|value| matcher.accepts(Some(value))) {
                    labels.remove(&matcher.name);
                }
            }
        }
    }
}

/// Removes the labels that `targets` do not speak of.
pub(super) fn keep(targets: &[Target], labels: &mut LabelSet) {
    labels.retain(|label| {
        targets.iter().any(|target| match target {
            Target::Name(name) => name == label.name,
            Target::Matcher(matcher) => matcher.name == label.name && matcher.accepts(Some(label.value)),
        })
    });
}
