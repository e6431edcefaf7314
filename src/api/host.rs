//! Which names this server answers to.
//!
//! A web page can make a browser send requests to any address that its own name resolves to ("DNS rebinding"), and
//! could so read this machine's logs. The browser still names the page's host, so only names that nobody outside can
//! register are answered: addresses, `localhost`, names of one label, a cluster's services, and those that were allowed.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Name endings that only a cluster's own name server resolves.
const CLUSTER_SUFFIXES: [&str; 2] = [".svc", ".svc.cluster.local"];

/// Whether requests for `authority` (a host, with or without a port) are answered.
pub(super) fn is_served(authority: &str, allowed_hosts: &[String]) -> bool {
    let Some(host) = host_of(authority) else { return false };
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let well_formed =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let is_local = !name.contains('.')
        || name.parse::<Ipv4Addr>().is_ok()
        || CLUSTER_SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
    well_formed && (is_local || allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(&name)))
}

/// Whether the host of `authority` is one of `allowed_hosts`.
pub(super) fn is_allowed(authority: &str, allowed_hosts: &[String]) -> bool {
    host_of(authority).is_some_and(|host| allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host)))
}

/// The host without its port; `None` where what stands for the port is none.
fn host_of(authority: &str) -> Option<&str> {
    let Some((host, port)) = authority.rsplit_once(':') else { return Some(authority) };
    if port.ends_with(']') {
        return Some(authority);
    }
    port.bytes().all(|byte| byte.is_ascii_digit()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(authority: &str, expected: bool) {
        let allowed_hosts = ["logs.example.com".to_owned()];
        assert_eq!(is_served(authority, &allowed_hosts), expected, "authority: {authority}");
    }

    #[test]
    fn names_that_nobody_outside_can_register_are_served() {
        for host in
            ["127.0.0.1", "10.1.2.3:8000", "[::1]", "[::1]:8000", "localhost", "LOCALHOST.:8000", "monitoring:80"]
        {
            check(host, true);
        }
        check("monitoring.logs.svc:8000", true);
        check("monitoring.logs.svc.cluster.local", true);
        check("Logs.Example.COM:8000", true);
    }

    #[test]
    fn names_of_others_are_not() {
        for host in
            ["evil.example", "example.com.:80", "127.0.0.1.evil.example", "evil.svc.example", "other.example.com"]
        {
            check(host, false);
        }
    }

    #[test]
    fn what_is_no_host_is_not_served() {
        for host in ["", ":8000", "[evil]", "::1", "a/b", "localhost:port", "user@localhost", "[::1]x"] {
            check(host, false);
        }
    }
}
