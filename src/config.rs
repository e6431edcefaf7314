//! Arguments and environment become one validated value; nothing else reads either.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use structopt::StructOpt;
use structopt::clap::{self, ErrorKind};

/// What `--version` says after the name.
pub const VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (commit ", env!("MONITORING_COMMIT"), ", ", env!("MONITORING_TARGET"), ")");
/// The commit this was built from.
pub const COMMIT: &str = env!("MONITORING_COMMIT");

const EXAMPLES: &str = "EXAMPLES:
    # The logs of this machine, then open http://127.0.0.1:8000/
    monitoring-rs --log-collector Directory --root-path /var/log

    # Only nginx's, from now on, on another port
    monitoring-rs --log-collector Directory --root-path /var/log --include 'nginx/*.log' --start-from end --listen :9000

    # What this host offers: a Kubernetes node's containers, Docker's, or /var/log
    monitoring-rs

    # The containers of a Kubernetes node, and the node's own logs
    monitoring-rs --log-collector Kubernetes --log-collector Directory --root-path /var/log

    # Only systemd's journal
    monitoring-rs --log-collector Journal

    # In a terminal: what an agent has; `monitoring-rs help` lists the commands
    monitoring-rs logs syslog -f
";

/// clap's own would name each flag that has a default as if it had to be given.
const USAGE: &str = "monitoring-rs [--log-collector <log-collector> [--root-path <root-path>]]... [OPTIONS]";

/// Where the tokens of pods are, and in it the files that a pod asks the API with.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const TOKEN_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const CA_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

/// Where the journal is until the machine has started, or always.
pub const VOLATILE_JOURNAL: &str = "/run/log/journal";

const ZONE: &str = "TIME ZONE:
    A time in a line that names no zone is in this process's: that of the variable TZ, or else of /etc/localtime";

/// Whether the environment asks for no colours, as <https://no-color.org> has it.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]
pub fn refuses_colours() -> bool {
    let is = |name, expected: &dyn Fn(&str) -> bool| std::env::var(name).is_ok_and(|value| expected(&value));
    is("NO_COLOR", &|value| !value.is_empty()) || is("TERM", &|value| value == "dumb")
}

/// Where entries come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CollectorKind {
    /// Every file in a directory tree.
    Directory,
    /// The container logs of a Kubernetes node.
    Kubernetes,
    /// The container logs of a Docker engine.
    Docker,
    /// The journal of systemd.
    Journal,
}

impl CollectorKind {
    /// The name that `--log-collector` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Directory => "Directory",
            Self::Kubernetes => "Kubernetes",
            Self::Docker => "Docker",
            Self::Journal => "Journal",
        }
    }

    /// The directory that is collected from where none is given.
    pub fn root_path_default(self) -> &'static str {
        match self {
            Self::Directory => "/var/log",
            Self::Kubernetes => "/var/log/containers",
            Self::Docker => "/var/lib/docker/containers",
            Self::Journal => "/var/log/journal",
        }
    }

    /// What a host offers to collect, and why that; `is_directory` says whether there is one that can be read.
    pub fn offered(is_directory: impl Fn(&str) -> bool) -> (Vec<Self>, &'static str) {
        if is_directory(SERVICE_ACCOUNT) && is_directory("/var/log/pods") {
            (vec![Self::Kubernetes], "this is a pod on a node whose logs are in /var/log/pods")
        } else if is_directory(Self::Docker.root_path_default()) {
            (vec![Self::Docker], "Docker's containers are in /var/lib/docker/containers")
        } else if is_directory(Self::Journal.root_path_default()) || is_directory(VOLATILE_JOURNAL) {
            (vec![Self::Directory, Self::Journal], "there is a journal, and there are neither pods nor containers")
        } else {
            (vec![Self::Directory], "there are neither pods nor containers here that could be read")
        }
    }

    fn of(name: &str) -> Self {
        let kinds = [Self::Kubernetes, Self::Docker, Self::Journal];
        kinds.into_iter().find(|kind| name.eq_ignore_ascii_case(kind.name())).unwrap_or(Self::Directory)
    }
}

/// Everything the agent was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where entries come from; where nothing is said, what the host offers.
    pub collectors: Vec<CollectorConfig>,
    /// Where the database lives.
    pub data_directory: PathBuf,
    /// How long lines are kept once they are stored; `None` for as long as there is room.
    pub retention_age: Option<Duration>,
    /// How many bytes stored lines may take; `None` for what the file system allows.
    pub retention_bytes: Option<u64>,
    /// How many bytes of memory the process may take; `None` for what is usual.
    pub memory_bytes: Option<u64>,
    /// The address to serve on, as `host:port`.
    pub listen: String,
    /// Host names that requests may be addressed to, besides addresses and local names.
    pub allowed_hosts: Vec<String>,
    /// Who may ask.
    pub access: AccessConfig,
    /// Whether files that exist at the first start are read from their end.
    pub start_from_end: bool,
    /// Patterns of files to collect.
    pub include: Vec<String>,
    /// Patterns of files to leave out.
    pub exclude: Vec<String>,
    /// Whether lines that belong together become one entry.
    pub multiline: bool,
    /// The Kubernetes node's name.
    pub node_name: Option<String>,
    /// How the cluster is asked for pods.
    pub kubernetes: KubernetesConfig,
    /// Patterns of labels of Docker's containers that are joined to their streams.
    pub docker_labels: Vec<String>,
    /// Where lines are forwarded to.
    pub forward: ForwardConfig,
    /// What is watched for in lines, and who is told.
    pub alerts: AlertsConfig,
}

/// What is watched for in lines, and who is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertsConfig {
    /// Rule files, and directories of them.
    pub rules: Vec<PathBuf>,
    /// How long lines may come late.
    pub delay: Duration,
    /// Who is told.
    pub notify: Vec<SendTarget>,
    /// Where people find the agent; `None` where it listens.
    pub external_url: Option<String>,
}

/// Where lines are forwarded to, and which.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForwardConfig {
    /// The targets.
    pub targets: Vec<SendTarget>,
    /// Whether lines are sent that were stored before a target was named.
    pub from_beginning: bool,
    /// Selectors of the streams to send.
    pub include: Vec<String>,
    /// Selectors of those to leave out.
    pub exclude: Vec<String>,
    /// Labels to add, as `name=value`.
    pub labels: Vec<String>,
}

/// Someone that is sent to: a target that lines are forwarded to, or a receiver of alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendTarget {
    /// Its address.
    pub address: String,
    /// The file of headers to send.
    pub header_file: Option<PathBuf>,
    /// The file of the certificates that it is trusted by.
    pub ca_file: Option<PathBuf>,
}

/// Who may ask, and how they say who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessConfig {
    /// The file of names and tokens.
    pub token_file: Option<PathBuf>,
    /// The file of names and hashes of passwords.
    pub user_file: Option<PathBuf>,
    /// Whether everybody may ask where neither is given, on whatever address.
    pub allows_anonymous: bool,
    /// Networks of proxies that have asked who it is.
    pub proxies: Vec<String>,
    /// The header in which these say so.
    pub proxy_header: String,
    /// Whether the agent's own numbers are there for everybody.
    pub opens_metrics: bool,
    /// The files of the certificate and its key; `None` for plain HTTP.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The file of certificates of whose clients one is asked for.
    pub tls_client_ca: Option<PathBuf>,
}

/// Where entries come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorConfig {
    /// What is collected.
    pub kind: CollectorKind,
    /// The directory to collect from; `None` for the collector's own default.
    pub root_path: Option<PathBuf>,
}

/// Where a cluster is asked for pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KubernetesApi {
    /// Nowhere.
    Off,
    /// Nobody says where, as outside of a cluster.
    #[default]
    Unknown,
    /// At this address.
    At(String),
}

/// What is asked of a cluster, and what is taken of its answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesConfig {
    /// The API server's address.
    pub api: KubernetesApi,
    /// The file of the token to send.
    pub token_file: Option<PathBuf>,
    /// The file of the certificates to trust.
    pub ca_file: Option<PathBuf>,
    /// `all`, `none`, or patterns of labels of pods that are shown; without any, those that people look for.
    pub pod_labels: Vec<String>,
    /// The namespaces to collect; without any, all.
    pub include_namespaces: Vec<String>,
    /// Those to leave out.
    pub exclude_namespaces: Vec<String>,
}

impl KubernetesConfig {
    /// The file of the token to send: the service account's, where none is given.
    pub fn token_file(&self) -> PathBuf {
        self.token_file.clone().unwrap_or_else(|| TOKEN_FILE.into())
    }

    /// The file of the certificates to trust, likewise.
    pub fn ca_file(&self) -> PathBuf {
        self.ca_file.clone().unwrap_or_else(|| CA_FILE.into())
    }
}

/// Collects, stores and searches the logs of one machine, and serves them over HTTP.
#[derive(Debug, StructOpt)]
#[structopt(name = "monitoring-rs", version = VERSION, before_help = EXAMPLES, after_help = ZONE, usage = USAGE)]
struct Arguments {
    /// Where entries come from: every file in a directory tree, the containers of a Kubernetes node, those of a Docker
    /// engine, or systemd's journal; without it, what this host offers [repeatable; separated by colons in the variable]
    #[structopt(long, env, possible_values = &["Directory", "Kubernetes", "Docker", "Journal"], case_insensitive = true,
                number_of_values = 1, value_delimiter = ":", use_delimiter = true)]
    log_collector: Vec<String>,

    /// The directory that the collector before it collects from; by default /var/log/containers for Kubernetes,
    /// /var/lib/docker/containers for Docker, /var/log/journal and /run/log/journal for Journal [repeatable; several in the
    /// variable are separated by colons]
    #[structopt(long, env, parse(from_os_str), number_of_values = 1)]
    root_path: Vec<OsString>,

    /// Where the database lives
    #[structopt(long, env, parse(from_os_str), default_value = ".data")]
    data_directory: PathBuf,

    /// How long lines are kept once they are stored, such as 12h, 30d or 4w; without it as long as there is room
    #[structopt(long, env, parse(try_from_str = retention_age))]
    retention_age: Option<Duration>,

    /// How much stored lines may take, such as 500MiB or 10GiB; without it a tenth of the file system, 10 GiB at most
    #[structopt(long, env, parse(try_from_str = retention_size))]
    retention_size: Option<u64>,

    /// How much memory the agent may take, such as 192MiB, which is the default; less where its control group has less
    #[structopt(long, env, parse(try_from_str = memory_size))]
    memory: Option<u64>,

    /// The address to serve on, as host:port; without a host only this machine is served, port 0 picks a free one
    #[structopt(long, env, default_value = "127.0.0.1:8000")]
    listen: String,

    /// A host name that requests may be addressed to, besides addresses, localhost, names without a dot and a cluster's
    /// names in full, such as monitoring-rs.monitoring.svc [repeatable; separated by colons in the variable]
    #[structopt(long, env, number_of_values = 1, value_delimiter = ":", use_delimiter = true)]
    allowed_hosts: Vec<String>,

    #[structopt(flatten)]
    access: AccessArguments,

    /// Where to start in files that exist at the very first start
    #[structopt(long, env, possible_values = &["beginning", "end"], case_insensitive = true, default_value = "beginning")]
    start_from: String,

    /// A glob of files to collect, by name or by path under the root, or of units of the journal; without any: all but
    /// archives and binary files [repeatable; several in the variable are separated by colons]
    #[structopt(long, env, number_of_values = 1, value_delimiter = ":", use_delimiter = true)]
    include: Vec<String>,

    /// A glob of files or units to leave out; wins over --include [repeatable; separated by colons in the variable]
    #[structopt(long, env, number_of_values = 1, value_delimiter = ":", use_delimiter = true)]
    exclude: Vec<String>,

    /// Whether lines that belong together become one entry: stack traces and indented continuations
    #[structopt(long, env, possible_values = &["auto", "off"], case_insensitive = true, default_value = "off")]
    multiline: String,

    /// The name of the Kubernetes node, for the label `node` and to ask for its pods
    #[structopt(long, env)]
    node_name: Option<String>,

    /// The address of the Kubernetes API, with its scheme and port, to ask for the labels of this node's pods; without it the
    /// service account's, and `off` for none
    #[structopt(long, env)]
    kubernetes_api: Option<String>,

    /// The file of the token for the Kubernetes API; without it the service account's
    #[structopt(long, env, parse(from_os_str))]
    kubernetes_token_file: Option<PathBuf>,

    /// The file of the certificates that the Kubernetes API is trusted by; without it the service account's
    #[structopt(long, env, parse(from_os_str))]
    kubernetes_ca_file: Option<PathBuf>,

    /// Which labels of pods are shown: `all`, `none`, or a glob; without it all that people look for
    /// [repeatable; separated by colons in the variable]
    #[structopt(long, env, number_of_values = 1, value_delimiter = ":", use_delimiter = true)]
    pod_labels: Vec<String>,

    /// A glob of labels of Docker's containers to join, besides those of Compose and Swarm
    /// [repeatable; separated by colons in the variable]
    #[structopt(long, env, number_of_values = 1, value_delimiter = ":", use_delimiter = true)]
    docker_labels: Vec<String>,

    /// Where a pod is told that the Kubernetes API is
    #[structopt(long, env, hidden = true)]
    kubernetes_service_host: Option<String>,

    /// And its port
    #[structopt(long, env, hidden = true)]
    kubernetes_service_port: Option<String>,

    /// A namespace of Kubernetes to collect; without any all are [repeatable; separated by colons in the variable]
    #[structopt(long, env, number_of_values = 1, value_delimiter = ":", use_delimiter = true)]
    include_namespace: Vec<String>,

    /// A namespace of Kubernetes to leave out [repeatable; separated by colons in the variable]
    #[structopt(long, env, number_of_values = 1, value_delimiter = ":", use_delimiter = true)]
    exclude_namespace: Vec<String>,

    #[structopt(flatten)]
    forward: ForwardArguments,

    #[structopt(flatten)]
    alerts: AlertArguments,
}

/// What is watched for in lines, as the user says it.
#[derive(Debug, StructOpt)]
struct AlertArguments {
    /// A file of rules as Loki's ruler has them, or a directory of such files; read again when they change [repeatable; separated
    /// by colons in the variable]
    #[structopt(long, env, parse(from_os_str), number_of_values = 1, value_delimiter = ":", use_delimiter = true)]
    rules: Vec<PathBuf>,

    /// How long lines may come late: a time is looked at once so much has passed since, such as 5s or 2m
    #[structopt(long, env, parse(try_from_str = short_time), default_value = "5s")]
    rules_delay: Duration,

    /// Who is told of alerts: `alertmanager+http://host:9093`, `webhook+https://host/path`, `slack+https://…` or
    /// `ntfy+https://host/topic` [repeatable; separated by commas in the variable]
    #[structopt(long, env, number_of_values = 1, value_delimiter = ",", use_delimiter = true)]
    notify: Vec<String>,

    /// The file of headers to send to the receiver before it, a line each; nobody else may read it [may be repeated]
    #[structopt(long, env, parse(from_os_str), number_of_values = 1)]
    notify_header_file: Vec<PathBuf>,

    /// The file of the certificates that the receiver before it is trusted by, instead of this machine's [may be repeated]
    #[structopt(long, env, parse(from_os_str), number_of_values = 1)]
    notify_ca_file: Vec<PathBuf>,

    /// Where people find this agent, for links in alerts; without it the address that it listens on
    #[structopt(long, env)]
    external_url: Option<String>,
}

// Where lines are forwarded to, as the user says it. No documentation: it would be that of the program.
#[derive(Debug, StructOpt)]
struct ForwardArguments {
    /// Where to send lines to as well: Loki or another agent of this kind as `loki+https://host`, OpenTelemetry as
    /// `otlp+https://host` [repeatable; separated by commas in the variable]
    #[structopt(long, env, number_of_values = 1, value_delimiter = ",", use_delimiter = true)]
    forward: Vec<String>,

    /// The file of headers to send to the target before it, a line each, such as Authorization: Bearer …; nobody else may read it
    /// [may be repeated]
    #[structopt(long, env, parse(from_os_str), number_of_values = 1)]
    forward_header_file: Vec<PathBuf>,

    /// The file of the certificates that the target before it is trusted by, instead of this machine's [may be repeated]
    #[structopt(long, env, parse(from_os_str), number_of_values = 1)]
    forward_ca_file: Vec<PathBuf>,

    /// Where to start with a target that is new
    #[structopt(long, env, possible_values = &["now", "beginning"], case_insensitive = true, default_value = "now")]
    forward_from: String,

    /// A selector of streams to send, such as {namespace="shop"}; without any: all [may be repeated]
    #[structopt(long, env, number_of_values = 1)]
    forward_include: Vec<String>,

    /// A selector of streams to leave out; wins over --forward-include [may be repeated]
    #[structopt(long, env, number_of_values = 1)]
    forward_exclude: Vec<String>,

    /// A label to add to all that is sent, such as cluster=a [repeatable; separated by commas in the variable]
    #[structopt(long, env, number_of_values = 1, value_delimiter = ",", use_delimiter = true)]
    forward_label: Vec<String>,
}

// Who may ask, as the user says it; likewise.
#[derive(Debug, StructOpt)]
struct AccessArguments {
    /// The file of programs' names and tokens, which they send as bearer; see docs/access.md
    #[structopt(long, env, parse(from_os_str))]
    auth_token_file: Option<PathBuf>,

    /// The file of people's names and passwords, as htpasswd -B writes it; they log in on the page
    #[structopt(long, env, parse(from_os_str))]
    auth_user_file: Option<PathBuf>,

    /// Lets everybody who reaches --listen read and push, where neither file is given and that is not only this machine; the
    /// variable takes true
    #[structopt(long)]
    allow_anonymous: bool,

    /// A network of proxies that are trusted to have asked who it is, such as 10.0.0.0/8 [repeatable; separated by commas in the
    /// variable]
    #[structopt(long, env, number_of_values = 1, value_delimiter = ",", use_delimiter = true)]
    trust_proxy: Vec<String>,

    /// The header in which they say so
    #[structopt(long, env, default_value = "X-Forwarded-User")]
    proxy_user_header: String,

    /// Lets everybody read /metrics; the variable takes true
    #[structopt(long)]
    open_metrics: bool,

    /// The file of the certificate to speak TLS with, and those between it and its root, as PEM; read again when it changes
    #[structopt(long, env, parse(from_os_str), requires = "tls-key")]
    tls_certificate: Option<PathBuf>,

    /// The file of its key
    #[structopt(long, env, parse(from_os_str), requires = "tls-certificate")]
    tls_key: Option<PathBuf>,

    /// The file of certificates that clients have to have one of
    #[structopt(long, env, parse(from_os_str), requires = "tls-certificate")]
    tls_client_ca: Option<PathBuf>,
}

/// Whether a flag is set by its variable: clap takes none for what has no value.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the environment")]
fn is_set(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
}

impl Config {
    /// Reads `arguments`, the program's name first, and the environment.
    ///
    /// # Errors
    ///
    /// clap's, whose message is ready to be printed: a usage error, or the text of `--help`. That of `--version` is on
    /// standard output already, but for the end of its line.
    pub fn parse<I>(arguments: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator,
        I::Item: Into<OsString> + Clone,
    {
        let mut app = Arguments::clap();
        // An empty variable is one that is not set, as Compose's `${X:-}` has it; clap would take it for a value.
        for option in &mut app.p.opts {
            if let Some((_, value)) = &mut option.v.env {
                value.take_if(|value| value.is_empty());
            }
        }
        let matches = app.get_matches_from_safe(arguments)?;
        let arguments = Arguments::from_clap(&matches);
        let collectors = collectors(&matches, &arguments)?;
        let ForwardArguments { forward, forward_header_file, forward_ca_file, .. } = &arguments.forward;
        let headers = ("forward-header-file", forward_header_file.as_slice());
        let forward = targets(&matches, ("forward", forward), headers, ("forward-ca-file", forward_ca_file))?;
        let AlertArguments { notify, notify_header_file, notify_ca_file, .. } = &arguments.alerts;
        let headers = ("notify-header-file", notify_header_file.as_slice());
        let notify = targets(&matches, ("notify", notify), headers, ("notify-ca-file", notify_ca_file))?;
        let (host, port) = (arguments.kubernetes_service_host.as_deref(), arguments.kubernetes_service_port.as_deref());
        let service = service_address(host, port);
        let filled = |texts: Vec<String>| texts.into_iter().filter(|text| !text.is_empty()).collect();
        Ok(Self {
            collectors,
            data_directory: arguments.data_directory,
            retention_age: arguments.retention_age,
            retention_bytes: arguments.retention_size,
            memory_bytes: arguments.memory,
            listen: listen_address(&arguments.listen)?,
            allowed_hosts: filled(arguments.allowed_hosts),
            access: AccessConfig {
                token_file: arguments.access.auth_token_file,
                user_file: arguments.access.auth_user_file,
                allows_anonymous: arguments.access.allow_anonymous || is_set("ALLOW_ANONYMOUS"),
                proxies: filled(arguments.access.trust_proxy),
                proxy_header: arguments.access.proxy_user_header,
                opens_metrics: arguments.access.open_metrics || is_set("OPEN_METRICS"),
                tls: arguments.access.tls_certificate.zip(arguments.access.tls_key),
                tls_client_ca: arguments.access.tls_client_ca,
            },
            start_from_end: arguments.start_from.eq_ignore_ascii_case("end"),
            include: filled(arguments.include),
            exclude: filled(arguments.exclude),
            multiline: arguments.multiline.eq_ignore_ascii_case("auto"),
            node_name: arguments.node_name.filter(|name| !name.is_empty()),
            kubernetes: KubernetesConfig {
                api: arguments.kubernetes_api.map_or(Ok(service), api_address)?,
                token_file: arguments.kubernetes_token_file,
                ca_file: arguments.kubernetes_ca_file,
                pod_labels: filled(arguments.pod_labels),
                include_namespaces: filled(arguments.include_namespace),
                exclude_namespaces: filled(arguments.exclude_namespace),
            },
            docker_labels: filled(arguments.docker_labels),
            forward: ForwardConfig {
                targets: forward,
                from_beginning: arguments.forward.forward_from.eq_ignore_ascii_case("beginning"),
                include: filled(arguments.forward.forward_include),
                exclude: filled(arguments.forward.forward_exclude),
                labels: filled(arguments.forward.forward_label),
            },
            alerts: AlertsConfig {
                rules: arguments.alerts.rules.into_iter().filter(|path| !path.as_os_str().is_empty()).collect(),
                delay: arguments.alerts.rules_delay,
                notify,
                external_url: arguments.alerts.external_url.filter(|url| !url.is_empty()),
            },
        })
    }
}

/// The files of headers or of certificates that a flag gives.
type FilesOf<'a> = (&'static str, &'a [PathBuf]);

/// Those that the flag `name` gives with their files, each of which is that of the one before it; where there is one, order plays no
/// part.
fn targets(
    matches: &clap::ArgMatches<'_>,
    (name, addresses): (&'static str, &[String]),
    headers: FilesOf<'_>,
    certificates: FilesOf<'_>,
) -> Result<Vec<SendTarget>, clap::Error> {
    let addresses = addresses.iter().filter(|address| !address.is_empty());
    let mut targets: Vec<SendTarget> =
        addresses.map(|address| SendTarget { address: address.clone(), ..SendTarget::default() }).collect();
    let is_single = targets.len() <= 1;
    let places = |name: &'static str| matches.indices_of(name).into_iter().flatten();
    let mut add = |(flag, files): FilesOf<'_>, place: fn(&mut SendTarget) -> &mut Option<PathBuf>| {
        for (number, file) in files.iter().enumerate() {
            // Those in the variable have no place.
            let at = places(flag).nth(number).unwrap_or_default();
            let before = places(name).filter(|target| *target < at).count();
            let owner = if is_single { Some(0) } else { before.checked_sub(1) };
            let Some(free @ None) = owner.and_then(|owner| targets.get_mut(owner)).map(place) else {
                let text = format!("--{flag} {} has no --{name} before it that it could belong to", file.display());
                return Err(clap::Error::with_description(&text, ErrorKind::ArgumentConflict));
            };
            *free = Some(file.clone());
        }
        Ok(())
    };
    add(headers, |target| &mut target.header_file)?;
    add(certificates, |target| &mut target.ca_file)?;
    Ok(targets)
}

/// The collectors with their roots. Each `--root-path` is that of the collector before it; where there is one of each, their
/// order plays no part, and in the variables the first belongs to the first.
fn collectors(matches: &clap::ArgMatches<'_>, arguments: &Arguments) -> Result<Vec<CollectorConfig>, clap::Error> {
    let mut kinds: Vec<CollectorKind> = arguments.log_collector.iter().map(|name| CollectorKind::of(name)).collect();
    let mut roots = arguments.root_path.clone();
    let is_in_order = |name| matches.occurrences_of(name) != 0;
    if kinds.is_empty() && roots.len() == 1 {
        kinds.push(CollectorKind::Directory);
    }
    let owners: Vec<usize> = if kinds.len() <= 1 || !is_in_order("log-collector") || !is_in_order("root-path") {
        if let ([text], true) = (roots.as_slice(), 1 < kinds.len()) {
            roots =
                text.as_bytes().split(|byte| *byte == b':').map(|path| OsStr::from_bytes(path).to_owned()).collect();
        }
        (0..roots.len()).collect()
    } else {
        let places = |name| matches.indices_of(name).into_iter().flatten();
        let owner = |root: usize| places("log-collector").filter(|kind| *kind < root).count().wrapping_sub(1);
        places("root-path").map(owner).collect()
    };
    let mut collectors: Vec<CollectorConfig> =
        kinds.into_iter().map(|kind| CollectorConfig { kind, root_path: None }).collect();
    for (owner, root) in owners.into_iter().zip(roots) {
        if let Some(place @ None) = collectors.get_mut(owner).map(|collector| &mut collector.root_path) {
            *place = Some(PathBuf::from(root)).filter(|path| !path.as_os_str().is_empty());
        } else {
            let root = root.display();
            let text = format!("--root-path {root} has no --log-collector before it that it could belong to");
            return Err(clap::Error::with_description(&text, ErrorKind::ArgumentConflict));
        }
    }
    let has_no_root = |of: &CollectorConfig| of.kind == CollectorKind::Directory && of.root_path.is_none();
    if collectors.iter().any(has_no_root) {
        return Err(clap::Error::with_description(
            "--log-collector Directory needs --root-path <root-path>, the directory to collect from",
            ErrorKind::MissingRequiredArgument,
        ));
    }
    Ok(collectors)
}

/// What `--kubernetes-api` says.
fn api_address(text: String) -> Result<KubernetesApi, clap::Error> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(KubernetesApi::Off);
    }
    // A token is sent there, so without TLS it may not leave this machine.
    let is_local = |host: &str| host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
    let is_safe = text.starts_with("https://") || text.strip_prefix("http://").is_some_and(is_local);
    if is_safe {
        return Ok(KubernetesApi::At(text));
    }
    let text = format!("--kubernetes-api '{text}' is neither an address that begins with https:// nor off");
    Err(clap::Error::with_description(&text, ErrorKind::InvalidValue))
}

/// Where a pod is told that the API is.
fn service_address(host: Option<&str>, port: Option<&str>) -> KubernetesApi {
    let Some(host) = host.filter(|host| !host.is_empty()) else { return KubernetesApi::Unknown };
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    KubernetesApi::At(format!("https://{host}:{}", port.filter(|port| !port.is_empty()).unwrap_or("443")))
}

fn retention_age(text: &str) -> Result<Duration, String> {
    let seconds = quantity(text, &[("m", 60), ("h", 3600), ("d", 24 * 3600), ("w", 7 * 24 * 3600)]);
    seconds.map(Duration::from_secs).ok_or_else(|| format!("'{text}' is no length of time, such as 12h, 30d or 4w"))
}

fn short_time(text: &str) -> Result<Duration, String> {
    let seconds = if text == "0" { Some(0) } else { quantity(text, &[("s", 1), ("m", 60), ("h", 3600)]) };
    seconds.map(Duration::from_secs).ok_or_else(|| format!("'{text}' is no length of time, such as 5s or 2m"))
}

fn retention_size(text: &str) -> Result<u64, String> {
    let bytes = quantity(text, &[("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)]);
    bytes.ok_or_else(|| format!("'{text}' is no size, such as 500MiB or 10GiB"))
}

/// Least memory that the agent works with, in bytes.
const MEMORY_BYTES_MIN: u64 = 64 << 20;

fn memory_size(text: &str) -> Result<u64, String> {
    let bytes = retention_size(text)?;
    if bytes < MEMORY_BYTES_MIN {
        return Err(format!("'{text}' is too little; the agent needs {} MiB", MEMORY_BYTES_MIN >> 20));
    }
    Ok(bytes)
}

/// A whole number above 0 with one of the units.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits_end)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor).filter(|quantity| 0 < *quantity)
}

/// `host:port`, with 127.0.0.1 where there is no host.
fn listen_address(text: &str) -> Result<String, clap::Error> {
    let port = text.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(_)) if text.starts_with(':') => Ok(format!("127.0.0.1{text}")),
        Some(Ok(_)) => Ok(text.to_owned()),
        _ => Err(clap::Error::with_description(
            &format!("--listen '{text}' is no host:port, such as 127.0.0.1:8000 or :0"),
            ErrorKind::InvalidValue,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &str) -> Result<Config, clap::Error> {
        Config::parse(std::iter::once("monitoring-rs").chain(arguments.split_whitespace()))
    }

    #[track_caller]
    fn check_refused(arguments: &str, expected: &str) {
        let error = parse(arguments).unwrap_err();
        assert!(error.use_stderr() && error.message.contains(expected), "{}", error.message);
    }

    #[test]
    fn the_defaults_are_what_the_readme_says() {
        let config = parse("--log-collector Directory --root-path /var/log").unwrap();
        let expected = Config {
            collectors: vec![collector(CollectorKind::Directory, Some("/var/log"))],
            data_directory: ".data".into(),
            retention_age: None,
            retention_bytes: None,
            memory_bytes: None,
            listen: "127.0.0.1:8000".into(),
            allowed_hosts: vec![],
            access: AccessConfig { proxy_header: "X-Forwarded-User".into(), ..AccessConfig::default() },
            start_from_end: false,
            include: vec![],
            exclude: vec![],
            multiline: false,
            node_name: None,
            kubernetes: KubernetesConfig::default(),
            docker_labels: vec![],
            forward: ForwardConfig::default(),
            alerts: AlertsConfig { delay: Duration::from_secs(5), ..AlertsConfig::default() },
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn files_of_targets_belong_to_the_target_before_them() {
        let targets = |arguments: &str| parse(arguments).unwrap().forward.targets;
        let target = |address: &str, headers: Option<&str>, ca: Option<&str>| SendTarget {
            address: address.into(),
            header_file: headers.map(PathBuf::from),
            ca_file: ca.map(PathBuf::from),
        };
        assert_eq!(targets("--forward-header-file h --forward a"), [target("a", Some("h"), None)]);
        let two = "--forward a --forward-ca-file c --forward b --forward-header-file h --forward-ca-file d";
        assert_eq!(targets(two), [target("a", None, Some("c")), target("b", Some("h"), Some("d"))]);
        check_refused("--forward-header-file h", "has no --forward before it");
        check_refused("--forward-header-file h --forward a --forward b", "has no --forward before it");
        check_refused("--forward a --forward-header-file h --forward-header-file i", "has no --forward before it");
    }

    fn collector(kind: CollectorKind, root: Option<&str>) -> CollectorConfig {
        CollectorConfig { kind, root_path: root.map(PathBuf::from) }
    }

    #[track_caller]
    fn check_collectors(arguments: &str, expected: &[(CollectorKind, Option<&str>)]) {
        let expected: Vec<CollectorConfig> = expected.iter().map(|(kind, root)| collector(*kind, *root)).collect();
        assert_eq!(parse(arguments).unwrap().collectors, expected, "{arguments}");
    }

    #[test]
    fn collectors_and_roots_come_in_pairs() {
        use CollectorKind::{Directory, Docker, Kubernetes};
        check_collectors("", &[]);
        check_collectors("--root-path /srv", &[(Directory, Some("/srv"))]);
        check_collectors("--root-path /srv --log-collector Docker", &[(Docker, Some("/srv"))]);
        let both = "--log-collector Kubernetes --log-collector Directory --root-path /var/log";
        check_collectors(both, &[(Kubernetes, None), (Directory, Some("/var/log"))]);
        let both = "--log-collector Directory --root-path /a:b --log-collector directory --root-path /c";
        check_collectors(both, &[(Directory, Some("/a:b")), (Directory, Some("/c"))]);
        check_collectors("--log-collector Docker:Kubernetes", &[(Docker, None), (Kubernetes, None)]);
        check_refused("--root-path /a --log-collector Docker --log-collector Kubernetes", "no --log-collector before");
        check_refused("--log-collector Docker --root-path /a --root-path /b", "no --log-collector before");
        check_refused("--log-collector Docker --log-collector Directory", "needs --root-path");
    }

    #[test]
    fn what_a_host_offers_is_found() {
        let offered = |there: &[&str]| CollectorKind::offered(|path| there.contains(&path)).0;
        let (pods, engine) = ("/var/log/pods", "/var/lib/docker/containers");
        assert_eq!(offered(&[pods, SERVICE_ACCOUNT, engine]), [CollectorKind::Kubernetes]);
        assert_eq!(offered(&[pods, engine]), [CollectorKind::Docker]);
        assert_eq!(offered(&[pods]), [CollectorKind::Directory]);
        assert_eq!(offered(&[]), [CollectorKind::Directory]);
        for journal in ["/var/log/journal", VOLATILE_JOURNAL] {
            assert_eq!(offered(&[journal]), [CollectorKind::Directory, CollectorKind::Journal]);
        }
    }

    #[test]
    fn names_are_taken_in_any_letter_case() {
        assert_eq!(parse("--log-collector kuberNETES").unwrap().collectors[0].kind, CollectorKind::Kubernetes);
        assert!(parse("--log-collector kubernetes --start-from END").unwrap().start_from_end);
    }

    #[test]
    fn patterns_are_repeatable() {
        let config = parse("--log-collector Kubernetes --include a* --include b:c --exclude d").unwrap();
        assert_eq!(config.include, ["a*", "b", "c"]);
        assert_eq!(config.exclude, ["d"]);
    }

    #[test]
    fn an_address_without_a_host_is_local() {
        assert_eq!(parse("--log-collector Kubernetes --listen :0").unwrap().listen, "127.0.0.1:0");
        assert_eq!(parse("--log-collector Kubernetes --listen [::]:80").unwrap().listen, "[::]:80");
    }

    #[test]
    fn the_cluster_is_asked_where_it_is_said_to_be() {
        let api = |arguments: &str| parse(&format!("--log-collector Kubernetes {arguments}")).unwrap().kubernetes.api;
        let at = |url: &str| KubernetesApi::At(url.into());
        assert_eq!(api(""), KubernetesApi::Unknown);
        assert_eq!(api("--kubernetes-service-host 10.0.0.1"), at("https://10.0.0.1:443"));
        let six = "--kubernetes-service-host fd00::1 --kubernetes-service-port 6443";
        assert_eq!(api(six), at("https://[fd00::1]:6443"));
        assert_eq!(api(&format!("{six} --kubernetes-api off")), KubernetesApi::Off);
        assert_eq!(api(&format!("{six} --kubernetes-api https://api:1")), at("https://api:1"));
        assert_eq!(api("--kubernetes-api http://127.0.0.1:8001"), at("http://127.0.0.1:8001"));
        check_refused("--kubernetes-api http://api:1", "is neither an address");
    }

    #[test]
    fn what_is_kept_has_a_unit() {
        let config = parse("--log-collector Kubernetes --retention-age 30d --retention-size 10GiB").unwrap();
        assert_eq!(config.retention_age, Some(Duration::from_hours(30 * 24)));
        assert_eq!(config.retention_bytes, Some(10 << 30));
        for wrong in ["30", "d", "0d", "30days", "-1d", "99999999999999999999d", "9999999999999999w"] {
            check_refused(&format!("--log-collector Kubernetes --retention-age={wrong}"), "is no length of time");
        }
        check_refused("--log-collector Kubernetes --retention-size 10G", "'10G' is no size");
        assert_eq!(parse("--log-collector Kubernetes --memory 64MiB").unwrap().memory_bytes, Some(64 << 20));
        check_refused("--log-collector Kubernetes --memory 63MiB", "the agent needs 64 MiB");
    }

    #[test]
    fn wrong_and_missing_values_are_usage_errors() {
        check_refused("--log-collector Files", "Files");
        check_refused("--log-collector Directory", "--root-path");
        check_refused("--log-collector Directory --root-path=", "--root-path");
        check_refused("--log-collector Kubernetes --listen 8000", "no host:port");
        check_refused("--log-collector Kubernetes --listen :port", "no host:port");
        check_refused("--log-collector Kubernetes --start-from middle", "middle");
        check_refused("--log-collector Kubernetes --frobnicate", "--frobnicate");
    }

    #[test]
    fn usage_names_no_flag_that_has_a_default() {
        let usage = format!("USAGE:\n    {USAGE}\n");
        check_refused("--log-collector Kubernetes --frobnicate", &usage);
        assert!(parse("--help").unwrap_err().message.contains(&usage));
    }

    #[test]
    fn a_flag_that_is_nearly_right_is_named() {
        check_refused("--log-collector Directory --rot-path /var/log", "Did you mean --root-path?");
    }

    #[test]
    fn help_starts_with_examples() {
        let help = parse("--help").unwrap_err();
        assert!(!help.use_stderr() && help.message.starts_with("EXAMPLES:"), "{}", help.message);
    }

    #[test]
    fn the_version_names_commit_and_target() {
        assert_eq!(parse("--version").unwrap_err().kind, ErrorKind::VersionDisplayed);
        assert!(VERSION.contains(COMMIT) && VERSION.contains(std::env::consts::ARCH), "{VERSION}");
    }
}
