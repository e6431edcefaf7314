//! Writes a block: chooses the form of every column, puts the columns' parts into sections, and frames them.

use zstd::bulk::Compressor;

use super::choose::{self, Column, Form, Template, Templates};
use super::numbers::{self, Encoded, id_width, split_planes};
use super::places::{self, EncodedGroup};
use super::read::Summary;
use super::sections::{Content, VERSION, write_frame};
use super::structure::{Kind, Section};
use super::sums;
use super::times;
use super::values::Values;
use super::wire::{put_bytes, put_length, put_varint};
use super::{Error, LINES_MAX, SECTIONS_MAX};
use crate::model::{LINES_BYTES_MAX, Lines};

/// Ids and numbers of at least this many bytes get a section of their own: read only when needed, and with an entropy
/// table that fits them. Measured: from 512 to 8192 it hardly matters to size and speed.
const OWN_NUMBERS_BYTES: usize = 2048;
/// The same for texts: smaller ones are better off together, because the same names are in columns of many templates.
const OWN_TEXT_BYTES: usize = 16 << 10;
/// Text at the beginning of a block that is compressed by itself to see whether cutting it into columns paid.
const PLAIN_SAMPLE_BYTES: usize = 256 << 10;
/// zstd's level. Measured: 2 and 3 make blocks 1 % larger, because they find short matches in planes of numbers that are
/// better left to the entropy coder.
const LEVEL: i32 = 1;

/// Encodes blocks, one after the other; keeps zstd's working memory between them.
pub struct Encoder {
    compressor: Compressor<'static>,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encoder")
    }
}

impl Encoder {
    /// An encoder with its working memory, a few hundred kilobytes.
    ///
    /// # Errors
    ///
    /// [`Error::Compress`] where zstd cannot allocate it.
    pub fn new() -> Result<Self, Error> {
        let compressor = Compressor::new(LEVEL).map_err(Error::Compress)?;
        Ok(Self { compressor })
    }

    /// Encodes the lines of one stream, in the order given; takes about as much memory as the lines.
    ///
    /// The caller keeps them within [`LINES_BYTES_MAX`] bytes and [`LINES_MAX`] lines in all; a few MiB are best.
    ///
    /// # Errors
    ///
    /// [`Error::Compress`] where zstd refuses, which it has no reason to.
    pub fn encode(&mut self, parts: &[&Lines]) -> Result<Vec<u8>, Error> {
        let lines: Vec<&[u8]> = parts.iter().flat_map(|part| part.iter().map(|(_, line)| line)).collect();
        let timestamps_ns: Vec<i64> =
            parts.iter().flat_map(|part| part.timestamps()).map(|timestamp| timestamp.as_ns()).collect();
        let byte_count: usize = lines.iter().map(|line| line.len()).sum();
        assert!(byte_count <= LINES_BYTES_MAX, "the caller keeps a block's text within the limit");
        assert!(lines.len() <= LINES_MAX as usize, "the caller keeps a block's lines within the limit");

        let mut summary = Vec::new();
        Summary {
            line_count: u32::try_from(lines.len()).expect("bounded by LINES_MAX"),
            byte_count,
            first_ns: timestamps_ns.iter().copied().min().unwrap_or(0),
            last_ns: timestamps_ns.iter().copied().max().unwrap_or(0),
        }
        .put(&mut summary);

        let mut times = Content::default();
        times::put(&timestamps_ns, &mut times);
        let mut sums = Vec::new();
        sums::put(parts, &mut sums);
        let write = |encoder: &mut Self, lines: &Templates| encoder.write(&summary, (&times, &sums), lines);
        let block = write(self, &choose::lines(&lines, &timestamps_ns))?;
        if !self.is_smaller_as_text(&lines, byte_count, block.len())? {
            return Ok(block);
        }
        let plain = write(self, &choose::whole_lines(&lines))?;
        Ok(if plain.len() < block.len() { plain } else { block })
    }

    /// Whether zstd makes less of the lines as they are than `block_bytes`, as far as a sample tells.
    fn is_smaller_as_text(&mut self, lines: &[&[u8]], byte_count: usize, block_bytes: usize) -> Result<bool, Error> {
        let mut sample = Vec::with_capacity(PLAIN_SAMPLE_BYTES);
        for line in lines {
            if PLAIN_SAMPLE_BYTES <= sample.len() {
                break;
            }
            sample.extend_from_slice(line);
            sample.push(b'\n');
        }
        let sample_bytes = self.compressor.compress(&sample).map_err(Error::Compress)?.len();
        // Both sides times the product of the texts' lengths, so as not to divide.
        let text_bytes = byte_count + lines.len();
        Ok(sample_bytes as u64 * text_bytes as u64 <= block_bytes as u64 * sample.len() as u64)
    }

    fn write(&mut self, summary: &[u8], (times, sums): (&Content, &[u8]), lines: &Templates) -> Result<Vec<u8>, Error> {
        let mut writer = Writer::new();
        writer.sections[Section::Timestamps as usize] = times.clone();
        writer.section(Section::Sums).extend_from_slice(sums);
        writer.templates(lines);
        write_frame(&mut self.compressor, VERSION, summary, &writer.sections)
    }
}

/// The sections while they grow.
struct Writer {
    sections: Vec<Content>,
}

impl Writer {
    fn new() -> Self {
        Self { sections: vec![Content::default(); Section::SHARED] }
    }

    fn section(&mut self, section: Section) -> &mut Vec<u8> {
        &mut self.sections[section as usize].bytes
    }

    fn structure(&mut self) -> &mut Vec<u8> {
        self.section(Section::Structure)
    }

    /// Puts a part of a column, which is so many planes, into a section of its own, or into the shared one for small parts of
    /// its kind, and notes which in the structure.
    fn place(&mut self, shared: Section, part: &[u8], plane_count: usize) {
        let own_bytes =
            if matches!(shared, Section::Values | Section::Text) { OWN_TEXT_BYTES } else { OWN_NUMBERS_BYTES };
        let number = if part.len() < own_bytes || self.sections.len() == SECTIONS_MAX {
            // One table for all of them takes less than one for each.
            self.section(shared).extend_from_slice(part);
            shared as usize
        } else {
            self.sections.push(Content::of_planes(part, plane_count));
            self.sections.len() - 1
        };
        put_length(self.structure(), number);
    }

    fn templates(&mut self, templates: &Templates) {
        put_length(self.structure(), templates.templates.len());
        self.ids(&templates.ids, templates.templates.len());
        for Template { row_count, literals, columns } in &templates.templates {
            put_length(self.structure(), *row_count);
            put_length(self.structure(), columns.len());
            put_bytes(self.structure(), &literals[0]);
            for (column, literal) in columns.iter().zip(&literals[1..]) {
                self.column(column);
                put_bytes(self.structure(), literal);
            }
        }
    }

    fn column(&mut self, column: &Column) {
        let kind = match &column.form {
            Form::Text(_) => Kind::Text,
            Form::Words { .. } => Kind::Prose,
            Form::Dictionary { .. } => Kind::Dictionary,
            Form::Decimal { .. } => Kind::Decimal,
            Form::Clock { .. } => Kind::Clock,
            Form::Templates(_) => Kind::Templates,
            Form::Hex { .. } => Kind::Hex,
        };
        self.structure().push(kind as u8);
        match &column.form {
            Form::Text(values) => self.strings(Section::Text, values),
            Form::Words { words, ids, counts, longest } => {
                put_length(self.structure(), *longest);
                for words in words {
                    put_length(self.structure(), words.len());
                    self.strings(Section::Values, words);
                }
                self.places(ids, counts, words.iter().map(Values::len).sum());
            }
            Form::Dictionary { values, ids } => {
                put_length(self.structure(), values.len());
                self.strings(Section::Values, values);
                self.ids(ids, values.len());
            }
            Form::Decimal { shape, numbers } => {
                shape.put(self.structure());
                self.numbers(numbers);
            }
            Form::Clock { shape, ahead } => {
                shape.put(self.structure());
                self.numbers(ahead);
            }
            Form::Templates(templates) => self.templates(templates),
            Form::Hex { shape, packed } => {
                shape.put(self.structure());
                self.place(Section::Numbers, packed, 1);
            }
        }
    }

    fn numbers(&mut self, numbers: &Encoded) {
        numbers.layout.put(self.structure());
        self.place(Section::Numbers, &numbers.planes, numbers.layout.plane_count());
    }

    fn ids(&mut self, ids: &[u32], limit: usize) {
        let limit = u32::try_from(limit).expect("bounded by LINES_MAX");
        let width = id_width(limit);
        self.place(Section::Ids, &split_planes(&ids.iter().map(|id| u64::from(*id)), width), width);
    }

    fn places(&mut self, ids: &[u32], by_text: &[u32], word_count: usize) {
        let places = places::encode(ids, by_text, word_count);
        put_length(self.structure(), ids.len());
        put_length(self.structure(), places.frequent_count);
        put_length(self.structure(), places.frequent.len());
        self.ids(&places.frequent, places.frequent_count);
        self.counts(&places.frequent_by_text);
        self.counts(&places.rare_by_text);
        self.counts(&places.counts);
        put_length(self.structure(), places.groups.len());
        for EncodedGroup { word_count, gaps } in &places.groups {
            put_length(self.structure(), *word_count);
            put_length(self.structure(), gaps.len());
            self.counts(gaps);
        }
    }

    fn counts(&mut self, counts: &[u32]) {
        let planes = numbers::plain_planes(counts);
        let width = planes.len() / counts.len().max(1);
        put_length(self.structure(), width);
        self.place(Section::Numbers, &planes, width);
    }

    /// Values, each followed by a newline; where there is a newline in one of them, their lengths are kept as well.
    fn strings(&mut self, shared: Section, values: &Values) {
        let text = values.text();
        put_length(self.structure(), text.len());
        put_length(self.structure(), values.longest());
        put_varint(self.structure(), values.classes().bits());
        self.place(shared, text, 1);
        let has_newlines = memchr::memchr_iter(b'\n', text).count() != values.len();
        self.structure().push(u8::from(has_newlines));
        if has_newlines {
            let length = |value: &[u8]| i64::try_from(value.len()).expect("bounded by LINES_BYTES_MAX");
            let lengths: Vec<i64> = values.iter().map(length).collect();
            self.numbers(&numbers::encode(&lengths));
        }
    }
}
