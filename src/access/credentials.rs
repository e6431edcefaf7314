//! The two files that say who may ask.
//!
//! A line of the tokens' file is a name, a token, and if need be rights and a selector, apart by blanks:
//!
//! ```text
//! grafana  2f6c1ab04e…  read
//! edge-1   77ab90d1c3…  push
//! shop     9a7702ef55…  read  {namespace="shop"}
//! ```
//!
//! A line of the users' file is one of htpasswd's with a hash by bcrypt (`htpasswd -B`), and if need be rights and a selector
//! behind further colons, which other programs leave alone: `alice:$2y$10$…:read,admin:{namespace="shop"}`. Who has no rights
//! written down may read. Blank lines and those that begin with `#` are comments.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::hmac;

use crate::access::{Caller, Files, Limit, Pass, Right, Rights};
use crate::file;
use crate::logql;

/// Most bytes of a file of credentials.
const FILE_BYTES_MAX: usize = 1 << 20;
/// Fewest characters of a token.
const TOKEN_CHARACTERS_MIN: usize = 16;
/// The cost of bcrypt where there are no users to take it from.
const COST_DEFAULT: u32 = 10;
/// The greatest cost that a hash may have: 16 times as long as is usual, some seconds.
const COST_MAX: u32 = 14;

/// Why credentials cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] file::Error),
    /// Anybody on this machine could read it.
    #[error("{} can be read or changed by everybody on this machine; run: chmod o= {}", .0.display(), .0.display())]
    WorldReadable(PathBuf),
    /// It is no file of credentials.
    #[error("{}: {reason}", path.display())]
    NotCredentials {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A line is wrong.
    #[error("{}, line {line}: {reason}", path.display())]
    Line {
        /// Of which file.
        path: PathBuf,
        /// From 1 on.
        line: usize,
        /// What is wrong with it, and what is expected.
        reason: String,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers to make keys of")]
    NoRandomness,
}

/// Who may ask.
#[derive(Default)]
pub(super) struct Credentials {
    /// By the keyed hash of the token.
    pub(super) tokens: HashMap<Vec<u8>, Entry>,
    /// By name.
    pub(super) users: HashMap<String, User>,
    /// The greatest cost of their hashes.
    cost: u32,
    /// What a password is compared with where there is no such user, so that the time does not tell who there is.
    pub(super) nobodys_hash: String,
}

/// A name and what it has a right to.
pub(super) struct Entry {
    pub(super) name: Arc<str>,
    rights: Rights,
    limit: Option<Limit>,
}

/// Somebody with a password.
pub(super) struct User {
    pub(super) entry: Entry,
    /// As bcrypt writes it.
    pub(super) hash: String,
}

/// What tells whether a file has changed: each file's last change, if it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp(Vec<Option<(i64, u64)>>);

impl Stamp {
    pub(super) fn of(files: &Files) -> Self {
        let stamp = |path: &PathBuf| {
            let metadata = file::metadata(path).ok()?;
            Some((metadata.changed_ns, metadata.identity.inode))
        };
        Self([&files.tokens, &files.users].map(|path| path.as_ref().and_then(stamp)).to_vec())
    }
}

impl Entry {
    /// Whoever was let in for `pass`.
    pub(super) fn caller(&self, pass: Pass) -> Caller {
        Caller { name: Arc::clone(&self.name), rights: self.rights, limit: self.limit.clone(), pass }
    }

    /// Reads what is behind a name and its secret.
    fn parse(name: &str, rights: Option<&str>, selector: Option<&str>) -> Result<Self, String> {
        let selector = selector.map(str::trim).filter(|selector| !selector.is_empty());
        let rights = rights.map(str::trim).filter(|rights| !rights.is_empty()).unwrap_or("read");
        Ok(Self { name: name.into(), rights: parse_rights(rights)?, limit: selector.map(parse_limit).transpose()? })
    }
}

impl User {
    /// Whoever was let in for the password.
    pub(super) fn caller(&self) -> Caller {
        self.entry.caller(Pass::Password(self.hash.as_str().into()))
    }
}

impl Credentials {
    /// Reads both files; tokens are kept as their hashes with `key`.
    pub(super) fn read(files: &Files, key: &hmac::Key) -> Result<Self, Error> {
        let mut credentials = Self::default();
        if let Some(path) = &files.tokens {
            for_each_line(path, |line| credentials.add_token(line, key))?;
        }
        if let Some(path) = &files.users {
            for_each_line(path, |line| credentials.add_user(line))?;
        }
        for (path, is_empty) in
            [(&files.tokens, credentials.tokens.is_empty()), (&files.users, credentials.users.is_empty())]
        {
            if let Some(path) = path.as_ref().filter(|_| is_empty) {
                return Err(Error::NotCredentials { path: path.clone(), reason: "nobody is in it".into() });
            }
        }
        let cost = if credentials.cost == 0 { COST_DEFAULT } else { credentials.cost };
        let nobody = bcrypt::hash_with_salt("", cost, [0; 16]).map_err(|_| Error::NoRandomness)?;
        credentials.nobodys_hash = nobody.to_string();
        Ok(credentials)
    }

    fn add_token(&mut self, line: &str, key: &hmac::Key) -> Result<(), String> {
        let mut parts = line.split_ascii_whitespace();
        let (Some(name), Some(token)) = (parts.next(), parts.next()) else {
            return Err("expected a name, a token, and if need be rights such as read,push and a selector".into());
        };
        let rest: Vec<&str> = parts.collect();
        let (rights, selector) = match rest.split_first() {
            None => (None, None),
            Some((first, _)) if first.starts_with('{') => (None, Some(rest.join(" "))),
            Some((rights, [])) => (Some(*rights), None),
            Some((rights, selector)) => (Some(*rights), Some(selector.join(" "))),
        };
        if token.chars().count() < TOKEN_CHARACTERS_MIN {
            return Err(format!(
                "the token of {name:?} has fewer than {TOKEN_CHARACTERS_MIN} characters; make one with: openssl rand -hex 32"
            ));
        }
        let entry = Entry::parse(name, rights, selector.as_deref())?;
        if self.tokens.values().any(|other| other.name == entry.name) {
            return Err(format!("{name:?} is there twice"));
        }
        let hash = hmac::sign(key, token.as_bytes()).as_ref().to_vec();
        if self.tokens.insert(hash, entry).is_some() {
            return Err(format!("{name:?} has the token of somebody else"));
        }
        Ok(())
    }

    fn add_user(&mut self, line: &str) -> Result<(), String> {
        let mut parts = line.splitn(4, ':');
        let (Some(name), Some(hash)) = (parts.next().filter(|name| !name.is_empty()), parts.next()) else {
            return Err("expected a name and a hash as htpasswd -B writes them, apart by a colon".into());
        };
        let cost = hash.parse::<bcrypt::HashParts>().map(|parts| parts.get_cost());
        let cost =
            cost.map_err(|_| format!("the hash of {name:?} is none by bcrypt; make one with: htpasswd -nB {name}"))?;
        if COST_MAX < cost {
            return Err(format!(
                "the hash of {name:?} has the cost {cost}, which takes too long; {COST_MAX} is the greatest"
            ));
        }
        self.cost = self.cost.max(cost);
        let entry = Entry::parse(name, parts.next(), parts.next())?;
        if self.users.insert(name.to_owned(), User { entry, hash: hash.to_owned() }).is_some() {
            return Err(format!("{name:?} is there twice"));
        }
        Ok(())
    }
}

/// How many of each there are, for the own log.
impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens, {} users", self.tokens.len(), self.users.len())
    }
}

fn parse_rights(text: &str) -> Result<Rights, String> {
    let mut rights = Rights::default();
    for word in text.split(',') {
        let known = [Right::Read, Right::Push, Right::Admin].into_iter().find(|right| right.name() == word.trim());
        rights.add(known.ok_or_else(|| format!("{word:?} is no right; there are read, push and admin"))?);
    }
    Ok(rights)
}

fn parse_limit(selector: &str) -> Result<Limit, String> {
    let said = |error: logql::Error| format!("the selector {selector}: {error}");
    let matchers = logql::matchers(&logql::parse_selector(selector).map_err(said)?).map_err(said)?;
    Ok(Limit { selector: selector.into(), matchers: matchers.into() })
}

/// Hands each line of a file that says something to `take`.
fn for_each_line(path: &Path, mut take: impl FnMut(&str) -> Result<(), String>) -> Result<(), Error> {
    let (bytes, metadata) = file::read_whole(path, FILE_BYTES_MAX)?;
    if metadata.is_open_to_others() {
        return Err(Error::WorldReadable(path.to_owned()));
    }
    let wrong = |reason: &str| Error::NotCredentials { path: path.to_owned(), reason: reason.into() };
    let text = str::from_utf8(&bytes).map_err(|_| wrong("it is no text"))?;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            take(line).map_err(|reason| Error::Line { path: path.to_owned(), line: index + 1, reason })?;
        }
    }
    Ok(())
}
