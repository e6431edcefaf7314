//! Holds the source to the rules that no compiler and no lint checks: which module may name which, how long a file may
//! grow, what every file begins with.
//!
//! Each rule takes one file and says what breaks it. The rules read text, not syntax: comments and strings are blanked
//! first, and that is exact enough for paths.
#![expect(clippy::disallowed_methods, reason = "a test reads the source itself, not through the agent's file module")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

/// What each module may name in this crate, besides itself and what is below it. The longest module that matches counts.
const MAY_NAME: &[(&str, &[&str])] = &[
    (
        "main",
        &[
            "access",
            "alerts",
            "api",
            "client",
            "config",
            "file",
            "forward",
            "ingest",
            "inventory",
            "log_collector",
            "log_database",
            "memory",
            "model",
            "outgoing",
            "own_log",
            "pods",
            "status",
        ],
    ),
    ("lib", &[]),
    ("model", &[]),
    ("status", &["model"]),
    ("file", &[]),
    ("own_log", &[]),
    ("protobuf", &[]),
    ("config", &["model"]),
    ("inventory", &["model"]),
    ("journald", &[]),
    // Files that tests write.
    ("journald::tests", &["file", "journald"]),
    ("log_collector", &["file", "inventory", "journald", "model", "protobuf", "status"]),
    ("log_collector::watcher", &[]),
    // It asserts what callers promise of paths, and has to look at them for that.
    ("log_collector::watcher::mock", &["file", "log_collector::watcher"]),
    ("log_database", &["file", "model", "status"]),
    ("ingest", &["inventory", "log_collector", "log_database", "model", "status"]),
    ("memory", &["file", "ingest", "model", "status"]),
    ("pods", &["file", "inventory", "model", "status"]),
    ("alerts", &["file", "ingest", "inventory", "log_database", "logql", "model", "outgoing", "query", "status"]),
    ("outgoing", &["file"]),
    ("forward", &["ingest", "inventory", "log_database", "logql", "model", "outgoing", "protobuf", "status"]),
    ("logql", &["model"]),
    ("query", &["inventory", "log_database", "logql", "model"]),
    ("access", &["file", "logql", "model"]),
    ("api", &["access", "file", "inventory", "log_database", "logql", "model", "protobuf", "query", "status"]),
    ("client", &["config", "file", "own_log"]),
];

/// The crates that are named in some modules only: runtimes and HTTP at the edge, wire formats where there is a wire.
const NAMED_ONLY_IN: &[(&str, &[&str])] = &[
    ("async_std", &["main", "api"]),
    ("blocking", &["main", "api"]),
    ("tide", &["main", "api"]),
    ("async_tungstenite", &["main", "api"]),
    ("hyper", &["main", "api"]),
    ("smol_hyper", &["main", "api"]),
    ("http_body_util", &["main", "api"]),
    ("signal_hook", &["client", "main"]),
    ("env_logger", &["own_log"]),
    ("anyhow", &["main"]),
    ("structopt", &["client", "config", "main"]),
    ("clap", &["client", "config", "main"]),
    ("serde", &["alerts", "api", "client", "inventory", "log_collector", "logql::stages::tests", "pods"]),
    ("serde_json", &["alerts", "api", "client", "inventory", "log_collector", "logql::stages::tests", "pods"]),
    ("tungstenite", &["api", "client"]),
    ("inotify", &["log_collector::watcher"]),
    ("kqueue", &["log_collector::watcher"]),
    ("libc", &["memory"]),
    ("ureq", &["client", "outgoing", "pods"]),
    ("rustls", &["api", "client", "outgoing", "pods"]),
];

/// The folders whose parts may not name each other in a circle, with the modules that they are.
const COLLECTOR: [(&str, &str); 2] =
    [("src/log_collector", "log_collector"), ("src/log_collector/rotation", "log_collector::rotation")];

/// A file that grows beyond this many lines of code, tests not counted, is two files.
const CODE_LINES_MAX: usize = 600;
/// The files of the page.
const PAGE: [&str; 4] = ["index.html", "app.js", "later.js", "app.css"];
/// Most bytes of them, each compressed as browsers are sent it.
const PAGE_BYTES_MAX: usize = 135_000;
/// Most of them that the first screen needs.
const SCRIPT_BYTES_MAX: usize = 75_000;
/// Addresses in the page that nothing is loaded from: names of XML's namespaces.
const NAMESPACES: [&str; 4] = [
    "http://www.w3.org/1999/xhtml",
    "http://www.w3.org/2000/svg",
    "http://www.w3.org/1998/Math/MathML",
    "http://www.w3.org/1999/xlink",
];
/// A map that is longer than this is no map.
const ARCHITECTURE_LINES_MAX: usize = 150;
/// One reason may cover this many dependencies: a crate and the one that comes with it.
const DEPENDENCIES_PER_REASON_MAX: usize = 2;

/// Comments, strings and characters.
static LITERAL: LazyLock<Regex> = LazyLock::new(|| {
    expression(concat!(
        r"(?s)//[^\n]*",
        r"|/\*.*?\*/",
        r##"|\bb?r#".*?"#|\bb?r".*?""##,
        r#"|b?"(?:\\.|[^"\\])*""#,
        r"|b?'(?:\\[^\n]{1,8}?|[^'\\])'",
    ))
});
/// Where a path in this crate begins.
static CRATE_PATH: LazyLock<Regex> = LazyLock::new(|| expression(r"\b(crate|monitoring_rs|(?:super::)*super)::"));
/// An address with a host: one with a scheme, or a quoted one that takes the page's scheme.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    expression(r#"(?:https?|wss?)://[^\s"'`)<>\\$]+|["'`(]//[A-Za-z0-9][^\s"'`)<>]*\.[a-z]{2,}[^\s"'`)<>]*"#)
});
static INLINE_MODULE: LazyLock<Regex> = LazyLock::new(|| expression(r"(?m)^\s*(?:pub(?:\([a-z]+\))? )?mod \w+ \{"));
/// A crate of [`NAMED_ONLY_IN`] at the beginning of a path.
static EDGE_CRATE: LazyLock<Regex> = LazyLock::new(|| {
    let names = NAMED_ONLY_IN.iter().map(|(name, _)| *name).collect::<Vec<_>>().join("|");
    expression(&format!(r"(?m)(?:^|[^:\w])({names})::|use ({names})\b"))
});
static UNFINISHED: LazyLock<Regex> = LazyLock::new(|| expression(r"\b(?:todo|unimplemented|dbg)!"));
/// Words that promise to come back.
static MARKER: LazyLock<Regex> = LazyLock::new(|| expression(&["TO", "DO|FIX", "ME|XX", "X"].concat()));
static COMMENTED_OUT: LazyLock<Regex> =
    LazyLock::new(|| expression(r"^\s*// +(?:let |use |fn |pub |if .*\{|\}|.*[=(].*;$|.*\{$)"));

fn expression(text: &str) -> Regex {
    Regex::new(text).expect("the expression is well-formed")
}

/// A file of Rust.
struct Source {
    /// Relative to the repository.
    path: String,
    text: String,
    /// The text with comments and strings blanked; same lines.
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: blank_comments_and_strings(text) }
    }

    /// The module's path in the crate, such as `log_collector::watcher`; empty for files outside `src/`.
    fn module(&self) -> Vec<&str> {
        let Some(inside) = self.path.strip_prefix("src/") else { return Vec::new() };
        inside.trim_end_matches(".rs").trim_end_matches("/mod").split('/').collect()
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }
}

/// Says what breaks a rule in a file, one message each.
type Rule = fn(&Source) -> Vec<String>;

#[test]
fn modules_name_only_what_the_table_allows() {
    hold("src", named_modules);
}

#[test]
fn the_parts_of_the_collector_name_each_other_in_no_circle() {
    for (folder, module) in COLLECTOR {
        let mut sources = Vec::new();
        collect(&root().join(folder), &mut sources);
        assert_eq!(circle(&sources, module), BTreeSet::new(), "{folder}");
    }
}

#[test]
fn runtimes_and_wire_formats_stay_at_the_edge() {
    hold("src", named_crates);
}

#[test]
fn every_file_says_what_it_is_for() {
    for folder in ["src", "tests", "benches"] {
        hold(folder, module_documentation);
    }
}

#[test]
fn files_stay_short_enough_to_read() {
    for folder in ["src", "benches"] {
        hold(folder, code_length);
    }
}

#[test]
fn nothing_is_left_over() {
    for folder in ["src", "tests", "benches"] {
        hold(folder, leftovers);
    }
}

#[test]
fn every_dependency_has_a_reason() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest is there");
    assert_eq!(dependencies_without_reason(&manifest), Vec::<String>::new());
}

#[test]
fn the_map_is_short() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the map is there");
    assert!(map.lines().count() <= ARCHITECTURE_LINES_MAX, "ARCHITECTURE.md is over {ARCHITECTURE_LINES_MAX} lines");
}

#[test]
fn the_page_is_small() {
    let sizes = PAGE.map(|name| (name, compressed_bytes(name)));
    assert_eq!(page_over_its_limits(&sizes), Vec::<String>::new());
}

#[test]
fn the_page_names_no_other_place() {
    let foreign: Vec<String> = page().iter().flat_map(|(name, bytes)| foreign_addresses(name, bytes)).collect();
    assert_eq!(foreign, Vec::<String>::new());
}

/// The page's files by their names.
fn page() -> [(&'static str, Vec<u8>); 4] {
    PAGE.map(|name| (name, fs::read(root().join("ui/dist").join(name)).expect("the page is built")))
}

/// The size of a file of the page as it is embedded and sent.
fn compressed_bytes(name: &str) -> usize {
    let path = Path::new(env!("OUT_DIR")).join(format!("{name}.gz"));
    fs::read(path).expect("the build script compressed it").len()
}

/// What is wrong with the sizes of the page's files.
fn page_over_its_limits(sizes: &[(&str, usize)]) -> Vec<String> {
    let of = |is_meant: &dyn Fn(&str) -> bool| -> usize {
        sizes.iter().filter(|(name, _)| is_meant(name)).map(|(_, bytes)| bytes).sum()
    };
    let limits =
        [("app.js", of(&|name| name == "app.js"), SCRIPT_BYTES_MAX), ("all files", of(&|_| true), PAGE_BYTES_MAX)];
    let over = limits.into_iter().filter(|(_, bytes, max)| max < bytes);
    over.map(|(name, bytes, max)| format!("ui/dist: {name} have {bytes} bytes, compressed, over {max}")).collect()
}

/// The addresses of other places in a file of the page.
fn foreign_addresses(name: &str, bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let addresses = ADDRESS.find_iter(&text).map(|found| found.as_str());
    let foreign = addresses.filter(|address| !NAMESPACES.contains(address));
    foreign.map(|address| format!("ui/dist/{name}: {address}")).collect()
}

/// Applies a rule to every file of Rust in a folder.
#[track_caller]
fn hold(folder: &str, rule: Rule) {
    let mut sources = Vec::new();
    collect(&root().join(folder), &mut sources);
    assert!(!sources.is_empty(), "{folder} has no file of Rust");
    let broken: Vec<String> = sources.iter().flat_map(rule).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(directory: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).expect("the folder is readable") {
        let path = entry.expect("the folder is readable").path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("source is UTF-8");
            let relative = path.strip_prefix(root()).expect("the folder is in the repository");
            sources.push(Source::new(&relative.to_string_lossy(), &text));
        }
    }
}

/// Blanks comments, strings and characters, so that what is left can be searched for paths.
fn blank_comments_and_strings(text: &str) -> String {
    let blanked = LITERAL.replace_all(text, |found: &regex::Captures<'_>| {
        let newlines = found[0].matches('\n').count();
        format!("\"{}\"", "\n".repeat(newlines))
    });
    blanked.into_owned()
}

/// Whether `path` is `ancestor` or below it.
fn is_within(path: &[&str], ancestor: &str) -> bool {
    let ancestor: Vec<&str> = ancestor.split("::").collect();
    path.starts_with(&ancestor)
}

fn named_modules(source: &Source) -> Vec<String> {
    let module = source.module();
    let rule = MAY_NAME.iter().filter(|(name, _)| is_within(&module, name)).max_by_key(|(name, _)| name.len());
    let Some((own, allowed)) = rule else {
        return vec![format!("{}: add the module to MAY_NAME", source.path)];
    };
    let is_allowed = |named: &[&str]| is_within(named, own) || allowed.iter().any(|name| is_within(named, name));
    let mentions = mentions(source);
    let broken = mentions.iter().filter(|named| !is_allowed(&named.iter().map(String::as_str).collect::<Vec<_>>()));
    broken.map(|named| format!("{}: {own} must not name {}", source.path, named.join("::"))).collect()
}

/// The parts of a module that name each other in a circle, and those that name them; what tests name does not count.
fn circle<'s>(sources: &'s [Source], module: &str) -> BTreeSet<&'s str> {
    let depth = module.split("::").count();
    let mut named: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        let Some(part) = source.module().get(depth).copied() else { continue };
        let code = source.code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let others = mentions(&Source { code: code.to_owned(), path: source.path.clone(), text: String::new() });
        let others = others.into_iter().filter(|path| {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            is_within(&path, module) && path.get(depth).is_some_and(|other| *other != part)
        });
        named.entry(part).or_default().extend(others.map(|path| path[depth].clone()));
    }
    loop {
        // What names no other part that is left is in no circle.
        let is_left: BTreeSet<&str> = named.keys().copied().collect();
        let before = named.len();
        named.retain(|_, others| others.iter().any(|other| is_left.contains(other.as_str())));
        if named.len() == before {
            return named.into_keys().collect();
        }
    }
}

/// The paths in this crate that a file names, from the crate's root: through `crate::`, through `super::`, and from the
/// binary through the library's name.
fn mentions(source: &Source) -> Vec<Vec<String>> {
    let inline_start = INLINE_MODULE.find(&source.code).map_or(source.code.len(), |found| found.start());
    let mut mentions = Vec::new();
    for found in CRATE_PATH.captures_iter(&source.code) {
        let whole = found.get(0).expect("group 0 is the match");
        let base: Vec<String> = if found[1].starts_with("super") {
            let inline_depth = usize::from(inline_start < whole.start());
            let climbed = found[1].split("::").count() - inline_depth;
            let module = source.module();
            module[..module.len().saturating_sub(climbed)].iter().map(ToString::to_string).collect()
        } else {
            Vec::new()
        };
        for rest in expand(&source.code[whole.end()..]) {
            mentions.push(base.iter().cloned().chain(rest).collect());
        }
    }
    mentions
}

/// The paths that `a::b`, `{a, b::c}` or `a::{b, c}` at the start of `code` stand for.
fn expand(code: &str) -> Vec<Vec<String>> {
    if let Some(group) = code.strip_prefix('{') {
        let mut depth = 1;
        let end = group.find(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            depth == 0
        });
        let inside = &group[..end.unwrap_or(group.len())];
        let mut depth = 0;
        let items = inside.split(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            c == ',' && depth == 0
        });
        return items.map(str::trim).filter(|item| !item.is_empty()).flat_map(expand).collect();
    }
    let end = code.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(code.len());
    let (name, rest) = code.split_at(end);
    let Some(rest) = rest.strip_prefix("::") else { return vec![vec![name.to_owned()]] };
    expand(rest).into_iter().map(|tail| std::iter::once(name.to_owned()).chain(tail).collect()).collect()
}

fn named_crates(source: &Source) -> Vec<String> {
    let module = source.module();
    let mut broken = Vec::new();
    for found in EDGE_CRATE.captures_iter(&source.code) {
        let name = found.get(1).or(found.get(2)).expect("one of the two has matched").as_str();
        let rule = NAMED_ONLY_IN.iter().find(|(known, _)| *known == name);
        let (_, modules) = rule.expect("the expression is made of the table");
        if !modules.iter().any(|allowed| is_within(&module, allowed)) {
            broken.push(format!("{}: {name} is named only in {}", source.path, modules.join(", ")));
        }
    }
    broken
}

fn module_documentation(source: &Source) -> Vec<String> {
    let is_documented = source.text.starts_with("//! ");
    if is_documented { Vec::new() } else { vec![format!("{}: begins without `//! `", source.path)] }
}

fn code_length(source: &Source) -> Vec<String> {
    if source.is_test() {
        return Vec::new();
    }
    let before_tests = source.code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    // A blanked comment is a pair of quotation marks.
    let lines = before_tests.lines().filter(|line| !matches!(line.trim(), "" | "\"\"")).count();
    let is_short = lines <= CODE_LINES_MAX;
    if is_short { Vec::new() } else { vec![format!("{}: {lines} lines of code, split it", source.path)] }
}

fn leftovers(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    if let Some(found) = UNFINISHED.find(&source.code) {
        broken.push(format!("{}: {}", source.path, found.as_str()));
    }
    for (index, line) in source.text.lines().enumerate() {
        let comment = line.find("//").map_or("", |start| &line[start..]);
        if MARKER.is_match(comment) || COMMENTED_OUT.is_match(line) {
            broken.push(format!("{}:{}: {}", source.path, index + 1, line.trim()));
        }
    }
    broken
}

/// The dependencies of a manifest that no comment above them gives a reason for.
fn dependencies_without_reason(manifest: &str) -> Vec<String> {
    let mut broken = Vec::new();
    let mut in_dependencies = false;
    let mut covered = 0;
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.trim_end_matches(']').ends_with("dependencies");
        }
        let Some((name, _)) = line.split_once('=').filter(|_| in_dependencies && !line.starts_with(['#', '['])) else {
            let is_reason = line.starts_with("# ") && !line.starts_with("# ---");
            covered = if is_reason { DEPENDENCIES_PER_REASON_MAX } else { 0 };
            continue;
        };
        if covered == 0 {
            broken.push(name.trim().to_owned());
        }
        covered = covered.saturating_sub(1);
    }
    broken
}

/// Each rule must be able to fail: a file that breaks it, and one that does not.
mod rules {
    use super::{
        CODE_LINES_MAX, PAGE_BYTES_MAX, Rule, SCRIPT_BYTES_MAX, Source, circle, code_length,
        dependencies_without_reason, foreign_addresses, leftovers, module_documentation, named_crates, named_modules,
        page_over_its_limits,
    };

    #[track_caller]
    fn check(rule: Rule, path: &str, text: &str, broken_count: usize) {
        let broken = rule(&Source::new(path, text));
        assert_eq!(broken.len(), broken_count, "{broken:?}");
    }

    #[test]
    fn circles_are_found() {
        let sources = [
            ("src/a/mod.rs", "use crate::a::b::B;"),
            ("src/a/b.rs", "use crate::a::A; use crate::a::c::{C, D}; mod tests {}"),
            ("src/a/c/mod.rs", "use crate::a::{c::E, d};"),
            ("src/a/d.rs", "#[cfg(test)]\nmod tests {\n    use crate::a::b::B;\n}"),
        ];
        let sources = sources.map(|(path, text)| Source::new(path, text));
        assert_eq!(circle(&sources, "a").len(), 0);
        let back = Source::new("src/a/d.rs", "use crate::a::b;");
        let [above, b, c, _] = sources;
        assert_eq!(circle(&[above, b, c, back], "a").into_iter().collect::<Vec<_>>(), ["b", "c", "d"]);
    }

    #[test]
    fn a_module_names_itself_and_what_it_may() {
        check(named_modules, "src/status.rs", "use crate::model::Timestamp;", 0);
        check(named_modules, "src/log_collector/format/cri.rs", "use crate::log_collector::format::Line;", 0);
    }

    #[test]
    fn a_forbidden_module_is_found_however_it_is_named() {
        check(named_modules, "src/model.rs", "use crate::file::File;", 1);
        check(named_modules, "src/status.rs", "use crate::{model, file::{self, File}};", 2);
        check(named_modules, "src/log_database/journal.rs", "fn f() { crate::log_collector::g() }", 1);
        check(named_modules, "src/ingest.rs", "use super::api;", 1);
        check(named_modules, "src/log_collector/watcher/inotify.rs", "use super::super::format;", 1);
        check(named_modules, "src/log_collector/watcher/mod.rs", "use monitoring_rs::log_collector::Batch;", 1);
    }

    #[test]
    fn super_in_an_inline_module_is_the_file_itself() {
        check(named_modules, "src/log_collector/watcher/mod.rs", "mod tests {\n    use super::Event;\n}", 0);
        check(named_modules, "src/log_collector/watcher/mod.rs", "use super::Event;", 1);
    }

    #[test]
    fn a_module_without_a_rule_is_found() {
        check(named_modules, "src/helpers.rs", "", 1);
    }

    #[test]
    fn comments_and_strings_name_nothing() {
        check(named_modules, "src/model.rs", "// crate::api\nconst S: &str = \"crate::api\";", 0);
        check(named_modules, "src/model.rs", "const C: char = '\"'; use crate::api; const D: char = '\"';", 1);
        check(named_modules, "src/model.rs", "fn f<'a>(x: &'a str) { crate::api::g('x') }", 1);
    }

    #[test]
    fn a_runtime_in_the_core_is_found() {
        check(named_crates, "src/log_database/mod.rs", "use async_std::task;", 1);
        check(named_crates, "src/model.rs", "#[derive(serde::Serialize)]", 1);
        check(named_crates, "src/api/mod.rs", "use tide::Request;", 0);
        check(named_crates, "src/log_collector/watcher/inotify.rs", "use inotify::Inotify;", 0);
        check(named_crates, "src/log_collector/mod.rs", "use crate::log_collector::watcher::inotify::Inotify;", 0);
    }

    #[test]
    fn a_file_without_documentation_is_found() {
        check(module_documentation, "src/model.rs", "use std::fmt;", 1);
        check(module_documentation, "src/model.rs", "//! The vocabulary.", 0);
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_are_not_counted() {
        let line = "const A: u8 = 1;\n// why\n\n";
        check(code_length, "src/model.rs", &line.repeat(CODE_LINES_MAX), 0);
        check(code_length, "src/model.rs", &line.repeat(CODE_LINES_MAX + 1), 1);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}", line.repeat(CODE_LINES_MAX + 1));
        check(code_length, "src/model.rs", &tests, 0);
    }

    #[test]
    fn leftovers_are_found() {
        check(leftovers, "src/model.rs", &["fn f() { to", "do!() }"].concat(), 1);
        check(leftovers, "src/model.rs", &["let x = 1; // FIX", "ME later"].concat(), 1);
        check(leftovers, "src/model.rs", "    // let x = 1;", 1);
        check(leftovers, "src/model.rs", "    // if x {", 1);
        check(leftovers, "src/model.rs", "    // f(x);", 1);
        check(leftovers, "src/model.rs", "    // A sentence with a reason; and another;\n//! let it be;", 0);
    }

    #[test]
    fn a_page_over_its_limits_is_found() {
        assert_eq!(page_over_its_limits(&[("app.js", SCRIPT_BYTES_MAX), ("app.css", 1000)]).len(), 0);
        assert_eq!(page_over_its_limits(&[("app.js", SCRIPT_BYTES_MAX + 1), ("app.css", 1000)]).len(), 1);
        assert_eq!(page_over_its_limits(&[("app.js", SCRIPT_BYTES_MAX), ("later.js", PAGE_BYTES_MAX)]).len(), 1);
    }

    #[test]
    fn an_address_of_another_place_is_found() {
        let found = |text: &str| foreign_addresses("app.js", text.as_bytes()).len();
        assert_eq!(found(r#"e("http://www.w3.org/2000/svg");f("../api/v1/lines");// a comment"#), 0);
        assert_eq!(found(r"fetch(`${scheme}://${location.host}/x`)"), 0);
        assert_eq!(found(r#"src="https://cdn.example/x.js""#), 1);
        assert_eq!(found(r"import('//cdn.example.com/x.js')"), 1);
        assert_eq!(found("url(http://www.w3.org/2000/svg/x)"), 1);
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let manifest = "[dependencies]\n# Why.\na = \"1\"\nb = \"1\"\nc = \"1\"\n\nd = { version = \"1\" }\n";
        assert_eq!(dependencies_without_reason(manifest), ["c", "d"]);
    }
}
