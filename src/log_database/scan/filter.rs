//! Filters prepared for many lines.

use memchr::memmem::Finder;

use crate::model::LineFilter;

/// A condition on lines, prepared for many of them.
#[derive(Debug)]
pub(super) enum Filter {
    /// The line contains the text.
    Contains(Box<Finder<'static>>),
    /// The line contains some of the texts.
    ContainsAny(Vec<Finder<'static>>),
    /// Anything else; an expression is compiled already.
    Other(LineFilter),
}

impl Filter {
    pub(super) fn new(filter: &LineFilter) -> Self {
        match filter {
            LineFilter::Contains(text) => Self::Contains(Box::new(Finder::new(text).into_owned())),
            LineFilter::ContainsAny(texts) => {
                Self::ContainsAny(texts.iter().map(|text| Finder::new(text).into_owned()).collect())
            }
            other => Self::Other(other.clone()),
        }
    }

    pub(super) fn accepts(&self, line: &[u8]) -> bool {
        match self {
            Self::Contains(finder) => finder.find(line).is_some(),
            Self::ContainsAny(finders) => finders.iter().any(|finder| finder.find(line).is_some()),
            Self::Other(filter) => filter.accepts(line),
        }
    }

    /// Whether any of the lines that make up `text` may be accepted: a text that is not even in all of them is in none.
    pub(super) fn may_accept_one_of(&self, text: &[u8]) -> bool {
        match self {
            Self::Contains(_) | Self::ContainsAny(_) => self.accepts(text),
            Self::Other(_) => true,
        }
    }
}
