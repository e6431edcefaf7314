//! What lines have in common: their templates, with a mark in place of what varies.

use super::Error;
use super::read::Block;
use super::sections::Source;
use super::structure::Template;
use super::tokenize::{Cut, SLOT};

/// Stands for what varies, as Loki writes it.
const PLACEHOLDER: &[u8] = b"<_>";

/// Which pattern each line of a block has.
#[derive(Debug)]
pub struct Patterns<'b> {
    /// The patterns; `None` for lines that the block does not tell apart.
    pub texts: Vec<Option<Vec<u8>>>,
    /// Which of them each line has.
    pub ids: &'b [u32],
}

impl<S: Source> Block<S> {
    /// The patterns of all lines. Puts no line together.
    pub fn patterns(&self) -> Result<Patterns<'_>, Error> {
        let (root, structure) = (self.root()?, self.structure()?);
        let text = |template: &Template| {
            let mut text = template.head.of(structure).to_vec();
            for slot in &template.slots {
                text.extend_from_slice(PLACEHOLDER);
                text.extend_from_slice(slot.tail.of(structure));
            }
            (text != PLACEHOLDER).then_some(text)
        };
        Ok(Patterns { texts: root.by_id.iter().map(text).collect(), ids: root.ids(&self.sections)? })
    }
}

/// Finds patterns of single lines.
#[derive(Debug, Default)]
pub struct PatternFinder {
    cut: Cut,
    pattern: Vec<u8>,
}

impl PatternFinder {
    /// The pattern that `line` has as one of a block.
    pub fn pattern_of<'a>(&'a mut self, line: &'a [u8]) -> &'a [u8] {
        if !self.cut.line(line) {
            return line;
        }
        self.pattern.clear();
        for byte in self.cut.key() {
            match *byte {
                SLOT => self.pattern.extend_from_slice(PLACEHOLDER),
                byte => self.pattern.push(byte),
            }
        }
        &self.pattern
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_database::block::Encoder;
    use crate::model::{Lines, Timestamp};

    /// The patterns of lines, found one by one and in a block of many of them, where `#` is another number each time.
    #[track_caller]
    fn check(lines: &[&str], expected: &[&str]) {
        let mut finder = PatternFinder::default();
        let found = lines.iter().map(|line| line.replace('#', "5"));
        let found = found.map(|line| String::from_utf8(finder.pattern_of(line.as_bytes()).to_vec()).unwrap());
        assert_eq!(found.collect::<Vec<_>>(), expected);

        let mut many = Lines::default();
        for number in 0..2000 {
            let line = |line: &str| line.replace('#', &(number * number % 1777).to_string());
            for text in lines {
                many.push(Timestamp::from_ns(number), line(text).as_bytes());
            }
        }
        let block = Encoder::new().unwrap().encode(&[&many]).unwrap();
        let block = Block::open(&block[..]).unwrap();
        let patterns = block.patterns().unwrap();
        let texts = patterns.ids[..lines.len()].iter().map(|id| patterns.texts[*id as usize].clone().unwrap());
        assert_eq!(texts.map(|text| String::from_utf8(text).unwrap()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_varies_is_marked() {
        check(
            &["GET /a took #7ms", "GET /b took 7#ms", "user=ann# level=info#", r#"{"a":"b#","c":4#}"#, "the end"],
            &["GET /a took <_>", "GET /b took <_>", "user=<_> level=<_>", r#"{"a":"<_>","c":<_>}"#, "the end"],
        );
    }
}
