//! `logs`: prints and follows lines.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use regex::Regex;

use super::arguments::{LogsOptions, Tail};
use super::follow::{Latest, follow};
use super::format::{Form, Formatter, INTO_TEXT, Times};
use super::http::Agent;
use super::lines::{Ask, Event, around};
use super::records::Line;
use super::target::{Matcher, Wanted, conditions, quoted, streams};
use super::{Error, Result, terminal};

/// Levels from the least to the worst.
const LEVELS: [&str; 7] = ["trace", "debug", "info", "warn", "error", "critical", "fatal"];
/// What is written at a time, in bytes, while there is more.
const PIECE_BYTES: usize = 64 << 10;
/// How often it is shown how far a long answer is.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);
/// Between groups of lines that do not stand together, as grep has it.
const BREAK: &str = "--\n";

/// Runs the command.
pub(super) fn run(options: &LogsOptions) -> Result<()> {
    let agent = Agent::new(&options.connection)?;
    let (form, template) = Form::of(if options.raw { "raw" } else { &options.output })?;
    let context = context(options)?;
    if form == Form::Json && options.follow {
        return Err(Error::Usage(
            "-o json is one array, which -f would never end; -o jsonl is an object a line".into(),
        ));
    }
    if form == Form::Template && context.is_some() {
        return Err(Error::Usage(
            "lines around a hit are as they are stored: -o template cannot be with -C, -B, --after".into(),
        ));
    }
    let (query, is_one) = query(options, template.as_deref(), &agent)?;
    let formatter = Formatter {
        form,
        shows_time: options.timestamps.is_some(),
        times: Times::new(options.timestamps.as_ref().and_then(Option::as_deref), &options.appearance)?,
        has_prefix: form == Form::Default && !options.no_prefix && !is_one,
        has_colours: terminal::has_colours(&options.appearance.color),
        is_terminal: terminal::is_terminal(),
        highlight: alternatives(&options.highlight).map(|expression| regex("--highlight", &expression)).transpose()?,
    };
    let mut printer = Printer::new(formatter, options.max_lines);
    printer.shows_progress = !options.follow && terminal::shows_progress();
    printer.begin();
    let ask = Ask {
        query,
        start: options.since.clone().or_else(|| options.since_time.clone()),
        end: options.until.clone(),
        ..Ask::default()
    };
    match context {
        Some((before, after)) => with_context(&agent, options, ask, before, after, &mut printer)?,
        None => plain(&agent, options, ask, &mut printer)?,
    }
    printer.end()?;
    if options.fail_empty && printer.count == 0 { Err(Error::Failed) } else { Ok(()) }
}

/// How many lines are shown before and after each hit.
fn context(options: &LogsOptions) -> Result<Option<(usize, usize)>> {
    if options.context.or(options.before).or(options.after).is_none() {
        return Ok(None);
    }
    if options.include.is_empty() && options.level.is_none() {
        return Err(Error::Usage("-C, -B and --after are around hits of -i or --level, of which there is none".into()));
    }
    let count = |own: Option<usize>| own.or(options.context).unwrap_or(0);
    Ok(Some((count(options.before), count(options.after))))
}

/// The query in LogQL, and whether its lines are of one stream.
fn query(options: &LogsOptions, template: Option<&str>, agent: &Agent) -> Result<(String, bool)> {
    let mut scope = Vec::new();
    scope.extend(options.namespace.as_deref().map(|name| Matcher::equal("namespace", name)));
    scope.extend(options.container.as_deref().map(|name| Matcher::like("container", name)));
    scope.extend(options.selector.as_deref().map(conditions).transpose()?.unwrap_or_default());
    let wanted =
        Wanted { scope, targets: options.targets.clone(), previous: options.previous, may_come: options.follow };
    let streams = if wanted.needs_streams() {
        streams(agent, &[("query", wanted.scope().as_str()), ("steps", "1")])?.streams
    } else {
        Vec::new()
    };
    let meant = wanted.meant(&streams)?;
    let mut stages = String::new();
    for (flag, operator, expressions) in [("--include", "|~", &options.include), ("--exclude", "!~", &options.exclude)]
    {
        if let Some(expression) = alternatives(expressions) {
            regex(flag, &expression)?;
            write!(stages, " {operator} {}", quoted(&expression)).expect(INTO_TEXT);
        }
    }
    if let Some(level) = &options.level {
        let worse = LEVELS.iter().skip_while(|name| !name.eq_ignore_ascii_case(level)).copied().collect::<Vec<_>>();
        write!(stages, " | detected_level=~{}", quoted(&worse.join("|"))).expect(INTO_TEXT);
    }
    if let Some(template) = template {
        write!(stages, " | line_format {}", quoted(template)).expect(INTO_TEXT);
    }
    // Line filters stand first: they leave out most.
    Ok((format!("{}{stages}{}", meant.selector, meant.filter), meant.is_one))
}

/// One expression of what several match.
fn alternatives(expressions: &[String]) -> Option<String> {
    match expressions {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(several.iter().map(|one| format!("(?:{one})")).collect::<Vec<_>>().join("|")),
    }
}

fn regex(flag: &str, expression: &str) -> Result<Regex> {
    Regex::new(expression).map_err(|error| Error::Usage(format!("{flag} '{expression}': {error}")))
}

/// Prints lines, and then those that come.
fn plain(agent: &Agent, options: &LogsOptions, ask: Ask, printer: &mut Printer) -> Result<()> {
    let asked = ask.clone();
    let mut latest = Latest::default();
    let mut last: Option<Line> = None;
    let mut show = |event: Event<'_>, printer: &mut Printer| match event {
        Event::Line(line) => {
            if options.follow {
                last = Some(line.clone());
            }
            printer.line(line)
        }
        Event::Pause => printer.pause(),
    };
    let mut flow = ControlFlow::Continue(());
    if let Some(Tail::Newest(count)) = options.tail {
        // Where none is to be shown, one still says where to go on.
        let lines = ask.newest(agent, count.max(usize::from(options.follow)))?;
        for line in lines.iter().skip(lines.len().saturating_sub(count)) {
            flow = show(Event::Line(line), printer)?;
            if flow.is_break() {
                break;
            }
        }
        last = last.or_else(|| lines.last().cloned());
    } else {
        ask.forward(agent, &mut |event| {
            flow = show(event, printer)?;
            Ok(flow)
        })?;
    }
    printer.flush()?;
    if !options.follow || flow.is_break() {
        return Ok(());
    }
    if let Some(line) = &last {
        latest.note(line);
    }
    follow(agent, &asked, latest, &mut |event| match event {
        Event::Line(line) => printer.line(line),
        Event::Pause => printer.pause(),
    })
}

/// Prints hits with the lines around each.
fn with_context(
    agent: &Agent,
    options: &LogsOptions,
    ask: Ask,
    before: usize,
    after: usize,
    printer: &mut Printer,
) -> Result<()> {
    // The lines of the group that was printed last.
    let mut group: HashSet<String> = HashSet::new();
    let mut hit = |line: &Line| -> Result<ControlFlow<()>> {
        // One line more tells whether the group goes on from the one before.
        let lines = around(agent, &line.id(), before + 1, after)?;
        let is_joined = lines.iter().any(|line| group.contains(&line.id()));
        let first = lines.iter().position(|found| found.id() == line.id()).unwrap_or(0).saturating_sub(before);
        let new: Vec<&Line> = lines.iter().skip(first).filter(|line| !group.contains(&line.id())).collect();
        if !is_joined {
            if !group.is_empty() {
                printer.separate();
            }
            group.clear();
        }
        for line in new {
            group.insert(line.id());
            if printer.line(line)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        printer.pause()
    };
    if let Some(Tail::Newest(count)) = options.tail {
        for line in &ask.newest(agent, count)? {
            if hit(line)?.is_break() {
                break;
            }
        }
        return Ok(());
    }
    ask.forward(agent, &mut |event| match event {
        Event::Line(line) => hit(line),
        Event::Pause => Ok(ControlFlow::Continue(())),
    })
}

/// Writes lines to standard output, in pieces as long as there are more.
pub(super) struct Printer {
    formatter: Formatter,
    pub(super) count: u64,
    count_max: Option<u64>,
    piece: String,
    /// Whether standard error shows how far it is.
    shows_progress: bool,
    /// When that was shown last.
    progress_shown: Option<Instant>,
}

impl Printer {
    pub(super) fn new(formatter: Formatter, count_max: Option<u64>) -> Self {
        Self { formatter, count: 0, count_max, piece: String::new(), shows_progress: false, progress_shown: None }
    }

    pub(super) fn begin(&mut self) {
        if self.formatter.form == Form::Json {
            self.piece.push('[');
        }
    }

    pub(super) fn line(&mut self, line: &Line) -> Result<ControlFlow<()>> {
        if self.count_max.is_some_and(|max| max <= self.count) {
            return Ok(ControlFlow::Break(()));
        }
        if self.formatter.form == Form::Json {
            self.piece.push_str(if self.count == 0 { "\n" } else { "," });
        }
        self.formatter.push(&mut self.piece, line);
        self.count += 1;
        if PIECE_BYTES <= self.piece.len() {
            self.flush()?;
            self.show_progress(line.time);
        }
        Ok(if self.count_max == Some(self.count) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Shows what there is, as nothing comes at the moment.
    pub(super) fn pause(&mut self) -> Result<ControlFlow<()>> {
        self.flush()?;
        Ok(if terminal::is_reader_gone() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn separate(&mut self) {
        if matches!(self.formatter.form, Form::Default | Form::Raw) {
            self.piece.push_str(BREAK);
        }
    }

    pub(super) fn end(&mut self) -> Result<()> {
        if self.formatter.form == Form::Json {
            self.piece.push_str("]\n");
        }
        if self.progress_shown.is_some() {
            terminal::show_progress("");
        }
        self.flush()
    }

    fn show_progress(&mut self, time: i64) {
        let is_due = self.progress_shown.is_none_or(|shown| PROGRESS_INTERVAL <= shown.elapsed());
        if self.shows_progress && is_due {
            terminal::show_progress(&format!("{} lines, up to {}", self.count, self.formatter.times.text(time)));
            self.progress_shown = Some(Instant::now());
        }
    }

    fn flush(&mut self) -> Result<()> {
        if !self.piece.is_empty() {
            let mut stdout = io::stdout().lock();
            stdout.write_all(self.piece.as_bytes())?;
            stdout.flush()?;
            self.piece.clear();
        }
        Ok(())
    }
}
