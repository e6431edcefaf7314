//! `check`: what would keep the agent from working on this machine, before and while it runs.

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{Access, access};
use rustix::process::{Resource, getrlimit};

use super::arguments::{CheckOptions, Connection};
use super::http::{Agent, Refusal, reach};
use super::lists::bytes;
use super::{CheckRules, Error, Result, terminal};
use crate::config::{CollectorConfig, CollectorKind, Config, KubernetesApi, KubernetesConfig};
use crate::file;
use crate::own_log::escaped;

/// Most files and directories that are looked at.
const ENTRIES_MAX: usize = 100_000;
/// Least free space that the database can do well with, in bytes.
const FREE_BYTES_MIN: u64 = 1 << 30;
/// Least open files that the agent is well with.
const DESCRIPTORS_MIN: u64 = 1024;
/// No clock that is right says less, in seconds since the Unix epoch: the beginning of 2025.
const NOW_SECONDS_MIN: u64 = 1_735_689_600;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    /// The agent works, but not as well as it could.
    Doubtful,
    Bad,
}

/// What was found of one thing, and what mends it.
#[derive(Debug)]
struct Finding {
    verdict: Verdict,
    text: String,
    remedy: String,
}

impl Finding {
    fn good(text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Good, text: text.into(), remedy: String::new() }
    }

    fn doubtful(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Doubtful, text: text.into(), remedy: remedy.into() }
    }

    fn bad(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Bad, text: text.into(), remedy: remedy.into() }
    }
}

/// Runs the command. It fails where something is bad.
pub(super) fn run(options: &CheckOptions, check_rules: CheckRules) -> Result<()> {
    let flags = [OsString::from("monitoring-rs")].into_iter().chain(options.agent.iter().cloned());
    let config = Config::parse(flags).map_err(|error| Error::Usage(error.message))?;
    let mut findings = Vec::new();
    let collectors = if config.collectors.is_empty() { offered(&mut findings) } else { config.collectors };
    for CollectorConfig { kind, root_path: root } in &collectors {
        findings.extend(root_path(root.as_deref().unwrap_or_else(|| Path::new(kind.root_path_default()))));
    }
    if collectors.iter().any(|collector| collector.kind == CollectorKind::Kubernetes) {
        findings.extend(cluster(&config.kubernetes));
    }
    if !config.alerts.rules.is_empty() {
        findings.push(match check_rules(&config.alerts.rules) {
            Ok(count) => Finding::good(format!("{count} rules can be evaluated")),
            Err(error) => Finding::bad(
                error,
                "mend the file; the agent does not start with it, and one that runs goes on without it",
            ),
        });
    }
    findings.extend(data_directory(&config.data_directory));
    findings.push(descriptors());
    findings.push(clock());
    findings.push(listening(&config.listen));
    terminal::print(&findings.iter().map(line).collect::<String>())?;
    if findings.iter().any(|finding| finding.verdict == Verdict::Bad) { Err(Error::Failed) } else { Ok(()) }
}

/// What the agent takes by itself, where it is not told what to collect.
fn offered(findings: &mut Vec<Finding>) -> Vec<CollectorConfig> {
    let is_directory = |path: &str| {
        let metadata = file::metadata(Path::new(path));
        metadata.is_ok_and(|metadata| metadata.kind == file::Kind::Directory) && access(path, Access::READ_OK).is_ok()
    };
    let (kinds, why) = CollectorKind::offered(is_directory);
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    findings.push(Finding::good(format!("without --log-collector {} is taken: {why}", names.join(" and "))));
    kinds.into_iter().map(|kind| CollectorConfig { kind, root_path: None }).collect()
}

/// Whether the cluster can be asked for pods.
fn cluster(config: &KubernetesConfig) -> Vec<Finding> {
    const OFF: &str = "--kubernetes-api off collects without the labels of pods";
    let url = match &config.api {
        KubernetesApi::Off => return vec![Finding::good("the cluster is not asked for pods")],
        KubernetesApi::Unknown => {
            return vec![Finding::doubtful(
                "where the cluster's API is cannot be told, so pods have no labels",
                format!("say where: --kubernetes-api https://HOST:6443; or {OFF}"),
            )];
        }
        KubernetesApi::At(url) => url,
    };
    let mut findings = Vec::new();
    for path in [config.token_file(), config.ca_file()] {
        findings.push(match file::File::open(&path) {
            Ok(_) => Finding::good(format!("{} can be read", path.display())),
            Err(error) => Finding::doubtful(
                error.to_string(),
                format!("give the pod a service account (deploy/kubernetes), or {OFF}"),
            ),
        });
    }
    findings.push(match reach(url) {
        Ok(()) => Finding::good(format!("the cluster's API at {url} can be reached")),
        Err(error) => Finding::doubtful(
            format!("the cluster's API at {url} cannot be reached: {error}"),
            format!("see what is between: curl -k {url}/livez; or {OFF}"),
        ),
    });
    findings
}

fn line(finding: &Finding) -> String {
    let verdict = match finding.verdict {
        Verdict::Good => "ok   ",
        Verdict::Doubtful => "warn ",
        Verdict::Bad => "FAIL ",
    };
    let remedy =
        if finding.remedy.is_empty() { String::new() } else { format!("\n     -> {}", escaped(&finding.remedy)) };
    format!("{verdict}{}{remedy}\n", escaped(&finding.text))
}

/// Whether what is to be collected can be read, and watched.
fn root_path(root: &Path) -> Vec<Finding> {
    let shown = root.display();
    match file::metadata(root) {
        Err(error) => return vec![Finding::bad(error.to_string(), "give --root-path a directory that is there")],
        Ok(metadata) if metadata.kind != file::Kind::Directory => {
            return vec![Finding::bad(
                format!("{shown} is not a directory"),
                "give --root-path the directory the files are in",
            )];
        }
        Ok(_) => {}
    }
    let (mut pending, mut directories, mut files) = (vec![root.to_owned()], 0_u64, 0_u64);
    let mut unreadable: Vec<PathBuf> = Vec::new();
    while let Some(directory) = pending.pop() {
        directories += 1;
        let Ok(entries) = file::read_directory(&directory) else {
            unreadable.push(directory);
            continue;
        };
        for path in entries {
            match file::link_metadata(&path) {
                Ok(metadata) if metadata.kind == file::Kind::Directory && pending.len() < ENTRIES_MAX => {
                    pending.push(path);
                }
                Ok(_) => {
                    files += 1;
                    if access(&path, Access::READ_OK).is_err() {
                        unreadable.push(path);
                    }
                }
                Err(_) => unreadable.push(path),
            }
        }
        if ENTRIES_MAX as u64 <= directories + files {
            break;
        }
    }
    let readable = match unreadable.first() {
        None => Finding::good(format!("{shown}: {files} files in {directories} directories, all of which can be read")),
        Some(first) => {
            let count = unreadable.len();
            let text = format!("{count} of {} files and directories in {shown} cannot be read", files + directories);
            Finding::doubtful(
                text,
                format!("run the agent as a user who may: sudo setfacl -m u:$USER:rX '{}'", first.display()),
            )
        }
    };
    vec![readable, watches(files + directories)]
}

/// Whether inotify has room for so many watches.
fn watches(count: u64) -> Finding {
    let limit = number_in("/proc/sys/fs/inotify/max_user_watches");
    match limit {
        None => Finding::good("no limit of watches on this system"),
        Some(limit) if count <= limit / 2 => {
            Finding::good(format!("inotify allows {limit} watches, {count} are needed"))
        }
        Some(limit) => Finding::doubtful(
            format!(
                "inotify allows {limit} watches for all programs of a user, {count} are needed; the rest is polled"
            ),
            format!("sudo sysctl fs.inotify.max_user_watches={}", (count * 4).next_power_of_two()),
        ),
    }
}

fn number_in(path: &str) -> Option<u64> {
    let mut text = [0; 32];
    let count = file::File::open(Path::new(path)).and_then(|file| file.read_at(&mut text, 0)).ok()?;
    std::str::from_utf8(&text[..count]).ok()?.trim().parse().ok()
}

/// Whether the database can be written, and has room.
fn data_directory(directory: &Path) -> Vec<Finding> {
    let shown = directory.display();
    let Ok(absolute) = std::path::absolute(directory) else {
        return vec![Finding::bad(format!("{shown} is no path"), "give --data-directory a directory")];
    };
    // What is not there yet is made in the nearest directory that is.
    let Some(there) = absolute.ancestors().find(|path| file::metadata(path).is_ok()) else {
        return vec![Finding::bad(format!("{shown} is nowhere"), "give --data-directory a directory")];
    };
    if access(there, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let remedy = format!("sudo install -d -o $USER '{}'", absolute.display());
        return vec![Finding::bad(
            format!("{} cannot be written, so the database cannot be there", there.display()),
            remedy,
        )];
    }
    let mut findings = vec![Finding::good(format!("{shown} can be written"))];
    findings.push(match file::free_bytes(there) {
        Ok(free) if FREE_BYTES_MIN <= free => Finding::good(format!("{} are free for the database", bytes(free))),
        Ok(free) => Finding::doubtful(
            format!("{} are free for the database", bytes(free)),
            format!("make room, or keep less: --retention-size {}MiB", (free >> 21).max(1)),
        ),
        Err(error) => Finding::doubtful(error.to_string(), "see what the file system says: df"),
    });
    findings
}

fn descriptors() -> Finding {
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    if DESCRIPTORS_MIN <= limit {
        let limit = if limit == u64::MAX { "any number of".to_owned() } else { limit.to_string() };
        return Finding::good(format!("{limit} files may be open"));
    }
    let text = format!("only {limit} files may be open: further ones are opened and closed in turn");
    Finding::doubtful(text, "ulimit -Hn 65536, or LimitNOFILE=65536 in the unit")
}

fn clock() -> Finding {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
    if NOW_SECONDS_MIN <= seconds {
        return Finding::good("the clock is set");
    }
    Finding::bad(
        "the clock is wrong by years: lines without a time would be stored as that old",
        "sudo timedatectl set-ntp true",
    )
}

/// Whether the agent can listen, or does.
fn listening(address: &str) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::good(format!("{address} is free; no agent runs there")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => in_use(address),
        Err(error) => {
            Finding::bad(format!("cannot listen on {address}: {error}"), "choose another address: --listen :8001")
        }
    }
}

fn in_use(address: &str) -> Finding {
    let reachable = address.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]");
    let answer = Agent::answering_soon(&Connection { addr: reachable, token_file: None })
        .map(|agent| agent.get("/readyz", &[]).map(drop));
    match answer {
        Ok(Ok(())) => Finding::good(format!("an agent runs on {address}, and stores lines")),
        Ok(Err(Refusal::Refused { status: 503, message, .. })) => {
            Finding::bad(format!("an agent runs on {address}: {message}"), "see what is wrong: monitoring-rs status")
        }
        _ => Finding::bad(
            format!("another program listens on {address}"),
            format!(
                "end it, or choose another address: ss -ltnp 'sport = :{}'",
                address.rsplit(':').next().unwrap_or_default()
            ),
        ),
    }
}
