//! Writes a block: chooses the form of every column, puts the columns' parts into sections, and frames them.

use zstd::bulk::Compressor;

use super::choose::{self, Column, Form, Template, Templates};
use super::numbers::{self, Encoded, id_width, split_planes};
use super::read::Summary;
use super::sections::write_frame;
use super::structure::{Kind, Section};
use super::values::Values;
use super::wire::{put_bytes, put_length, put_varint};
use super::{Error, LINES_MAX};
use crate::model::{LINES_BYTES_MAX, Lines};

/// Parts of at least this many bytes get a section of their own: read only when needed, and with an entropy table that
/// fits them. Measured: smaller ones cost more space than they save.
const OWN_SECTION_BYTES: usize = 2048;
/// zstd's level; measured.
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

        let mut writer = Writer::new();
        let times = numbers::encode(&timestamps_ns);
        let section = writer.section(Section::Timestamps);
        times.layout.put(section);
        section.extend_from_slice(&times.planes);
        writer.templates(&choose::lines(&lines, &timestamps_ns));
        write_frame(&mut self.compressor, &summary, &writer.sections)
    }
}

/// The sections while they grow.
struct Writer {
    sections: Vec<Vec<u8>>,
}

impl Writer {
    fn new() -> Self {
        Self { sections: vec![Vec::new(); Section::SHARED] }
    }

    fn section(&mut self, section: Section) -> &mut Vec<u8> {
        &mut self.sections[section as usize]
    }

    fn structure(&mut self) -> &mut Vec<u8> {
        self.section(Section::Structure)
    }

    /// Puts a part of a column into a section of its own, or into the shared one for small parts of its kind, and notes
    /// which in the structure.
    fn place(&mut self, shared: Section, part: Vec<u8>) {
        let number = if part.len() < OWN_SECTION_BYTES {
            self.section(shared).extend_from_slice(&part);
            shared as usize
        } else {
            self.sections.push(part);
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
            Form::Words { .. } => Kind::Words,
            Form::Dictionary { .. } => Kind::Dictionary,
            Form::Decimal { .. } => Kind::Decimal,
            Form::Clock { .. } => Kind::Clock,
            Form::Templates(_) => Kind::Templates,
        };
        self.structure().push(kind as u8);
        match &column.form {
            Form::Text(values) => self.strings(Section::Text, values),
            Form::Words { words, ids, counts, longest } => {
                put_length(self.structure(), *longest);
                put_length(self.structure(), words.len());
                put_length(self.structure(), ids.len());
                self.strings(Section::Values, words);
                self.ids(ids, words.len());
                self.numbers(counts);
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
        }
    }

    fn numbers(&mut self, numbers: &Encoded) {
        numbers.layout.put(self.structure());
        self.place(Section::Numbers, numbers.planes.clone());
    }

    fn ids(&mut self, ids: &[u32], limit: usize) {
        let limit = u32::try_from(limit).expect("bounded by LINES_MAX");
        self.place(Section::Ids, split_planes(ids.iter().map(|id| u64::from(*id)), id_width(limit)));
    }

    /// Values, each followed by a newline; where there is a newline in one of them, their lengths are kept as well.
    fn strings(&mut self, shared: Section, values: &Values) {
        let text = values.text();
        put_length(self.structure(), text.len());
        put_length(self.structure(), values.longest());
        put_varint(self.structure(), u64::from(values.classes().bits()));
        self.place(shared, text.to_vec());
        let has_newlines = memchr::memchr_iter(b'\n', text).count() != values.len();
        self.structure().push(u8::from(has_newlines));
        if has_newlines {
            let length = |value: &[u8]| i64::try_from(value.len()).expect("bounded by LINES_BYTES_MAX");
            let lengths: Vec<i64> = values.iter().map(length).collect();
            self.numbers(&numbers::encode(&lengths));
        }
    }
}
