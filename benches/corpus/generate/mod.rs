//! Real-looking logs from a seed: the same seed gives the same bytes.
//!
//! A log is made of records (a line, or a line with its stack trace) that fill templates from [`kinds`]. What fills them
//! is distributed as in real logs: few users, paths and messages make up most of the lines, ids are met in a few
//! neighbouring lines and never again, and time goes forward. Benches include this folder with `#[path]`.

mod clock;
pub(crate) mod collection;
mod fields;
mod json_lines;
mod kinds;
mod quiet;
mod random;
mod samples;
mod text;

use clock::Clock;
use fields::{Field, Request};
use random::Random;

/// What a log looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// nginx's access log in the combined format.
    Nginx,
    /// An application's JSON lines.
    Json,
    /// An application's `key=value` lines.
    Logfmt,
    /// Kubernetes' own components (glog).
    Klog,
    /// syslog as in `/var/log/syslog` (RFC 3164).
    Syslog,
    /// A Java service with stack traces.
    Java,
    /// PostgreSQL's server log, with statements over several lines.
    Postgres,
    /// Text without a time.
    Plain,
}

impl Kind {
    /// All kinds.
    pub(crate) const ALL: [Self; 8] =
        [Self::Nginx, Self::Json, Self::Logfmt, Self::Klog, Self::Syslog, Self::Java, Self::Postgres, Self::Plain];

    /// The kind's name, as in file names and arguments.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Json => "json",
            Self::Logfmt => "logfmt",
            Self::Klog => "klog",
            Self::Syslog => "syslog",
            Self::Java => "java",
            Self::Postgres => "postgres",
            Self::Plain => "plain",
        }
    }
}

/// Writes one log, record by record.
#[derive(Clone, Debug)]
pub(crate) struct Generator {
    random: Random,
    clock: Clock,
    request: Request,
    record_count: u64,
    templates: Vec<Vec<Piece>>,
    /// The template of a record that is met once in [`RECORDS_PER_RARE`], where the kind has one.
    rare: Option<Vec<Piece>>,
}

/// A part of a template.
#[derive(Clone, Debug)]
enum Piece {
    Text(&'static str),
    Field(Field),
}

/// One in so many records begins a new request; the others tell more of the current one.
const RECORDS_PER_REQUEST: u64 = 3;
/// One in so many records is the kind's rare one: seldom enough to leave the mean length of a line alone.
const RECORDS_PER_RARE: u64 = 5_000;

impl Generator {
    /// A log of `kind` from its beginning; another seed gives another log.
    pub(crate) fn new(kind: Kind, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let request = Request::new(&mut random);
        let templates = kinds::templates(kind).iter().map(|template| parse(template)).collect();
        let rare = kinds::rare_template(kind).map(parse);
        Self { random, clock: Clock::new(), request, record_count: 0, templates, rare }
    }

    /// The same log without times.
    #[must_use]
    pub(crate) fn without_times(mut self) -> Self {
        for template in self.templates.iter_mut().chain(&mut self.rare) {
            template.retain(|piece| !matches!(piece, Piece::Field(Field::Time(_))));
        }
        self
    }

    /// Appends the next record: one line or, for a stack trace or a statement, several. Each ends with a newline.
    /// Returns the record's time, in nanoseconds since the Unix epoch.
    pub(crate) fn append_record(&mut self, out: &mut Vec<u8>) -> u64 {
        self.clock.advance(&mut self.random);
        self.record_count += 1;
        if self.random.one_in(RECORDS_PER_REQUEST) {
            self.request = Request::new(&mut self.random);
        }
        let template = match &self.rare {
            Some(rare) if self.random.one_in(RECORDS_PER_RARE) => rare,
            _ => self.random.pick(&self.templates),
        };
        for piece in template {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Field(field) => {
                    field.write(&mut self.random, &self.clock, &self.request, self.record_count, out);
                }
            }
        }
        out.push(b'\n');
        self.clock.now_ns()
    }
}

/// Splits `text <field> text` into its pieces.
fn parse(template: &'static str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('<') {
        let (name, after) = after.split_once('>').expect("every field of a template is closed");
        pieces.push(Piece::Text(text));
        pieces.push(Piece::Field(Field::named(name)));
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    pieces
}
