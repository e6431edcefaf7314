//! Wiring: picks a collector, opens the database, serves, and drains at the end.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use async_std::channel;
use async_std::task;
use futures_lite::future;
use jiff::tz::TimeZone;
use monitoring_rs::access::{self, Files, Network};
use monitoring_rs::alerts::{self, Alerting};
use monitoring_rs::api::{self, Entrance, Tls, TlsFiles};
use monitoring_rs::client;
use monitoring_rs::config::{
    self, AccessConfig, AlertsConfig, CollectorConfig, CollectorKind, Config, ForwardConfig, KubernetesApi, SendTarget,
};
use monitoring_rs::file;
use monitoring_rs::forward::{self, Forwarder};
use monitoring_rs::ingest::{self, Records, Stop};
use monitoring_rs::inventory::{Inventory, PodLabels};
use monitoring_rs::log_collector::directory::{self, Directory, Summary};
use monitoring_rs::log_collector::engine::EngineNames;
use monitoring_rs::log_collector::journal::{self, Journals, Noticed, NoticingJournals, Root, Units};
use monitoring_rs::log_collector::kubernetes::{Namespaces, PodNames};
use monitoring_rs::log_collector::naming::Naming;
use monitoring_rs::log_collector::patterns::{self, Patterns};
use monitoring_rs::log_collector::several::{self, Part, Several};
use monitoring_rs::log_collector::watcher::PlatformWatcher;
use monitoring_rs::log_database::storage::{DiskStorage, Storage};
use monitoring_rs::log_database::{self, Database, Options, RetentionLimits};
use monitoring_rs::memory;
use monitoring_rs::model::{Checkpoint, Timestamp};
use monitoring_rs::outgoing;
use monitoring_rs::own_log;
use monitoring_rs::pods::{self, Access};
use monitoring_rs::status::{ClusterState, Status};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use structopt::clap;

/// Most bytes that are kept without `--retention-size`.
const RETENTION_BYTES_MAX: u64 = 10 << 30;
/// And no more than this part of the file system: a tenth.
const RETENTION_SHARE: u64 = 10;
/// Where the journal of systemd is: what lasts, and what does not outlast a restart of the machine.
const JOURNAL_ROOTS: [&str; 2] = ["/var/log/journal", config::VOLATILE_JOURNAL];
/// How long the collector may take to store what it has read, once it is told to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(2500);
/// How long open answers may take from then on.
const ANSWERS_TIMEOUT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    if client::is_asked(std::env::args_os()) {
        let run = client::run(std::env::args_os(), alerts::count_rules);
        return run.unwrap_or_else(|error| say_what_clap_says(&error));
    }
    memory::set_up();
    let config = match Config::parse(std::env::args_os()) {
        Ok(config) => config,
        Err(error) => return say_what_clap_says(&error),
    };
    if let Err(error) = own_log::begin() {
        complain(&format!("monitoring-rs: {error}"));
    }
    match run(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("monitoring-rs: {}", own_log::escaped(&chain(&error))));
            ExitCode::FAILURE
        }
    }
}

/// The text of `--help` on standard output, or a usage error on standard error with exit code 2.
#[expect(clippy::print_stdout, reason = "this is what the user asked for")]
fn say_what_clap_says(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        complain(&error.message);
        return ExitCode::from(2);
    }
    // clap has written the version itself, without the end of its line, and its message is empty.
    println!("{}", error.message);
    ExitCode::SUCCESS
}

/// The one line that says why the process ends; not through the log, whose filter may hide it.
#[expect(clippy::print_stderr, reason = "the reason why the process ends must not depend on the log's filter")]
fn complain(message: &str) {
    eprintln!("{message}");
}

/// What went wrong and what caused it, in one line. Most errors of this crate say their cause themselves.
fn chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.as_str() {
        "" => cause,
        _ if said.contains(&cause) => said,
        _ => format!("{said}: {cause}"),
    })
}

fn run(config: &Config) -> anyhow::Result<()> {
    let started = Instant::now();
    log::info!("monitoring-rs {}", config::VERSION);
    let open_files_max = raise_open_files_limit();
    let memory = memory::budget(config.memory_bytes);
    log::info!("{} MiB of memory may be taken", memory.bytes_max() >> 20);
    // Before the data directory is created: a root that is mistyped leaves nothing behind.
    let sites = sites(config)?;

    let storage = DiskStorage::open(&config.data_directory).map_err(|error| match error {
        log_database::Error::InUse { .. } => error.into(),
        _ => anyhow::Error::new(error)
            .context("cannot use --data-directory, which has to be a directory that can be written"),
    })?;
    let options = Options { retention: retention(config, &storage)? };
    let database = Database::open_with(Arc::new(storage), options);
    let database = database.context("cannot open the database in --data-directory")?;
    let data_directory = file::canonical(&config.data_directory)?;
    let free_mib = file::free_bytes(&data_directory)? >> 20;
    log::info!("data directory {}, {free_mib} MiB free", data_directory.display());

    let status = Arc::new(Status::default());
    let inventory = Arc::new(Inventory::new(pod_labels(&config.kubernetes.pod_labels)?));
    if let Err(error) = ingest::restore(&database, &inventory) {
        log::warn!("what was known of pods and containers cannot all be read: {error}");
    }
    if let Err(error) = ingest::restore_marks(&database, &status, now()) {
        log::warn!("what happened between lines cannot all be read, and is not shown among them: {error}");
    }
    let mut collector = Host { config, sites: &sites, data_directory: &data_directory, open_files_max }
        .collector(&database, &inventory, &status)?;

    let forwarders = forwarders(config, &database, &inventory, &status)?;
    let entrance = Arc::new(entrance(&config.access)?);
    let tls = tls(&config.access)?.map(Arc::new);
    let stop = Arc::new(Stop::default());
    follow_secrets(&entrance, tls.as_ref(), &stop)?;
    let (stop_serving, stopped) = channel::bounded::<()>(1);
    let (pumping, pump_ended) = channel::bounded::<()>(1);
    listen_to_signals(Arc::clone(&stop), stop_serving)?;
    let maintained = maintain(database.clone(), Arc::clone(&status), Arc::clone(&stop), now)?;
    give_back_memory(Arc::clone(&status), Arc::clone(&stop))?;
    task::block_on(async {
        let listener = api::bind(&config.listen).await.context("cannot serve")?;
        say_who_may_ask(config, listener.local_address())?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        log::info!("serving {scheme}://{}/", listener.local_address());
        let about = api::About {
            version: env!("CARGO_PKG_VERSION").into(),
            commit: config::COMMIT.into(),
            collector: listed(sites.iter().map(|site| site.kind.name().to_owned())),
            root_path: listed(sites.iter().map(|site| site.root.display().to_string())),
            data_directory: data_directory.display().to_string(),
            instance: instance(&data_directory),
            zone: zone_name(&TimeZone::system()),
            started,
        };
        let state = api::State::new(database.clone(), Arc::clone(&inventory), Arc::clone(&status), about);
        let state = state.with_memory(Arc::clone(&memory)).with_entrance(Arc::clone(&entrance));
        let settings = api::Settings {
            allowed_hosts: config.allowed_hosts.clone(),
            drain_timeout: ANSWERS_TIMEOUT,
            tls,
            ..api::Settings::default()
        };

        ask_cluster(config, &sites, &inventory, &status, &stop)?;
        start_forwarding(forwarders, &stop)?;
        let sources = alerts::Sources {
            database: database.clone(),
            inventory: Arc::clone(&inventory),
            memory: Arc::clone(&memory),
            clock: now,
        };
        watch(config, sources, &status, &stop, &format!("{scheme}://{}/", listener.local_address()))?;
        let pump_stop = Arc::clone(&stop);
        let records = Records { inventory, clock: now };
        let pump = blocking::unblock(move || {
            // Dropped at the end, be it a panic: an agent that collects nothing must not look alive.
            let _pumping = pumping;
            ingest::run(&mut collector, &database, &records, &status, &pump_stop)
        });
        let pump = task::spawn(pump);
        let end = future::race(future::race(stopped.recv(), pump_ended.recv()), maintained.recv());
        listener.serve(state, settings, async { end.await.unwrap_or_default() }).await;
        // Without a stop, only a panic ends housekeeping; what was read is stored all the same.
        let is_panic = maintained.is_closed() && !stop.is_set();
        stop.set();
        let result = async_std::future::timeout(DRAIN_TIMEOUT, pump).await;
        result.context("gave up on storing the last lines; they are read again at the next start")??;
        anyhow::ensure!(!is_panic, "housekeeping ended with the panic above; please report it");
        log::info!("stopped");
        Ok(())
    })
}

/// Those who forward lines, each to its target.
fn forwarders(
    config: &Config,
    database: &Database,
    inventory: &Arc<Inventory>,
    status: &Status,
) -> anyhow::Result<Vec<Forwarder>> {
    let ForwardConfig { targets, from_beginning, include, exclude, labels } = &config.forward;
    let forwarder = |target: &SendTarget| {
        let settings = forward::Settings {
            address: target.address.clone(),
            files: files_of(target),
            from_beginning: *from_beginning,
            include: include.clone(),
            exclude: exclude.clone(),
            labels: labels.clone(),
        };
        Forwarder::new(&settings, database, inventory, status).context("cannot forward lines")
    };
    targets.iter().map(forwarder).collect()
}

/// Starts a thread for each of them. Nothing waits for its end: what was not acknowledged is sent again at the next start.
fn start_forwarding(forwarders: Vec<Forwarder>, stop: &Arc<Stop>) -> anyhow::Result<()> {
    for mut forwarder in forwarders {
        let stop = Arc::clone(stop);
        let forward = move || {
            outgoing::yield_to_collecting();
            forwarder.run(&stop);
        };
        thread::Builder::new().name("forward".into()).spawn(forward).context("cannot start a thread")?;
    }
    Ok(())
}

/// Starts the thread that evaluates rules, where there are any. Nothing waits for its end.
fn watch(
    config: &Config,
    sources: alerts::Sources,
    status: &Arc<Status>,
    stop: &Arc<Stop>,
    address: &str,
) -> anyhow::Result<()> {
    let AlertsConfig { rules, delay, notify, external_url } = &config.alerts;
    if rules.is_empty() {
        anyhow::ensure!(notify.is_empty(), "--notify has nothing to tell of without --rules");
        return Ok(());
    }
    let settings = alerts::Settings {
        rules: rules.clone(),
        delay: *delay,
        notify: notify.iter().map(|target| (target.address.clone(), files_of(target))).collect(),
        external_url: external_url.clone().unwrap_or_else(|| address.to_owned()),
    };
    let mut alerting = Alerting::new(settings, sources, status).context("cannot watch for alerts")?;
    let stop = Arc::clone(stop);
    let run = move || {
        outgoing::yield_to_collecting();
        if let Err(error) = alerting.run(&stop) {
            log::error!("nobody is told of alerts: there is no thread for it: {error}");
        }
    };
    thread::Builder::new().name("alerts".into()).spawn(run).context("cannot start a thread").map(drop)
}

fn files_of(target: &SendTarget) -> outgoing::Files {
    outgoing::Files { headers: target.header_file.clone(), ca: target.ca_file.clone() }
}

/// Who is let in.
fn entrance(config: &AccessConfig) -> anyhow::Result<Entrance> {
    let files = Files { tokens: config.token_file.clone(), users: config.user_file.clone() };
    let access = access::Access::new(files).context("cannot tell who may ask")?;
    let network = |text: &String| text.parse::<Network>().with_context(|| format!("--trust-proxy {text}"));
    let header = config.proxy_header.parse().map_err(|_| {
        anyhow::anyhow!(
            "--proxy-user-header {:?} is no name of a header, such as X-Forwarded-User",
            config.proxy_header
        )
    })?;
    let mut entrance = Entrance::new(access);
    entrance.proxies = config.proxies.iter().map(network).collect::<Result<_, _>>()?;
    entrance.proxy_header = header;
    entrance.opens_metrics = config.opens_metrics;
    entrance.is_secure = config.tls.is_some();
    Ok(entrance)
}

/// What TLS is spoken with, if it is.
fn tls(config: &AccessConfig) -> anyhow::Result<Option<Tls>> {
    let Some((certificate, key)) = config.tls.clone() else { return Ok(None) };
    let files = TlsFiles { certificate, key, client_ca: config.tls_client_ca.clone() };
    Tls::new(files).map(Some).context("cannot speak TLS")
}

/// Starts the threads that read credentials and certificates again when they change, where there are any. Nothing waits for
/// their end.
fn follow_secrets(entrance: &Arc<Entrance>, tls: Option<&Arc<Tls>>, stop: &Arc<Stop>) -> anyhow::Result<()> {
    let waiting = || {
        let stop = Arc::clone(stop);
        move |time| {
            stop.wait(time);
            stop.is_set()
        }
    };
    let start = |name: &str, follow: Box<dyn FnOnce() + Send>| {
        thread::Builder::new().name(name.into()).spawn(follow).context("cannot start a thread").map(drop)
    };
    if !entrance.access.is_off() {
        let (entrance, wait) = (Arc::clone(entrance), waiting());
        start("credentials", Box::new(move || entrance.access.follow(&wait)))?;
    }
    if let Some(tls) = tls {
        let (tls, wait) = (Arc::clone(tls), waiting());
        start("certificate", Box::new(move || tls.follow(&wait)))?;
    }
    Ok(())
}

/// Refuses to serve everybody who reaches `address` unless that is only this machine, or was asked for.
fn say_who_may_ask(config: &Config, address: std::net::SocketAddr) -> anyhow::Result<()> {
    let AccessConfig { token_file, user_file, allows_anonymous, .. } = &config.access;
    if address.ip().is_loopback() || token_file.is_some() || user_file.is_some() {
        return Ok(());
    }
    anyhow::ensure!(
        *allows_anonymous,
        "everybody who reaches {address} could read these logs; give --auth-token-file or --auth-user-file, or \
         --allow-anonymous if that is meant"
    );
    log::warn!("everybody who reaches {address} may read all logs and push lines: nobody is asked who they are");
    Ok(())
}

/// How much is kept: what the user says, or no more than leaves the file system to others.
fn retention(config: &Config, storage: &DiskStorage) -> anyhow::Result<RetentionLimits> {
    let bytes = match config.retention_bytes {
        Some(bytes) => bytes,
        None => RETENTION_BYTES_MAX.min(storage.total_bytes()? / RETENTION_SHARE),
    };
    Ok(RetentionLimits { age: config.retention_age, bytes: Some(bytes) })
}

/// Starts the database's housekeeping. What is returned is closed at its end, be it a panic: an agent that drops
/// nothing fills the disk. Nothing waits for that: whatever is done may be cut short.
fn maintain(
    database: Database,
    status: Arc<Status>,
    stop: Arc<Stop>,
    clock: fn() -> Timestamp,
) -> anyhow::Result<channel::Receiver<()>> {
    let (maintaining, maintained) = channel::bounded(1);
    let maintain = move || {
        let _maintaining = maintaining;
        ingest::maintain(&database, &status, &stop, clock);
    };
    thread::Builder::new().name("maintenance".into()).spawn(maintain).context("cannot start a thread")?;
    Ok(maintained)
}

/// Starts the thread that has memory given back until `stop`. Nothing waits for its end.
fn give_back_memory(status: Arc<Status>, stop: Arc<Stop>) -> anyhow::Result<()> {
    let give_back = move || memory::give_back(&status, &stop);
    thread::Builder::new().name("memory".into()).spawn(give_back).context("cannot start a thread")?;
    Ok(())
}

/// A directory to collect from.
struct Site {
    kind: CollectorKind,
    /// Absolute, because labels carry it, and wherever the agent is started a log has to keep its name; links in it stay as
    /// the user gave them.
    root: PathBuf,
    /// The same without links.
    canonical: PathBuf,
}

/// The directories to collect from, each of which is there.
fn sites(config: &Config) -> anyhow::Result<Vec<Site>> {
    let collectors = if config.collectors.is_empty() { offered() } else { config.collectors.clone() };
    let mut sites: Vec<Site> = Vec::new();
    let places = collectors.into_iter().flat_map(|CollectorConfig { kind, root_path }| match (kind, root_path) {
        (kind, Some(root)) => vec![(kind, root)],
        (CollectorKind::Journal, None) => {
            // Whichever are there; the first one says what is missing.
            let is_there = |root: &&str| directory::check_root(Path::new(root)).is_ok();
            let mut there: Vec<&str> = JOURNAL_ROOTS.iter().filter(|root| is_there(root)).copied().collect();
            if there.is_empty() {
                there.push(JOURNAL_ROOTS[0]);
            }
            there.into_iter().map(|root| (kind, root.into())).collect()
        }
        (kind, None) => vec![(kind, kind.root_path_default().into())],
    });
    for (kind, root) in places {
        let root = std::path::absolute(root).context("cannot tell where a relative --root-path is")?;
        let canonical = directory::check_root(&root)?;
        let is_taken = sites.iter().any(|site| site.canonical == canonical);
        anyhow::ensure!(!is_taken, "{} is collected from twice; give each --root-path once", root.display());
        sites.push(Site { kind, root, canonical });
    }
    Ok(sites)
}

/// What this host offers to collect.
fn offered() -> Vec<CollectorConfig> {
    let (kinds, why) = CollectorKind::offered(|path| directory::check_root(Path::new(path)).is_ok());
    log::info!(
        "no --log-collector is given, so {} is taken: {why}; to collect something else say so, such as \
         --log-collector Directory --root-path /srv/logs",
        listed(kinds.iter().map(|kind| kind.name().to_owned()))
    );
    kinds.into_iter().map(|kind| CollectorConfig { kind, root_path: None }).collect()
}

/// Starts the threads that ask the cluster for the pods of this node, where there are any and nobody has it off. Nothing
/// waits for their end.
fn ask_cluster(
    config: &Config,
    sites: &[Site],
    inventory: &Arc<Inventory>,
    status: &Arc<Status>,
    stop: &Arc<Stop>,
) -> anyhow::Result<()> {
    let url = match &config.kubernetes.api {
        KubernetesApi::Off => return Ok(()),
        KubernetesApi::Unknown => None,
        KubernetesApi::At(url) => Some(url.clone()),
    };
    if !sites.iter().any(|site| site.kind == CollectorKind::Kubernetes) {
        return Ok(());
    }
    status.cluster.set_state(ClusterState::Waiting);
    let host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    let access = Access {
        url,
        token_file: config.kubernetes.token_file(),
        ca_file: config.kubernetes.ca_file(),
        node: config.node_name.clone().unwrap_or_else(host),
    };
    let start = |name: &str, work: fn(&Access, &Inventory, &Status, &dyn Fn(Duration) -> bool)| {
        let (access, inventory) = (access.clone(), Arc::clone(inventory));
        let (status, stop) = (Arc::clone(status), Arc::clone(stop));
        let wait = move |time| {
            stop.wait(time);
            stop.is_set()
        };
        let work = move || work(&access, &inventory, &status, &wait);
        thread::Builder::new().name(name.into()).spawn(work).context("cannot start a thread")
    };
    start("pods", pods::follow)?;
    start("pods unknown", pods::look_for_unknown)?;
    Ok(())
}

/// Names one after the other.
fn listed(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// Which labels of pods are shown.
fn pod_labels(texts: &[String]) -> anyhow::Result<PodLabels> {
    Ok(match texts {
        [] => PodLabels::Usual,
        [word] if word == "all" => PodLabels::All,
        [word] if word == "none" => PodLabels::None,
        globs => PodLabels::Matching(patterns::globs(globs)?),
    })
}

/// What tells this agent apart from others, on other machines or with other data, through restarts.
fn instance(data_directory: &Path) -> String {
    let machine = rustix::system::uname();
    let digest = md5::compute(format!("{:?} {}", machine.nodename(), data_directory.display()));
    format!("{digest:x}")[..16].to_owned()
}

/// What all collectors are made of.
struct Host<'a> {
    config: &'a Config,
    sites: &'a [Site],
    data_directory: &'a Path,
    open_files_max: usize,
}

impl Host<'_> {
    /// Builds the collectors that were asked for, lets them find their files, and says what these are.
    fn collector(
        &self,
        database: &Database,
        inventory: &Arc<Inventory>,
        status: &Arc<Status>,
    ) -> anyhow::Result<Several> {
        let sites: Vec<&Site> = self.sites.iter().filter(|site| site.kind != CollectorKind::Journal).collect();
        let roots: Vec<PathBuf> = sites.iter().map(|site| site.root.clone()).collect();
        let (of_journals, of_files): (Vec<_>, Vec<_>) =
            database.checkpoints().into_iter().partition(|checkpoint| journal::is_key(&checkpoint.source));
        let (noticed, mut journal_roots) = (Noticed::default(), self.journal_roots()?);
        let mut collectors: Vec<Box<dyn Part>> = Vec::new();
        for (site, checkpoints) in sites.into_iter().zip(several::shares(&of_files, &roots)) {
            let watcher = PlatformWatcher::new().context("cannot watch for changes")?;
            let (settings, mut naming) = (self.settings(site)?, self.naming(site.kind, inventory)?);
            if site.kind == CollectorKind::Directory {
                naming = Box::new(NoticingJournals::new(naming, noticed.clone(), journal_roots.len()));
                journal_roots.push(Root::new(site.root.clone(), false, self.units(site.kind)?));
            }
            let collector = Directory::new(settings, naming, watcher, &checkpoints, Arc::clone(status))?;
            log_what_was_found(site, &collector.summary(), status);
            collectors.push(Box::new(collector));
        }
        if !journal_roots.is_empty() {
            collectors.push(Box::new(self.journals(journal_roots, noticed, &of_journals, status)?));
        }
        Ok(Several::new(collectors))
    }

    /// Where the journal is collected from, as the user says; where nothing is said, also a place that may come to be.
    fn journal_roots(&self) -> anyhow::Result<Vec<Root>> {
        let kind = CollectorKind::Journal;
        let mut paths: Vec<PathBuf> =
            self.sites.iter().filter(|site| site.kind == kind).map(|site| site.canonical.clone()).collect();
        let defaults = JOURNAL_ROOTS.map(PathBuf::from);
        if paths.iter().any(|path| defaults.contains(path)) {
            paths.extend(defaults);
            paths.sort_unstable();
            paths.dedup();
        }
        paths.into_iter().map(|path| Ok(Root::new(path, true, self.units(kind)?))).collect()
    }

    /// Which entries of journals are collected where `kind` has come by them.
    fn units(&self, kind: CollectorKind) -> anyhow::Result<Units> {
        let patterns = Patterns::new(&self.config.include, &self.config.exclude)?;
        Ok(Units { patterns, are_included_by_name: kind == CollectorKind::Journal })
    }

    fn journals(
        &self,
        roots: Vec<Root>,
        noticed: Noticed,
        checkpoints: &[Checkpoint],
        status: &Arc<Status>,
    ) -> anyhow::Result<Journals<PlatformWatcher>> {
        let watcher = PlatformWatcher::new().context("cannot watch for changes")?;
        let settings = journal::Settings { roots, noticed, start_from_end: self.config.start_from_end, clock: now };
        let journals = Journals::new(settings, watcher, checkpoints, Arc::clone(status));
        let summary = journals.summary();
        if !journals.is_empty() {
            log::info!(
                "journal of systemd: {} that grow or are not read, {} MiB to be read",
                directory::files(summary.file_count as u64),
                summary.unread_byte_count >> 20,
            );
        }
        if 0 < summary.unreadable_count {
            log::warn!(
                "{} cannot be read, see /status; run the agent as root or in the group systemd-journal",
                directory::files(summary.unreadable_count as u64)
            );
        }
        Ok(journals)
    }

    fn settings(&self, site: &Site) -> anyhow::Result<directory::Settings> {
        let others = self.sites.iter().filter(|other| other.canonical != site.canonical);
        // Links to pods' logs lead there: whoever collects the links collects the logs.
        let of_pods = others.clone().filter(|other| other.kind == CollectorKind::Kubernetes);
        let pods = of_pods.filter_map(|other| file::canonical(&other.canonical.parent()?.join("pods")).ok());
        Ok(directory::Settings {
            root: site.root.clone(),
            patterns: Patterns::new(&self.config.include, &self.config.exclude)?,
            data_directory: Some(self.data_directory.to_owned()),
            left_out: others.map(|other| other.canonical.clone()).chain(pods).collect(),
            start_from_end: self.config.start_from_end,
            zone: TimeZone::system(),
            clock: now,
            quiet_before_letting_go: directory::QUIET_BEFORE_LETTING_GO,
            deleted_bytes_max: directory::DELETED_BYTES_MAX,
            multiline: self.config.multiline,
            open_files_max: self.open_files_max / self.sites.len().max(1),
        })
    }

    fn naming(&self, kind: CollectorKind, inventory: &Arc<Inventory>) -> anyhow::Result<Box<dyn Naming + Send>> {
        let Config { node_name, kubernetes, docker_labels, .. } = self.config;
        let (node, inventory, docker_labels) =
            (node_name.clone(), Arc::clone(inventory), patterns::globs(docker_labels)?);
        Ok(match kind {
            CollectorKind::Directory | CollectorKind::Journal => {
                Box::new(EngineNames::by_path(inventory, docker_labels))
            }
            CollectorKind::Docker => Box::new(EngineNames::by_id(node, inventory, docker_labels)),
            CollectorKind::Kubernetes => {
                let (include, exclude) = (&kubernetes.include_namespaces, &kubernetes.exclude_namespaces);
                let namespaces = Namespaces { include: include.clone(), exclude: exclude.clone() };
                Box::new(PodNames::new(node, namespaces, inventory))
            }
        })
    }
}

/// The time by the system's clock.
fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ns(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
}

fn log_what_was_found(site: &Site, summary: &Summary, status: &Status) {
    log::info!(
        "{} {}: {} of {} MiB, {} MiB to be read; times without a zone are of {}",
        site.kind.name(),
        site.root.display(),
        directory::files(summary.file_count as u64),
        summary.byte_count >> 20,
        summary.unread_byte_count >> 20,
        zone_name(&TimeZone::system()),
    );
    let first_problem = status.sources().iter().find_map(|source| source.state().1);
    if let Some(first) = first_problem {
        log::warn!("{} files or directories are not read, see /status; the first: {first}", summary.unreadable_count);
    }
    if let Some(first) = &summary.first_refusal {
        log::warn!(
            "{} links are not followed, RUST_LOG=debug names them; the first: {first}",
            status.links_refused.get()
        );
    }
}

/// A zone that is known by its file's content has no name.
fn zone_name(zone: &TimeZone) -> String {
    zone.iana_name()
        .map_or_else(|| format!("UTC{}", jiff::Timestamp::now().to_zoned(zone.clone()).offset()), Into::into)
}

/// Descriptors that are not log files: the database's, connections, and watches where those are open files.
const OWN_DESCRIPTORS_MIN: u64 = 64;

/// Allows this process as many open files as the system lets it have. Returns how many of them may be log files, at least a
/// few: those that are not read are closed.
fn raise_open_files_limit() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = limit.maximum;
    let now = match setrlimit(Resource::Nofile, limit) {
        Ok(()) => limit.maximum,
        Err(error) => {
            log::debug!("the limit of open files stays as it is: {error}");
            before
        }
    };
    let now = now.unwrap_or(u64::MAX);
    let for_files = now.saturating_sub(OWN_DESCRIPTORS_MIN.max(now / 4)).max(now / 8);
    let for_files = usize::try_from(for_files).unwrap_or(usize::MAX);
    if cfg!(target_os = "linux") { for_files } else { for_files / 2 }
}

/// The first SIGTERM, SIGINT, SIGQUIT or SIGHUP asks everything to come to an end, a second one ends the process at once.
/// A SIGHUP that was ignored at the start, as `nohup` has it, stays so.
fn listen_to_signals(stop: Arc<Stop>, stop_serving: channel::Sender<()>) -> anyhow::Result<()> {
    let hang_up = (!is_ignored(SIGHUP)).then_some(SIGHUP);
    let signals = [SIGTERM, SIGINT, SIGQUIT].into_iter().chain(hang_up);
    let mut signals = Signals::new(signals).context("cannot listen to signals")?;
    let listen = move || {
        for (index, signal) in signals.forever().enumerate() {
            if 0 < index {
                std::process::exit(128 + signal);
            }
            log::info!("signal {signal}: storing what was read, then stopping");
            stop.set();
            stop_serving.close();
        }
    };
    thread::Builder::new().name("signals".into()).spawn(listen).context("cannot listen to signals")?;
    Ok(())
}

/// Whether this process ignores `signal`, as far as Linux says so; elsewhere it counts as not ignored.
fn is_ignored(signal: i32) -> bool {
    let mut text = [0; 8 << 10];
    // By its number: `self` is a link.
    let path = format!("/proc/{}/status", std::process::id());
    let count = file::File::open(Path::new(&path)).and_then(|status| status.read_at(&mut text, 0));
    let text = String::from_utf8_lossy(&text[..count.unwrap_or(0)]);
    let mask = text.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use monitoring_rs::log_database::storage::SimulatedStorage;

    use super::*;

    #[test]
    fn a_panic_of_housekeeping_is_noticed() {
        let database = Database::open(Arc::new(SimulatedStorage::default())).unwrap();
        let maintained = maintain(database, Arc::default(), Arc::default(), || panic!("a defect")).unwrap();
        assert!(task::block_on(maintained.recv()).is_err());
        assert!(maintained.is_closed());
    }
}
