//! What the values of a column look like, as far as that is known without a look at each.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::Error;
use super::parts::{Strings, range};
use super::read::Block;
use super::sections::Source;
use super::structure::{Column, Template};
use super::tokenize::SLOT;
use crate::model::ByteSet;

/// What a part of each value of a column looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Face<'b> {
    /// The very text.
    Literal(Cow<'b, [u8]>),
    /// Some of these bytes.
    Bytes {
        /// The bytes.
        of: ByteSet,
        /// The least of them that there are.
        shortest: usize,
        /// The most of them that there are.
        longest: usize,
    },
}

/// What the values of a column look like; see [`super::TemplateColumns::faces`].
pub(super) fn faces<'b, S: Source>(
    block: &'b Block<S>,
    column: &'b Column,
    is_exact: bool,
) -> Result<Vec<Face<'b>>, Error> {
    let structure = block.structure()?;
    let bytes = |of, shortest, longest| Face::Bytes { of, shortest, longest };
    let literal = |text: &'b [u8]| Face::Literal(text.into());
    let faces = match column {
        Column::Text(strings) | Column::Dictionary { values: strings, .. } if is_exact => {
            let (of, shortest, longest) = look_at(block, strings)?;
            vec![bytes(of, shortest, longest)]
        }
        Column::Text(strings) | Column::Dictionary { values: strings, .. } => {
            vec![bytes(strings.classes.bytes(), 0, strings.longest)]
        }
        Column::Words(words) => {
            let mut of = ByteSet::NONE;
            for vocabulary in &words.vocabularies {
                of = of.or(if is_exact { look_at(block, vocabulary)?.0 } else { vocabulary.classes.bytes() });
            }
            vec![bytes(of, 0, words.longest)]
        }
        Column::Decimal { face, numbers } => {
            let (mut shortest, mut longest) = face.digit_counts();
            if is_exact {
                let lengths = numbers.get(&block.sections)?.iter().map(|number| face.digit_count(*number));
                let (least, most) = lengths.fold((usize::MAX, 0), |(least, most), n| (n.min(least), n.max(most)));
                (shortest, longest) = (least.min(most), most);
            }
            let fraction = face.fraction();
            let mut faces = vec![
                literal(face.prefix.of(structure)),
                bytes(ByteSet::DIGITS, shortest.saturating_sub(fraction), longest.saturating_sub(fraction)),
            ];
            if 0 < fraction {
                faces.extend([literal(b"."), bytes(ByteSet::DIGITS, fraction, fraction)]);
            }
            faces.push(literal(face.suffix.of(structure)));
            faces
        }
        Column::Clock { face, .. } => {
            let mut faces = vec![literal(face.before.of(structure))];
            let pattern = face.pattern();
            for run in pattern.chunk_by(|left, right| left.is_ascii_digit() == right.is_ascii_digit()) {
                let is_number = run.iter().all(u8::is_ascii_digit);
                let face = if is_number {
                    bytes(ByteSet::DIGITS, run.len(), run.len())
                } else {
                    Face::Literal(run.to_vec().into())
                };
                faces.push(face);
            }
            faces.push(literal(face.after.of(structure)));
            faces
        }
        Column::Hex { face, .. } => {
            let runs = face.pattern.chunk_by(|left, right| (*left == SLOT) == (*right == SLOT));
            let digits = face.digits();
            let face = |run: &'b [u8]| match run.first() {
                Some(&SLOT) => bytes(digits, run.len(), run.len()),
                _ => literal(run),
            };
            runs.map(face).collect()
        }
        Column::Templates(templates) => {
            let of_each = templates.by_id.iter().map(|template| faces_of(block, template, is_exact));
            in_common(of_each.collect::<Result<_, Error>>()?, column.longest())
        }
    };
    Ok(faces.into_iter().filter(|face| *face != Face::Literal(Cow::Borrowed(&[]))).collect())
}

/// The faces of all values of one template.
fn faces_of<'b, S: Source>(
    block: &'b Block<S>,
    template: &'b Template,
    is_exact: bool,
) -> Result<VecDeque<Face<'b>>, Error> {
    let structure = block.structure()?;
    let mut all = VecDeque::from([Face::Literal(template.head.of(structure).into())]);
    for slot in &template.slots {
        all.extend(faces(block, &slot.column, is_exact)?);
        all.push_back(Face::Literal(slot.tail.of(structure).into()));
    }
    all.retain(|face| face.text() != Some(b""));
    Ok(all)
}

/// What texts have in common that look like one of these each: `GET /a` and `POST /b` are letters, ` /` and anything, which
/// has no more than `longest` bytes.
fn in_common<'b>(mut each: Vec<VecDeque<Face<'b>>>, longest: usize) -> Vec<Face<'b>> {
    let mut start = Vec::new();
    while let Some(face) = take_common(&mut each, End::First) {
        start.push(face);
    }
    let mut end = Vec::new();
    while let Some(face) = take_common(&mut each, End::Last) {
        end.push(face);
    }
    let sum = |faces: &VecDeque<Face<'b>>| Face::Bytes {
        of: faces.iter().fold(ByteSet::NONE, |of, face| of.or(face.bytes())),
        shortest: faces.iter().map(Face::shortest).sum(),
        longest: faces.iter().fold(0, |sum, face| face.longest().saturating_add(sum)).min(longest),
    };
    let rests: Vec<Face<'b>> = each.iter().map(sum).collect();
    let rest = Face::of_any(rests.iter());
    start.into_iter().chain((0 < rest.longest()).then_some(rest)).chain(end.into_iter().rev()).collect()
}

/// An end of a text.
#[derive(Clone, Copy)]
enum End {
    First,
    Last,
}

impl End {
    /// The first bytes from this end on that `is_wanted`.
    fn count(self, text: &[u8], is_wanted: impl Fn(&u8) -> bool) -> usize {
        match self {
            Self::First => text.iter().take_while(|byte| is_wanted(byte)).count(),
            Self::Last => text.iter().rev().take_while(|byte| is_wanted(byte)).count(),
        }
    }

    /// How many bytes from this end on two texts have in common.
    fn common(self, one: &[u8], other: &[u8]) -> usize {
        let is_same = |(one, other): &(&u8, &u8)| one == other;
        match self {
            Self::First => one.iter().zip(other).take_while(is_same).count(),
            Self::Last => one.iter().rev().zip(other.iter().rev()).take_while(is_same).count(),
        }
    }

    fn face<'f, 'b>(self, faces: &'f VecDeque<Face<'b>>) -> Option<&'f Face<'b>> {
        match self {
            Self::First => faces.front(),
            Self::Last => faces.back(),
        }
    }

    /// Takes so many bytes off the text at this end.
    fn take<'b>(self, faces: &mut VecDeque<Face<'b>>, count: usize) -> Face<'b> {
        let face = match self {
            Self::First => faces.pop_front(),
            Self::Last => faces.pop_back(),
        };
        let Some(Face::Literal(text)) = face else { return face.unwrap_or(Face::Literal(Cow::Borrowed(b""))) };
        let at = if matches!(self, Self::First) { count } else { text.len() - count };
        let (first, last) = match &text {
            Cow::Borrowed(text) => (Cow::Borrowed(&text[..at]), Cow::Borrowed(&text[at..])),
            Cow::Owned(text) => (Cow::Owned(text[..at].to_vec()), Cow::Owned(text[at..].to_vec())),
        };
        let (taken, rest) = if matches!(self, Self::First) { (first, last) } else { (last, first) };
        if !rest.is_empty() {
            match self {
                Self::First => faces.push_front(Face::Literal(rest)),
                Self::Last => faces.push_back(Face::Literal(rest)),
            }
        }
        Face::Literal(taken)
    }
}

/// Takes off one end what all texts have there: the same text, letters, or what is no text. `None` where there is nothing.
fn take_common<'b>(each: &mut [VecDeque<Face<'b>>], end: End) -> Option<Face<'b>> {
    let first = end.face(each.first()?)?.clone();
    let faces = || each.iter().map(|faces| end.face(faces));
    if faces().all(|face| face.is_some_and(|face| face.text().is_none())) {
        let taken: Vec<Face<'b>> = each.iter_mut().map(|faces| end.take(faces, 0)).collect();
        return Some(Face::of_any(taken.iter()));
    }
    let texts = || faces().map(|face| face?.text());
    let common = texts().map(|text| Some(end.common(first.text()?, text?))).min()??;
    if 0 < common {
        let taken = each.iter_mut().map(|faces| end.take(faces, common)).last();
        return taken;
    }
    let letters_of = |text: &[u8]| {
        let count = end.count(text, u8::is_ascii_alphabetic);
        (0 < count && count < text.len()).then_some(count)
    };
    let letters: Vec<usize> = texts().map(|text| letters_of(text?)).collect::<Option<_>>()?;
    let taken = each.iter_mut().zip(&letters).map(|(faces, count)| end.take(faces, *count));
    Some(Face::of_any(taken.collect::<Vec<_>>().iter()))
}

impl<'b> Face<'b> {
    fn bytes(&self) -> ByteSet {
        match self {
            Self::Literal(text) => ByteSet::of(text),
            Self::Bytes { of, .. } => *of,
        }
    }

    fn shortest(&self) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            Self::Bytes { shortest, .. } => *shortest,
        }
    }

    fn longest(&self) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            Self::Bytes { longest, .. } => *longest,
        }
    }

    /// The text, of one that is nothing else.
    fn text(&self) -> Option<&[u8]> {
        if let Self::Literal(text) = self { Some(text) } else { None }
    }

    /// The faces of texts that are one of these.
    fn of_any<'f>(faces: impl Iterator<Item = &'f Self>) -> Self
    where
        'b: 'f,
    {
        let none = Self::Bytes { of: ByteSet::NONE, shortest: usize::MAX, longest: 0 };
        faces.fold(none, |all, face| Self::Bytes {
            of: all.bytes().or(face.bytes()),
            shortest: all.shortest().min(face.shortest()),
            longest: all.longest().max(face.longest()),
        })
    }
}

/// The bytes that strings have, and how long the shortest and the longest one is.
fn look_at<S: Source>(block: &Block<S>, strings: &Strings) -> Result<(ByteSet, usize, usize), Error> {
    if strings.count == 0 {
        return Ok((ByteSet::NONE, 0, 0));
    }
    let (text, ends) = (strings.text(&block.sections)?, strings.ends(&block.sections)?);
    let mut is_met = [false; 256];
    let (mut shortest, mut longest) = (usize::MAX, 0);
    for index in 0..ends.len() {
        let length = range(ends, index).len();
        (shortest, longest) = (length.min(shortest), length.max(longest));
    }
    for byte in text {
        is_met[usize::from(*byte)] = true;
    }
    let mut of = ByteSet::NONE;
    (0..=u8::MAX).filter(|byte| is_met[usize::from(*byte)]).for_each(|byte| of.insert(byte));
    // Where lengths are not stored, newlines are nowhere but between strings.
    let of = if strings.lengths.is_none() { of.without(b'\n') } else { of };
    Ok((of, shortest, longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &'static str) -> Face<'static> {
        Face::Literal(text.as_bytes().into())
    }

    fn digits(shortest: usize, longest: usize) -> Face<'static> {
        Face::Bytes { of: ByteSet::DIGITS, shortest, longest }
    }

    #[test]
    fn templates_have_their_ends_in_common() {
        let requests = vec![
            VecDeque::from([literal("GET /users/"), digits(1, 5), literal(" HTTP/1.1")]),
            VecDeque::from([literal("POST /"), digits(2, 3), literal("/x HTTP/1.1")]),
            VecDeque::from([literal("GET / HTTP/1.1")]),
        ];
        let method = Face::Bytes { of: ByteSet::of(b"GETPOS"), shortest: 3, longest: 4 };
        let path = Face::Bytes { of: ByteSet::of(b"users/x").or(ByteSet::DIGITS), shortest: 0, longest: 11 };
        assert_eq!(in_common(requests, 100), [method, literal(" /"), path, literal(" HTTP/1.1")]);

        let alike = vec![VecDeque::from([digits(1, 2), literal("ab")]), VecDeque::from([digits(3, 4), literal("b")])];
        let rest = Face::Bytes { of: ByteSet::of(b"a"), shortest: 0, longest: 1 };
        assert_eq!(in_common(alike, 100), [digits(1, 4), rest, literal("b")]);
        assert_eq!(in_common(vec![VecDeque::new(), VecDeque::from([literal("ab")])], 1).len(), 1);
        assert_eq!(in_common(vec![VecDeque::from([literal("same")]); 2], 4), [literal("same")]);
        assert!(in_common(Vec::new(), 4).is_empty());
    }
}
