//! Chooses how each column is stored: the encoding that is estimated to be the smallest wins.

use std::ops::Range;

use super::clock;
use super::cost::{bits_per_byte, counts_bits, entropy_bits, numbers_bits, plane_bits, text_bits, to_f32};
use super::decimal;
use super::group::{Grain, Group, group};
use super::hex;
use super::numbers::{self, Encoded};
use super::places::{self, VOCABULARIES};
use super::tokenize::{self, SLOT};
use super::values::Values;
use super::vocabulary::Vocabulary;

/// Text has to be smaller than a column with a vocabulary by this factor, and being cut once more to gain as much,
/// because the one is slow to search and the other slow to decode.
const PREFERENCE: f32 = 1.2;
/// Columns estimated below this many bits are not looked at any further: templates would cost as much.
const CUT_BITS_MIN: f32 = 2048.0;
/// Values that tell whether a column repeats, and how it is best cut.
const SAMPLE_VALUES: usize = 1024;
/// A word has to be met so often on average for a vocabulary to pay.
const WORD_REPEATS_MIN: usize = 3;
/// Words looked at before a column is given up.
const WORDS_SEEN_MIN: usize = 1024;
/// What a column takes besides its values, in bits: its place in the structure.
const COLUMN_BITS: f32 = 64.0;
/// What a byte of a template takes, in bits.
const TEMPLATE_BITS_PER_BYTE: f32 = 5.0;

/// How a column is to be stored, and about how many bits that takes.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) form: Form,
    bits: f32,
}

/// The encodings of a column.
#[derive(Debug)]
pub(super) enum Form {
    /// The values one after the other.
    Text(Values),
    /// Distinct words, which of them follow one another in all values, how many of them each
    /// value has, and the bytes of the longest value.
    Words { words: [Values; VOCABULARIES], ids: Vec<u32>, counts: Vec<u32>, longest: usize },
    /// Distinct values, and for each row which one.
    Dictionary { values: Values, ids: Vec<u32> },
    /// Decimal numbers.
    Decimal { shape: decimal::Shape, numbers: Encoded },
    /// Times of day relative to the entries' own times.
    Clock { shape: clock::Shape, ahead: Encoded },
    /// Values cut into templates and columns of their own.
    Templates(Templates),
    /// Hexadecimal ids, packed.
    Hex { shape: hex::Shape, packed: Vec<u8> },
}

/// Templates, and for each row which one.
#[derive(Debug)]
pub(super) struct Templates {
    pub(super) ids: Vec<u32>,
    pub(super) templates: Vec<Template>,
}

/// What some rows have in common, and the columns of what they have not.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) row_count: usize,
    /// The text around the columns: one more than there are columns.
    pub(super) literals: Vec<Vec<u8>>,
    pub(super) columns: Vec<Column>,
}

/// Stores lines as templates.
pub(super) fn lines(lines: &[&[u8]], timestamps_ns: &[i64]) -> Templates {
    templates(lines, Grain::Line, |values, group| {
        if group.is_whole {
            return whole_column(values);
        }
        let times: Vec<i64> = group.rows.iter().map(|row| timestamps_ns[*row as usize]).collect();
        value_column(values, &times)
    })
}

/// Stores lines as they are.
pub(super) fn whole_lines(lines: &[&[u8]]) -> Templates {
    let mut values = Values::with_capacity(lines.len());
    for line in lines {
        values.push(line);
    }
    let column = Column { form: Form::Text(values), bits: 0.0 };
    let template = Template { row_count: lines.len(), literals: vec![Vec::new(); 2], columns: vec![column] };
    Templates { ids: vec![0; lines.len()], templates: vec![template] }
}

/// Cuts texts into templates; `choose` finds the form of each column that varies.
fn templates(texts: &[&[u8]], grain: Grain, choose: impl Fn(&Values, &Group) -> Column) -> Templates {
    let mut ids = vec![0; texts.len()];
    let mut templates = Vec::new();
    for (id, group) in (0..).zip(group(texts, grain)) {
        group.rows.iter().for_each(|row| ids[*row as usize] = id);
        templates.push(template(&group, &choose));
    }
    Templates { ids, templates }
}

/// Puts values that never vary back into the text of the template, and chooses a form for the others.
fn template(group: &Group, choose: impl Fn(&Values, &Group) -> Column) -> Template {
    let (mut literals, mut columns) = (Vec::new(), Vec::new());
    let mut texts = group.key.split(|byte| *byte == SLOT);
    let mut literal = texts.next().unwrap_or_default().to_vec();
    for (values, text) in group.columns.iter().zip(texts) {
        if let Some(value) = values.constant() {
            literal.extend_from_slice(value);
        } else {
            literals.push(std::mem::take(&mut literal));
            columns.push(choose(values, group));
        }
        literal.extend_from_slice(text);
    }
    literals.push(literal);
    Template { row_count: group.rows.len(), literals, columns }
}

/// The column of a slot of lines at these times.
fn value_column(values: &Values, timestamps_ns: &[i64]) -> Column {
    if let Some((shape, ahead)) = clock::parse(values, timestamps_ns) {
        return Column { form: Form::Clock { shape, ahead: numbers::encode(&ahead) }, bits: 0.0 };
    }
    let column = piece_column(values);
    if column.bits < CUT_BITS_MIN || matches!(column.form, Form::Decimal { .. } | Form::Hex { .. }) {
        return column;
    }
    // Whether cutting pays is seen in a sample.
    let sample = values.sample(SAMPLE_VALUES);
    let scale = to_f32(values.len()) / to_f32(sample.len());
    let words_bits = scale * words(&sample).map_or(f32::MAX, |words| words.bits);
    let cut_bits = scale * PREFERENCE * templates_bits(&value_templates(&sample));
    if cut_bits < words_bits.min(column.bits) {
        let templates = value_templates(values);
        return Column { bits: templates_bits(&templates), form: Form::Templates(templates) };
    }
    if words_bits < column.bits { words(values).unwrap_or(column) } else { column }
}

fn value_templates(values: &Values) -> Templates {
    let texts: Vec<&[u8]> = values.iter().collect();
    templates(&texts, Grain::Value, |values, _| piece_column(values))
}

/// The column of lines that share nothing.
fn whole_column(lines: &Values) -> Column {
    let column = piece_column(lines);
    words(lines).filter(|words| words.bits < column.bits).unwrap_or(column)
}

/// The column of values that are not cut any further.
fn piece_column(values: &Values) -> Column {
    let bits_per_byte = bits_per_byte(values);
    let text_bits = PREFERENCE * text_bits(values, bits_per_byte);
    let best = [decimal(values), hex(values), dictionary(values, bits_per_byte)].into_iter().flatten();
    let best = best.filter(|column| column.bits < text_bits).min_by(|a, b| a.bits.total_cmp(&b.bits));
    best.unwrap_or_else(|| Column { form: Form::Text(values.clone()), bits: text_bits })
}

fn decimal(values: &Values) -> Option<Column> {
    let (shape, numbers) = decimal::parse(values)?;
    let numbers = numbers::encode(&numbers);
    let bits = numbers_bits(&numbers);
    Some(Column { form: Form::Decimal { shape, numbers }, bits })
}

fn hex(values: &Values) -> Option<Column> {
    let (shape, packed) = hex::pack(values)?;
    let bits = plane_bits(&packed);
    Some(Column { form: Form::Hex { shape, packed }, bits })
}

/// The column as a dictionary, where values repeat.
fn dictionary(values: &Values, bits_per_byte: f32) -> Option<Column> {
    let mut vocabulary = Vocabulary::new(values.len());
    let mut ids = Vec::with_capacity(values.len());
    for range in values.ranges() {
        ids.push(vocabulary.count(values.text(), range));
        let is_settled = ids.len() == SAMPLE_VALUES && SAMPLE_VALUES - SAMPLE_VALUES / 8 < vocabulary.len();
        if is_settled || values.len() < 2 * vocabulary.len() {
            return None;
        }
    }
    let bits = text_bits(vocabulary.texts(), bits_per_byte) + vocabulary.id_bits();
    Some(Column { form: Form::Dictionary { values: vocabulary.into_sorted(&mut ids), ids }, bits })
}

/// The column as sequences of words, where words repeat.
fn words(values: &Values) -> Option<Column> {
    let text = values.text();
    let mut vocabulary = Vocabulary::new(text.len());
    let mut ids = Vec::new();
    let mut counts = Vec::with_capacity(values.len());
    for Range { start, end } in values.ranges() {
        let before = ids.len();
        for word in tokenize::words(&text[start..end]) {
            ids.push(vocabulary.count(text, start + word.start..start + word.end));
        }
        counts.push(u32::try_from(ids.len() - before).expect("no more than there are bytes"));
        if ids.len() + WORDS_SEEN_MIN < WORD_REPEATS_MIN * vocabulary.len() {
            return None;
        }
    }
    if vocabulary.len() < 2 || ids.len() < WORD_REPEATS_MIN * vocabulary.len() {
        return None;
    }
    let vocabulary_bits = text_bits(vocabulary.texts(), bits_per_byte(values));
    let bits = vocabulary_bits + vocabulary.id_bits() + counts_bits(&counts);
    let total = ids.len();
    let words = vocabulary.into_parts(&mut ids, |word, count| {
        let part = if places::is_frequent(count, total) { 0 } else { part_of_vocabulary(word) };
        (part, places::rank(count, total))
    });
    Some(Column { form: Form::Words { words, ids, counts, longest: values.longest() }, bits })
}

/// Words without digits, names with some, and numbers are apart, so that a search for one of them does not read the others:
/// most rare words are numbers.
fn part_of_vocabulary(word: &[u8]) -> usize {
    let is_of_number = |byte: &u8| !byte.is_ascii_alphabetic() || byte.is_ascii_hexdigit() || *byte == b'x';
    match word.iter().any(u8::is_ascii_digit) {
        false => 0,
        true if word.iter().all(is_of_number) => 2,
        true => 1,
    }
}

fn templates_bits(templates: &Templates) -> f32 {
    let row_counts = templates.templates.iter().map(|template| u32::try_from(template.row_count));
    let row_counts: Vec<u32> = row_counts.collect::<Result<_, _>>().expect("bounded by LINES_MAX");
    let literals = templates.templates.iter().flat_map(|template| &template.literals);
    let literal_bytes: usize = literals.map(|literal| 2 + literal.len()).sum();
    let columns = templates.templates.iter().flat_map(|template| &template.columns);
    let column_bits: f32 = columns.map(|column| COLUMN_BITS + column.bits).sum();
    entropy_bits(&row_counts) + column_bits + TEMPLATE_BITS_PER_BYTE * to_f32(literal_bytes)
}
