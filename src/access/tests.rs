//! What the files may say, how long a session lasts, and how often somebody may be wrong.
#![expect(clippy::disallowed_methods, reason = "these tests write the files that are read")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

use super::*;

/// Of the password `secret`, by htpasswd with the cost 4.
const HASH: &str = "$2b$04$Pu7FOY8mRagDSBrPzrK.U.mmCXDWalgrmP/CHQmENivZY9Pfb0ARu";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Who may ask by these files, in a directory that is kept while they are.
fn access(tokens: &str, users: &str) -> (tempfile::TempDir, Result<Access, Error>) {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = directory.path().join(name);
        (!text.is_empty()).then(|| {
            write(&path, text, 0o640);
            path
        })
    };
    let files = Files { tokens: path("tokens", tokens), users: path("users", users) };
    (directory, Access::new(files))
}

/// Waits once.
fn once() -> impl Fn(Duration) -> bool {
    let has_waited = std::cell::Cell::new(false);
    move |_| has_waited.replace(true)
}

#[track_caller]
fn check_refused(tokens: &str, users: &str, expected: &str) {
    let said = access(tokens, users).1.map(|_| ()).unwrap_err().to_string();
    assert!(said.contains(expected), "{said}");
    assert!(!said.contains(TOKEN) && !said.contains(HASH), "a secret is said: {said}");
}

#[test]
fn a_wrong_file_says_where_and_how_to_mend_it() {
    check_refused("grafana", "", "tokens, line 1: expected a name, a token");
    check_refused("# programs\n\ngrafana short", "", "line 3: the token of \"grafana\" has fewer than 16");
    check_refused(&format!("grafana {TOKEN} write"), "", "\"write\" is no right; there are read, push and admin");
    check_refused(&format!("grafana {TOKEN} read {{namespace}}"), "", "line 1: the selector {namespace}: ");
    check_refused(&format!("a {TOKEN}\na {TOKEN}x"), "", "line 2: \"a\" is there twice");
    check_refused(&format!("a {TOKEN}\nb {TOKEN}"), "", "line 2: \"b\" has the token of somebody else");
    check_refused("# nobody\n", "", "nobody is in it");
    check_refused("", "alice", "users, line 1: expected a name and a hash");
    check_refused(
        "",
        "alice:$apr1$abc$def",
        "the hash of \"alice\" is none by bcrypt; make one with: htpasswd -nB alice",
    );
    check_refused("", &format!("alice:{}", HASH.replace("$04$", "$31$")), "has the cost 31, which takes too long");
}

#[test]
fn a_file_that_everybody_may_read_is_refused() {
    let (directory, access) = access(&format!("grafana {TOKEN}"), "");
    access.unwrap();
    let path = directory.path().join("tokens");
    write(&path, &format!("grafana {TOKEN}"), 0o644);
    let said = Access::new(Files { tokens: Some(path), users: None }).unwrap_err().to_string();
    assert!(said.contains("run: chmod o= "), "{said}");
}

#[test]
fn names_have_the_rights_that_are_written_down() {
    let tokens =
        format!("grafana {TOKEN}\nedge\t{TOKEN}1 push\nshop {TOKEN}2 read,push {{namespace=\"shop\", app!=\"a b\"}}\n");
    let users = format!("alice:{HASH}:read,admin\nbob:{HASH}::{{namespace=\"shop\"}}\n");
    let (_directory, access) = access(&tokens, &users);
    let access = access.unwrap();
    let rights = |caller: Option<Caller>| {
        let caller = caller.unwrap();
        let rights = [Right::Read, Right::Push, Right::Admin].map(|right| caller.rights.include(right));
        (rights, caller.limit.map(|limit| limit.selector.to_string()))
    };
    assert_eq!(rights(access.token(TOKEN)), ([true, false, false], None));
    assert_eq!(rights(access.token(&format!("{TOKEN}1"))), ([false, true, false], None));
    let selector = Some("{namespace=\"shop\", app!=\"a b\"}".to_owned());
    assert_eq!(rights(access.token(&format!("{TOKEN}2"))), ([true, true, false], selector));
    assert!(access.token("").is_none() && access.token(&TOKEN[..31]).is_none());

    assert!(access.remembered("alice", "secret").is_none());
    assert_eq!(rights(access.password("alice", "secret")), ([true, false, true], None));
    assert_eq!(rights(access.remembered("alice", "secret")), ([true, false, true], None));
    assert!(access.password("alice", "wrong").is_none() && access.remembered("alice", "wrong").is_none());
    assert!(access.password("nobody", "secret").is_none());
    let selector = Some("{namespace=\"shop\"}".to_owned());
    assert_eq!(rights(access.password("bob", "secret")), ([true, false, false], selector));
    // A program that knows basic credentials alone sends its token as the password.
    assert!(access.remembered("grafana", TOKEN).is_some() && access.remembered("edge", TOKEN).is_none());

    assert_eq!(rights(Some(access.by_proxy("alice"))).0, [true, false, true]);
    assert_eq!(rights(Some(access.by_proxy("carol"))), ([true, false, false], None));
}

#[test]
fn a_session_ends_with_its_time_the_logout_and_the_password() {
    let (directory, access) = access("", &format!("alice:{HASH}\nbob:{HASH}"));
    let access = access.unwrap();
    let caller = access.password("alice", "secret").unwrap();
    let (one, other) = (access.log_in(&caller).unwrap(), access.log_in(&caller).unwrap());
    assert_eq!(*access.session(&one).unwrap().name, *"alice");
    // Nothing of it can be changed: the name, the end, the number, the signature.
    let of_bob = one.replacen("YWxpY2U", "Ym9i", 1);
    for wrong in
        [of_bob, one.replacen(".1", ".2", 1), format!("{one}x"), one[..one.len() - 1].to_owned(), String::new()]
    {
        assert!(access.session(&wrong).is_none(), "{wrong}");
    }
    let credentials = access.credentials();
    let user = &credentials.users["alice"];
    let end = sessions::now() + SESSION_TIME.as_secs();
    assert!(access.sessions.is_open(user, &one, end - 10) && !access.sessions.is_open(user, &one, end + 10));

    access.log_out(&one);
    assert!(access.session(&one).is_none() && access.session(&other).is_some());

    // Another password for the same name.
    write(&directory.path().join("users"), &format!("alice:{}", HASH.replace("Pu7F", "Qu7F")), 0o640);
    access.follow(&once());
    assert!(access.session(&other).is_none());
}

#[test]
fn who_was_let_in_is_let_in_no_more_once_that_changes() {
    let tokens = format!("one {TOKEN}1\nother {TOKEN}2 read {{app=\"shop\"}}\nmore {TOKEN}3 read,push\n");
    let (directory, access) = access(&tokens, &format!("alice:{HASH}\nbob:{HASH}"));
    let access = access.unwrap();
    let [one, other, more] = [1, 2, 3].map(|number| access.token(&format!("{TOKEN}{number}")).unwrap());
    let [alice, bob] = ["alice", "bob"].map(|name| access.password(name, "secret").unwrap());
    let shown = access.log_in(&alice).unwrap();
    let (session, by_proxy) = (access.session(&shown).unwrap(), access.by_proxy("bob"));
    let all = [&one, &other, &more, &alice, &bob, &session, &by_proxy];
    let admitted = || all.map(|caller| access.still_admits(caller));
    assert_eq!(admitted(), [true; 7]);
    let change = |file: &str, text: &str| {
        write(&directory.path().join(file), text, 0o640);
        access.follow(&once());
        admitted()
    };
    // Another token under the name, another selector; and a right that is of no matter to who reads.
    let tokens = format!("one {TOKEN}9\nother {TOKEN}2 read {{app=\"web\"}}\nmore {TOKEN}3 read\n");
    assert_eq!(change("tokens", &tokens), [false, false, true, true, true, true, true]);
    let tokens = format!("more {TOKEN}3 push\n");
    assert_eq!(change("tokens", &tokens), [false, false, false, true, true, true, true]);
    access.log_out(&shown);
    assert_eq!(admitted(), [false, false, false, true, true, false, true]);
    let users = format!("alice:{}\nbob:{HASH}:read:{{app=\"shop\"}}\n", HASH.replace("Pu7F", "Qu7F"));
    assert_eq!(change("users", &users), [false; 7]);
    assert!(access.still_admits(&Caller::anybody()));
    let said = format!("{session:?} {alice:?} {one:?}");
    assert!(!said.contains(&shown) && !said.contains(HASH), "{said}");
}

#[test]
fn files_are_read_again_and_a_wrong_one_is_not_taken() {
    let (directory, access) = access(&format!("grafana {TOKEN}"), "");
    let access = access.unwrap();
    let path = directory.path().join("tokens");
    write(&path, "grafana", 0o640);
    access.follow(&once());
    assert!(access.token(TOKEN).is_some());
    write(&path, &format!("grafana {TOKEN}9"), 0o640);
    access.follow(&once());
    assert!(access.token(TOKEN).is_none() && access.token(&format!("{TOKEN}9")).is_some());
}

#[test]
fn who_is_wrong_too_often_waits() {
    let (attempts, now) = (Attempts::default(), Instant::now());
    for _ in 0..10 {
        attempts.begin("mallory", now).unwrap();
    }
    attempts.begin("mallory", now).unwrap_err();
    // Others do not, nor does who is right.
    for _ in 0..100 {
        attempts.begin("alice", now).unwrap();
        attempts.succeed("alice");
    }
    let later = now + Duration::from_mins(1);
    attempts.begin("mallory", later).unwrap();
}

#[test]
fn a_network_has_the_addresses_of_its_bits() {
    let contains =
        |network: &str, address: &str| network.parse::<Network>().unwrap().contains(address.parse().unwrap());
    assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.1"));
    assert!(contains("0.0.0.0/0", "1.2.3.4") && !contains("0.0.0.0/0", "::2"));
    assert!(contains("10.1.2.3", "10.1.2.3") && !contains("10.1.2.3", "10.1.2.4"));
    assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert!(contains("fd00::/8", "fd12::1") && contains("::1", "::1"));
    for wrong in ["", "10.0.0.0/33", "host", "10.0.0.0/", "::1/129"] {
        wrong.parse::<Network>().unwrap_err();
    }
}
