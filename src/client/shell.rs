//! `completions` and `man`: what shells and manuals need to know.

use roff::{Roff, bold, roman};
use structopt::StructOpt as _;
use structopt::clap::Shell;

use super::arguments::{Arguments, CompletionsOptions};
use super::http::Agent;
use super::lists::values;
use super::target::streams;
use super::{Result, terminal};
use crate::config::{Config, VERSION};

const NAME: &str = "monitoring-rs";
/// Labels whose values are names to ask for.
const TARGET_LABELS: [&str; 6] = ["pod", "container", "compose_service", "app", "unit", "path"];

/// Names from the running agent, after what clap knows.
const BASH: &str = r#"
_monitoring_rs_names() {
    local current="${COMP_WORDS[COMP_CWORD]}"
    case "${COMP_WORDS[1]}:$current" in
        logs:-*|labels:-*) _monitoring-rs ;;
        logs:*) COMPREPLY=($(compgen -W "$(monitoring-rs completions targets 2>/dev/null)" -- "$current")) ;;
        labels:*) COMPREPLY=($(compgen -W "$(monitoring-rs labels 2>/dev/null)" -- "$current")) ;;
        *) _monitoring-rs ;;
    esac
}
complete -F _monitoring_rs_names -o bashdefault -o default monitoring-rs
"#;
const ZSH: &str = r#"
_monitoring_rs_names() {
    case "${words[2]}:${words[CURRENT]}" in
        logs:-*|labels:-*) _monitoring-rs "$@" ;;
        logs:*) (( CURRENT == 2 )) && _monitoring-rs "$@" || compadd -- ${(f)"$(monitoring-rs completions targets 2>/dev/null)"} ;;
        labels:*) (( CURRENT == 2 )) && _monitoring-rs "$@" || compadd -- ${(f)"$(monitoring-rs labels 2>/dev/null)"} ;;
        *) _monitoring-rs "$@" ;;
    esac
}
compdef _monitoring_rs_names monitoring-rs
"#;
const FISH: &str = r#"
complete -c monitoring-rs -n "__fish_seen_subcommand_from logs" -f -a "(monitoring-rs completions targets 2>/dev/null)"
complete -c monitoring-rs -n "__fish_seen_subcommand_from labels" -f -a "(monitoring-rs labels 2>/dev/null)"
"#;

/// Runs `completions`.
pub(super) fn completions(options: &CompletionsOptions) -> Result<()> {
    let (shell, names) = match options.shell.as_str() {
        "bash" => (Shell::Bash, BASH),
        "zsh" => (Shell::Zsh, ZSH),
        "fish" => (Shell::Fish, FISH),
        _ => return targets(options),
    };
    let mut script = Vec::new();
    Arguments::clap().gen_completions_to(NAME, shell, &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        // clap has a program's subcommands under its name with `__` for a dash, and looks for them under its name with one.
        Shell::Bash => {
            script = script.replace("cmd=\"monitoring-rs\"", "cmd=\"monitoring__rs\"");
            script = script.replace("    monitoring-rs)\n            opts=", "    monitoring__rs)\n            opts=");
        }
        // It completes at once, as if the script were always loaded by a completion and never by `source`.
        Shell::Zsh => {
            let call = "\n_monitoring-rs \"$@\"";
            script = script.replace(call, "\n[[ $funcstack[1] != _monitoring-rs ]] || _monitoring-rs \"$@\"");
        }
        _ => {}
    }
    Ok(terminal::print(&(script + names))?)
}

fn targets(options: &CompletionsOptions) -> Result<()> {
    let agent = Agent::new(&options.connection)?;
    let known = values(&streams(&agent, &[("steps", "1")])?.streams);
    let names = TARGET_LABELS.iter().filter_map(|label| known.get(*label)).flatten();
    Ok(terminal::print(&names.flat_map(|name| [name.as_str(), "\n"]).collect::<String>())?)
}

/// Runs `man`.
pub(super) fn manual() -> Result<()> {
    let mut page = Roff::new();
    let version = format!("{NAME} {VERSION}");
    page.control("TH", [NAME, "1", "", version.as_str()]);
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{NAME} - collects, stores and searches the logs of one machine"))]);
    page.control("SH", ["THE AGENT"]);
    verbatim(&mut page, &Config::parse([NAME, "--help"]).map_or_else(|error| error.message, |_| String::new()));
    let app = Arguments::clap();
    for command in app.p.subcommands() {
        let name = command.p.meta.name.clone();
        page.control("SH", [name.to_uppercase().as_str()]);
        page.text([bold(format!("{NAME} {name}"))]);
        let help = Arguments::from_iter_safe([NAME, name.as_str(), "--help"]);
        verbatim(&mut page, &help.map_or_else(|error| error.message, |_| String::new()));
    }
    Ok(terminal::print(&page.to_roff())?)
}

fn verbatim(page: &mut Roff, text: &str) {
    page.control("nf", []);
    for line in text.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
}
