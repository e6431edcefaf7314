//! `query`: lines and numbers by LogQL.

use super::arguments::QueryOptions;
use super::format::{Form, Formatter, Times};
use super::http::Agent;
use super::lines::Ask;
use super::logs::Printer;
use super::{Error, Result, numbers, terminal};

/// Runs the command.
pub(super) fn run(options: &QueryOptions) -> Result<()> {
    let agent = Agent::new(&options.connection)?;
    if !asks_for_lines(&options.query) {
        return numbers::run(options, &agent);
    }
    if options.instant || options.chart || options.step.is_some() {
        return Err(Error::Usage("--instant, --step and --chart are for numbers; this query asks for lines".into()));
    }
    let (form, template) = Form::of(&options.output)?;
    let stage = template.map(|template| format!(" | line_format {}", super::target::quoted(&template)));
    let query = format!("{}{}", options.query, stage.unwrap_or_default());
    let formatter = Formatter {
        form,
        shows_time: form == Form::Default,
        times: Times::new(None, &options.appearance)?,
        has_prefix: form == Form::Default,
        has_colours: terminal::has_colours(&options.appearance.color),
        is_terminal: terminal::is_terminal(),
        highlight: None,
    };
    let ask = Ask { query, start: options.from.clone(), end: options.to.clone(), ..Ask::default() };
    let mut printer = Printer::new(formatter, None);
    printer.begin();
    for line in ask.newest(&agent, options.limit)? {
        if printer.line(&line)?.is_break() {
            break;
        }
    }
    printer.end()?;
    if options.fail_empty && printer.count == 0 { Err(Error::Failed) } else { Ok(()) }
}

/// Whether a query is for lines: those begin with a selector, be it in parentheses or after a comment. Numbers never do.
fn asks_for_lines(query: &str) -> bool {
    let mut rest = query.trim_start();
    loop {
        rest = match rest.as_bytes().first() {
            Some(b'#') => rest.split_once('\n').map_or("", |(_, rest)| rest).trim_start(),
            Some(b'(') => rest[1..].trim_start(),
            first => return first == Some(&b'{'),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_for_lines_begins_with_a_selector() {
        for lines in ["{a=\"b\"}", " ( {a=\"b\"} |= `x`)", "# rate\n{a=\"b\"}"] {
            assert!(asks_for_lines(lines), "{lines}");
        }
        for numbers in ["rate({a=\"b\"}[5m])", "(sum(rate({a=\"b\"}[5m])))", "1", "# {\n1", ""] {
            assert!(!asks_for_lines(numbers), "{numbers}");
        }
    }
}
