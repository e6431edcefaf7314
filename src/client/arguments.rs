//! What can be asked in a terminal.

use std::ffi::OsString;

use structopt::StructOpt;
use structopt::clap::AppSettings;

use crate::config::VERSION;

/// Reads, follows and searches what an agent has; without a command this program is the agent, see --help
#[derive(Debug, StructOpt)]
#[structopt(
    name = "monitoring-rs",
    version = VERSION,
    global_settings = &[AppSettings::VersionlessSubcommands, AppSettings::UnifiedHelpMessage, AppSettings::DeriveDisplayOrder],
    setting = AppSettings::SubcommandRequiredElseHelp
)]
pub(super) struct Arguments {
    #[structopt(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, StructOpt)]
pub(super) enum Command {
    Logs(Box<LogsOptions>),
    Query(Box<QueryOptions>),
    Labels(LabelsOptions),
    Series(SeriesOptions),
    Fields(FieldsOptions),
    Patterns(PatternsOptions),
    Status(StatusOptions),
    Top(TopOptions),
    Check(CheckOptions),
    Healthcheck(HealthcheckOptions),
    Completions(CompletionsOptions),
    /// Prints the manual page, for man -l -
    Man,
}

// Not a doc comment: structopt would take it for the help of the command that the options are part of.
// Where the agent is.
#[derive(Debug, Clone, StructOpt)]
pub(super) struct Connection {
    /// The agent's address; user:password@ before the host says who asks
    #[structopt(long, env = "MONITORING_ADDR", default_value = "http://127.0.0.1:8000", hide_env_values = true)]
    pub(super) addr: String,

    /// The file of the token to send, where the agent asks for one
    #[structopt(long, env = "MONITORING_TOKEN_FILE", parse(from_os_str))]
    pub(super) token_file: Option<std::path::PathBuf>,
}

// How what is found is shown.
#[derive(Debug, Clone, StructOpt)]
pub(super) struct Appearance {
    /// Whether there are colours; `auto`: on a terminal, unless the variable `NO_COLOR` is set
    #[structopt(long, possible_values = &["auto", "always", "never"], default_value = "auto")]
    pub(super) color: String,

    /// The zone that times are shown in, such as UTC or Europe/Berlin; without it this machine's
    #[structopt(long, value_name = "zone")]
    pub(super) timezone: Option<String>,
}

const LOGS_HELP: &str = "\
TARGETS:
    A pod, a container, a compose service, a unit, a file's path or its last part; app/NAME, deployment/NAME, pod/NAME,
    container/NAME, service/NAME, unit/NAME, path/NAME to say which; or a regular expression of any of them. None: all.

SHORT FLAGS:
    As in kubectl, -A is all namespaces, and -n a namespace. So `-A` is not grep's lines after a hit: that is --after.
    As in stern, -i, -e and -H are for including, excluding and highlighting.

EXAMPLES:
    monitoring-rs logs web -f --since 15m
    monitoring-rs logs app/shop -n prod --level warn -t
    monitoring-rs logs syslog -i 'timed? out' -C 5
    monitoring-rs logs --since 1h -o jsonl > logs.jsonl";

/// Prints and follows lines, those of several streams merged by time
#[derive(Debug, StructOpt)]
#[structopt(after_help = LOGS_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "flags are yes or no")]
pub(super) struct LogsOptions {
    /// Whose lines; see TARGETS
    #[structopt(value_name = "target")]
    pub(super) targets: Vec<String>,

    /// Goes on with the lines that come
    #[structopt(short, long, conflicts_with = "until")]
    pub(super) follow: bool,

    /// Only lines newer than so long ago, such as 15m or 2d, or from a time on
    #[structopt(long, value_name = "time", conflicts_with = "since-time")]
    pub(super) since: Option<String>,

    /// Only lines from this time on: RFC 3339, Unix seconds or nanoseconds
    #[structopt(long, value_name = "time")]
    pub(super) since_time: Option<String>,

    /// Only lines up to this time, or so long ago
    #[structopt(long, value_name = "time")]
    pub(super) until: Option<String>,

    /// Only the newest so many of the lines there are; -1 or all: all of them
    #[structopt(long, value_name = "count", allow_hyphen_values = true, parse(try_from_str = tail))]
    pub(super) tail: Option<Tail>,

    /// Only this namespace
    #[structopt(short, long)]
    pub(super) namespace: Option<String>,

    /// All namespaces, as without -n
    #[structopt(short = "A", long, conflicts_with = "namespace")]
    #[expect(dead_code, reason = "it says what is so anyway, for fingers that are used to it")]
    pub(super) all_namespaces: bool,

    /// Only containers of this name, or that this regular expression matches as a whole
    #[structopt(short, long)]
    pub(super) container: Option<String>,

    /// Only streams with these labels: name=value, name!=value, name=~regex, name!~regex, separated by commas
    #[structopt(short = "l", long, value_name = "labels")]
    pub(super) selector: Option<String>,

    /// The container before the last restart
    #[structopt(short, long, conflicts_with = "follow")]
    pub(super) previous: bool,

    /// Only lines that match this regular expression, or another that is given (repeatable)
    #[structopt(short, long, value_name = "regex", number_of_values = 1)]
    pub(super) include: Vec<String>,

    /// No lines that match this regular expression (repeatable)
    #[structopt(short, long, value_name = "regex", number_of_values = 1)]
    pub(super) exclude: Vec<String>,

    /// Marks what matches this regular expression, where there are colours (repeatable)
    #[structopt(short = "H", long, value_name = "regex", number_of_values = 1)]
    pub(super) highlight: Vec<String>,

    /// Only lines of this level and worse
    #[structopt(long, possible_values = &["trace", "debug", "info", "warn", "error", "fatal"], case_insensitive = true)]
    pub(super) level: Option<String>,

    /// Lines around each hit, as they are stored: so many before and after it
    #[structopt(short = "C", long, value_name = "count", conflicts_with = "follow")]
    pub(super) context: Option<usize>,

    /// Lines before each hit
    #[structopt(short = "B", long, value_name = "count", conflicts_with = "follow")]
    pub(super) before: Option<usize>,

    /// Lines after each hit; without a short flag, see SHORT FLAGS
    #[structopt(long, value_name = "count", conflicts_with = "follow")]
    pub(super) after: Option<usize>,

    /// Begins lines with their time: as rfc3339, short (the time of day), or in strftime's words, such as '%H:%M:%S'
    #[structopt(short, long, value_name = "format", min_values = 0, max_values = 1, require_equals = true)]
    #[expect(clippy::option_option, reason = "the flag may be given without a value")]
    pub(super) timestamps: Option<Option<String>>,

    /// How lines are written: default, raw, json, jsonl, logfmt, or template='{{.level}} {{__line__}}' in LogQL's words
    #[structopt(short, long, default_value = "default", value_name = "form")]
    pub(super) output: String,

    /// Lines as they are stored, as -o raw
    #[structopt(long, conflicts_with = "output")]
    pub(super) raw: bool,

    /// Leaves out whose line it is
    #[structopt(long)]
    pub(super) no_prefix: bool,

    /// Ends after so many lines
    #[structopt(long, value_name = "count")]
    pub(super) max_lines: Option<u64>,

    /// Ends with status 1 where nothing is found
    #[structopt(long)]
    pub(super) fail_empty: bool,

    #[structopt(flatten)]
    pub(super) appearance: Appearance,

    #[structopt(flatten)]
    pub(super) connection: Connection,
}

/// Runs a query in LogQL: lines, or numbers as a table
#[derive(Debug, StructOpt)]
pub(super) struct QueryOptions {
    /// The query: LogQL, such as '{path=~".+"} |= "timeout"'
    pub(super) query: String,

    /// From a time on (RFC 3339, Unix seconds or nanoseconds), or so long ago; without it all lines, and numbers of an hour
    #[structopt(long, value_name = "time")]
    pub(super) from: Option<String>,

    /// Up to this time, or so long ago
    #[structopt(long, value_name = "time")]
    pub(super) to: Option<String>,

    /// The time between numbers, such as 1m
    #[structopt(long, value_name = "duration", conflicts_with = "instant")]
    pub(super) step: Option<String>,

    /// The newest so many lines
    #[structopt(long, value_name = "count", default_value = "1000")]
    pub(super) limit: usize,

    /// The numbers of one time: of --to, or now
    #[structopt(long, conflicts_with = "chart")]
    pub(super) instant: bool,

    /// Numbers as a chart
    #[structopt(long, conflicts_with = "output")]
    pub(super) chart: bool,

    /// Lines as `logs` writes them; numbers as default (a table), csv or json
    #[structopt(short, long, default_value = "default", value_name = "form")]
    pub(super) output: String,

    /// Ends with status 1 where nothing is found
    #[structopt(long)]
    pub(super) fail_empty: bool,

    #[structopt(flatten)]
    pub(super) appearance: Appearance,

    #[structopt(flatten)]
    pub(super) connection: Connection,
}

/// Lists the labels that streams have, or the values of one
#[derive(Debug, StructOpt)]
pub(super) struct LabelsOptions {
    /// The label whose values are listed
    pub(super) name: Option<String>,

    #[structopt(flatten)]
    pub(super) listing: Listing,

    #[structopt(flatten)]
    pub(super) connection: Connection,
}

/// Lists streams: how much each has, and when its last line came
#[derive(Debug, StructOpt)]
pub(super) struct SeriesOptions {
    /// Which streams, as a selector of LogQL; without it all
    pub(super) selector: Option<String>,

    #[structopt(flatten)]
    pub(super) listing: Listing,

    #[structopt(flatten)]
    pub(super) appearance: Appearance,

    #[structopt(flatten)]
    pub(super) connection: Connection,
}

/// Lists the fields that lines have, as JSON or logfmt
#[derive(Debug, StructOpt)]
pub(super) struct FieldsOptions {
    #[structopt(flatten)]
    pub(super) search: Search,
}

/// Lists what lines have in common, the most frequent first
#[derive(Debug, StructOpt)]
pub(super) struct PatternsOptions {
    #[structopt(flatten)]
    pub(super) search: Search,
}

// Which lines are looked at.
#[derive(Debug, StructOpt)]
pub(super) struct Search {
    /// Which lines, in LogQL; without it all
    pub(super) query: Option<String>,

    /// From a time on, or so long ago
    #[structopt(long, value_name = "time", default_value = "1h")]
    pub(super) from: String,

    /// Up to this time, or so long ago
    #[structopt(long, value_name = "time")]
    pub(super) to: Option<String>,

    #[structopt(flatten)]
    pub(super) listing: Listing,

    #[structopt(flatten)]
    pub(super) connection: Connection,
}

// How a list is written.
#[derive(Debug, StructOpt)]
pub(super) struct Listing {
    /// How it is written
    #[structopt(short, long, possible_values = &["default", "json"], default_value = "default", value_name = "form")]
    pub(super) output: String,
}

/// Says what is collected, how far behind it is, and what was lost and why
#[derive(Debug, StructOpt)]
pub(super) struct StatusOptions {
    #[structopt(flatten)]
    pub(super) listing: Listing,

    #[structopt(flatten)]
    pub(super) connection: Connection,
}

/// Shows which streams are the busiest; keys: q quits, and l, b, e, n sort by lines, bytes, errors and name
#[derive(Debug, StructOpt)]
pub(super) struct TopOptions {
    /// The seconds between two looks
    #[structopt(short, long, default_value = "2", value_name = "seconds")]
    pub(super) interval: u32,

    /// Ends after so many looks; where standard output is no terminal, after one
    #[structopt(long, value_name = "count")]
    pub(super) count: Option<u32>,

    #[structopt(flatten)]
    pub(super) connection: Connection,
}

/// Looks for what would keep the agent from working, and says what mends it; takes the agent's own flags
#[derive(Debug, StructOpt)]
#[structopt(settings = &[AppSettings::AllowLeadingHyphen, AppSettings::TrailingVarArg])]
pub(super) struct CheckOptions {
    /// The flags that the agent is started with, such as --root-path /var/log; see monitoring-rs --help
    #[structopt(value_name = "flags", parse(from_os_str))]
    pub(super) agent: Vec<OsString>,
}

/// Ends with status 0 if the agent stores lines, else with 1: for images without a shell
#[derive(Debug, StructOpt)]
pub(super) struct HealthcheckOptions {
    #[structopt(flatten)]
    pub(super) connection: Connection,
}

/// Prints what a shell needs to complete commands, and names from the agent that runs
#[derive(Debug, StructOpt)]
pub(super) struct CompletionsOptions {
    /// The shell; `targets` lists what `logs` may be asked for
    #[structopt(possible_values = &["bash", "zsh", "fish", "targets"])]
    pub(super) shell: String,

    #[structopt(flatten)]
    pub(super) connection: Connection,
}

/// How many of the lines there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    All,
    Newest(usize),
}

fn tail(text: &str) -> Result<Tail, String> {
    match text {
        "-1" | "all" => Ok(Tail::All),
        _ => text.parse().map(Tail::Newest).map_err(|_| format!("'{text}' is no count of lines, nor `all`")),
    }
}
