//! Who may ask, and for what: tokens of programs, names and passwords of people, and what each has a right to.
//!
//! Two files say so, which are read again when they change; a wrong one is refused, and what was known goes on. A token is
//! compared by its keyed hash, so that no comparison takes longer the more of it is right; a password by bcrypt, which is slow
//! on purpose: whoever asks sees to it that nothing waits for that. Deliberately knows nothing of HTTP.
//!
//! | file | in one sentence |
//! |---|---|
//! | `credentials` | the two files, line by line |
//! | `passwords` | which passwords were right a moment ago, so that they are not hashed for each request |
//! | `sessions` | what people have after they have logged in |
//! | `attempts` | how often somebody may be wrong |
//! | `networks` | the addresses of proxies |

mod attempts;
mod credentials;
mod networks;
mod passwords;
mod sessions;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::hmac;
use ring::rand::SystemRandom;

use crate::model::Matcher;

pub use attempts::{Attempts, TooManyAttempts};
pub use credentials::Error;
pub use networks::{InvalidNetwork, Network};
pub use sessions::SESSION_TIME;

use credentials::{Credentials, Stamp, User};
use passwords::Passwords;
use sessions::Sessions;

/// How often it is looked whether the files have changed.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Ask for lines and what is said of them.
    Read,
    /// Send lines.
    Push,
    /// See what the agent says of itself in full: paths, sources, losses.
    Admin,
}

impl Right {
    /// The word for it in the files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Push => "push",
            Self::Admin => "admin",
        }
    }
}

/// What somebody has a right to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    read: bool,
    push: bool,
    admin: bool,
}

impl Rights {
    /// All there are.
    pub const ALL: Self = Self { read: true, push: true, admin: true };

    /// Whether `right` is among them.
    pub fn include(self, right: Right) -> bool {
        match right {
            Right::Read => self.read,
            Right::Push => self.push,
            Right::Admin => self.admin,
        }
    }

    fn add(&mut self, right: Right) {
        match right {
            Right::Read => self.read = true,
            Right::Push => self.push = true,
            Right::Admin => self.admin = true,
        }
    }
}

/// The streams that somebody may see and push to.
#[derive(Clone, Debug)]
pub struct Limit {
    /// As it is written.
    pub selector: Arc<str>,
    /// What the labels of a stream have to be, as queries see them.
    pub matchers: Arc<[Matcher]>,
}

/// Somebody who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The name, for the own log.
    pub name: Arc<str>,
    /// What they have a right to.
    pub rights: Rights,
    /// Which streams there are for them; `None` for all.
    pub limit: Option<Limit>,
    /// What they were let in for.
    pass: Pass,
}

impl Caller {
    /// Whoever asks where nobody is asked who they are.
    pub fn anybody() -> Self {
        Self { name: "anybody".into(), rights: Rights::ALL, limit: None, pass: Pass::Nothing }
    }

    /// Whoever asks and has not said who they are.
    pub fn nobody() -> Self {
        Self { rights: Rights::default(), ..Self::anybody() }
    }
}

/// What somebody was let in for.
#[derive(Clone)]
enum Pass {
    /// Nobody is asked.
    Nothing,
    /// The token with this keyed hash.
    Token(Box<[u8]>),
    /// The password with this hash by bcrypt.
    Password(Box<str>),
    /// The session that this is shown for.
    Session(Box<str>),
    /// The word of a proxy.
    Proxy,
}

/// Nothing of what may be secret.
impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Token(_) => "Token",
            Self::Password(_) => "Password",
            Self::Session(_) => "Session",
            Self::Proxy => "Proxy",
        })
    }
}

/// Where credentials come from.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Names and tokens.
    pub tokens: Option<PathBuf>,
    /// Names and bcrypt hashes of passwords, as `htpasswd -B` writes them.
    pub users: Option<PathBuf>,
}

/// Who may ask.
pub struct Access {
    files: Files,
    /// Made at the start; nobody else has it.
    key: hmac::Key,
    known: Mutex<Known>,
    passwords: Passwords,
    sessions: Sessions,
}

struct Known {
    credentials: Arc<Credentials>,
    stamp: Stamp,
}

impl Access {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// What is wrong with a file, and how to mend it; never what it holds.
    pub fn new(files: Files) -> Result<Self, Error> {
        let random = SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random).map_err(|_| Error::NoRandomness)?;
        let stamp = Stamp::of(&files);
        let credentials = Arc::new(Credentials::read(&files, &key)?);
        let (known, passwords) = (Mutex::new(Known { credentials, stamp }), Passwords::default());
        let sessions = Sessions::new(key.clone(), random);
        Ok(Self { files, key, known, passwords, sessions })
    }

    /// Whether nobody has to say who they are.
    pub fn is_off(&self) -> bool {
        self.files.tokens.is_none() && self.files.users.is_none()
    }

    /// Whether people can log in.
    pub fn has_users(&self) -> bool {
        self.files.users.is_some()
    }

    /// Whose token this is.
    pub fn token(&self, token: &str) -> Option<Caller> {
        self.token_hashed(hmac::sign(&self.key, token.as_bytes()).as_ref())
    }

    fn token_hashed(&self, hash: &[u8]) -> Option<Caller> {
        self.credentials().tokens.get(hash).map(|entry| entry.caller(Pass::Token(hash.into())))
    }

    /// Who this is, if the password is that of a token, or was found right a moment ago. Fast.
    pub fn remembered(&self, name: &str, password: &str) -> Option<Caller> {
        if let Some(caller) = self.token(password).filter(|caller| *caller.name == *name) {
            return Some(caller);
        }
        let credentials = self.credentials();
        let user = credentials.users.get(name)?;
        self.passwords.is_known(&self.key, user, password).then(|| user.caller())
    }

    /// Who this is, if the password is right. Blocks for as long as bcrypt takes, be there such a user or not.
    pub fn password(&self, name: &str, password: &str) -> Option<Caller> {
        let credentials = self.credentials();
        let user = credentials.users.get(name);
        let hash = user.map_or(&credentials.nobodys_hash, |user| &user.hash);
        let is_right = bcrypt::verify(password, hash).unwrap_or(false);
        let user = user.filter(|_| is_right)?;
        self.passwords.remember(&self.key, user, password);
        Some(user.caller())
    }

    /// Begins a session of somebody whose password was right; what they show from then on.
    pub fn log_in(&self, caller: &Caller) -> Option<String> {
        let credentials = self.credentials();
        let user = credentials.users.get(&*caller.name)?;
        self.sessions.begin(user, sessions::now())
    }

    /// Whose session this is, if it goes on.
    pub fn session(&self, shown: &str) -> Option<Caller> {
        let credentials = self.credentials();
        let name = sessions::name_of(shown)?;
        let user = credentials.users.get(name.as_str())?;
        self.sessions.is_open(user, shown, sessions::now()).then(|| user.entry.caller(Pass::Session(shown.into())))
    }

    /// Ends a session.
    pub fn log_out(&self, shown: &str) {
        if self.session(shown).is_some() {
            self.sessions.end(shown, sessions::now());
        }
    }

    /// Somebody whom a proxy that is trusted has asked for their name: with the rights of the token or user of that name, or as
    /// one who reads.
    pub fn by_proxy(&self, name: &str) -> Caller {
        let credentials = self.credentials();
        let user = credentials.users.get(name).map(|user| &user.entry);
        let entry = user.or_else(|| credentials.tokens.values().find(|entry| *entry.name == *name));
        let mut read = Rights::default();
        read.add(Right::Read);
        let reader = || Caller { name: name.into(), rights: read, limit: None, pass: Pass::Proxy };
        entry.map_or_else(reader, |entry| entry.caller(Pass::Proxy))
    }

    /// Whether somebody who was let in to read would be let in now, for the same streams: what they were let in for may have been
    /// taken away, changed, or ended since.
    pub fn still_admits(&self, caller: &Caller) -> bool {
        let now = match &caller.pass {
            Pass::Nothing => return true,
            Pass::Token(hash) => self.token_hashed(hash),
            Pass::Password(hash) => {
                self.credentials().users.get(&*caller.name).filter(|user| *user.hash == **hash).map(User::caller)
            }
            Pass::Session(shown) => self.session(shown),
            Pass::Proxy => Some(self.by_proxy(&caller.name)),
        };
        let selector = |caller: &Caller| caller.limit.as_ref().map(|limit| Arc::clone(&limit.selector));
        now.is_some_and(|now| {
            now.name == caller.name && now.rights.include(Right::Read) && selector(&now) == selector(caller)
        })
    }

    /// Reads the files again when they change, until `wait` says that it is time to stop. A wrong one is said once; what was
    /// known goes on.
    pub fn follow(&self, wait: &dyn Fn(Duration) -> bool) {
        while !wait(RELOAD_INTERVAL) {
            let stamp = Stamp::of(&self.files);
            if self.known().stamp == stamp {
                continue;
            }
            match Credentials::read(&self.files, &self.key) {
                Ok(credentials) => {
                    log::info!("credentials are read again: {credentials}");
                    *self.known() = Known { credentials: Arc::new(credentials), stamp };
                }
                Err(error) => {
                    log::error!("{error}; what was known goes on");
                    self.known().stamp = stamp;
                }
            }
        }
    }

    fn credentials(&self) -> Arc<Credentials> {
        Arc::clone(&self.known().credentials)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many there are, and nothing of what they are.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("credentials", &self.credentials().to_string()).finish_non_exhaustive()
    }
}
