//! Addresses of the Internet Protocol: what `ip("…")` stands for, and where addresses are in a text.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use crate::logql::Error;

/// What each text has in it that an address of version 4 in `pattern` is found in: the numbers that all these addresses
/// begin with. `None` where there are none, for version 6, which has many ways to write one address, and for what is no
/// pattern.
pub(in crate::logql) fn text_in_all(pattern: &str) -> Option<String> {
    let (first, last) = IpPattern::parse(pattern).ok()?.0.into_inner();
    let (IpAddr::V4(first), IpAddr::V4(last)) = (first, last) else { return None };
    let numbers = first.octets().into_iter().zip(last.octets()).take_while(|(first, last)| first == last);
    let numbers: Vec<String> = numbers.map(|(number, _)| number.to_string()).collect();
    match numbers.len() {
        0 => None,
        4 => Some(numbers.join(".")),
        _ => Some(numbers.join(".") + "."),
    }
}

/// One address, a range of them or a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IpPattern(RangeInclusive<IpAddr>);

impl IpPattern {
    /// Reads `192.168.0.1`, `192.168.0.1-192.168.0.9` or `192.168.0.0/16`, and the same of version 6.
    ///
    /// # Errors
    ///
    /// [`Error::Stage`] if `text` is none of these.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let range = if let Some((first, last)) = text.split_once('-') {
            range(first, last)
        } else if let Some((address, bits)) = text.split_once('/') {
            network(address, bits)
        } else {
            text.parse().ok().map(|address| address..=address)
        };
        range.map(Self).ok_or_else(|| Error::stage(format!("ip: invalid pattern: {text:?}")))
    }

    /// Whether some address in `text` is one of these.
    pub(super) fn is_found_in(&self, text: &[u8]) -> bool {
        let mut rest = text;
        while let Some(start) = rest.iter().position(|byte| is_address_byte(*byte)) {
            let run = &rest[start..];
            let length = run.iter().position(|byte| !is_address_byte(*byte)).unwrap_or(run.len());
            if self.is_found_in_run(&run[..length]) {
                return true;
            }
            rest = &run[length..];
        }
        false
    }

    /// Looks at characters that addresses consist of: an address, perhaps with a port or punctuation around it.
    fn is_found_in_run(&self, run: &[u8]) -> bool {
        let Ok(run) = std::str::from_utf8(run) else { return false };
        if !run.contains(['.', ':']) {
            return false;
        }
        let trimmed = run.trim_end_matches('.');
        if let Some(address) = [trimmed, trimmed.trim_matches(':')].iter().find_map(|text| text.parse::<IpAddr>().ok())
        {
            return self.0.contains(&address);
        }
        let is_contained = |text: &str| {
            let address = text.trim_matches('.').parse::<Ipv4Addr>();
            address.is_ok_and(|address| self.0.contains(&IpAddr::V4(address)))
        };
        run.split(':').any(is_contained)
    }
}

fn is_address_byte(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || byte == b'.' || byte == b':'
}

fn range(first: &str, last: &str) -> Option<RangeInclusive<IpAddr>> {
    let (first, last): (IpAddr, IpAddr) = (first.parse().ok()?, last.parse().ok()?);
    (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(first..=last)
}

fn network(address: &str, bits: &str) -> Option<RangeInclusive<IpAddr>> {
    let bits: u32 = bits.parse().ok()?;
    match address.parse().ok()? {
        IpAddr::V4(address) if bits <= 32 => {
            let host = u32::MAX.checked_shr(bits).unwrap_or(0);
            let first = address.to_bits() & !host;
            Some(IpAddr::V4(first.into())..=IpAddr::V4((first | host).into()))
        }
        IpAddr::V6(address) if bits <= 128 => {
            let host = u128::MAX.checked_shr(bits).unwrap_or(0);
            let first = address.to_bits() & !host;
            Some(IpAddr::V6(first.into())..=IpAddr::V6((first | host).into()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, found: &[&str], not_found: &[&str]) {
        let addresses = IpPattern::parse(pattern).unwrap();
        for text in found {
            assert!(addresses.is_found_in(text.as_bytes()), "{pattern} in {text}");
        }
        for text in not_found {
            assert!(!addresses.is_found_in(text.as_bytes()), "{pattern} not in {text}");
        }
    }

    #[test]
    fn an_address_is_found_with_what_is_around_it() {
        let found = ["10.0.0.1", "from 10.0.0.1:80 to x", "[10.0.0.1].", "dead:10.0.0.1", "at 10.0.0.1."];
        check("10.0.0.1", &found, &["10.0.0.11", "1.10.0.0.1", "hello", ""]);
        check("::1", &["::1", "[::1]:80", "x ::1, y"], &["::2", "1:2", ":"]);
    }

    #[test]
    fn what_addresses_have_in_common_is_in_every_text_with_one() {
        for (pattern, expected) in [
            ("10.0.0.1", Some("10.0.0.1")),
            ("10.0.0.0/9", Some("10.")),
            ("10.0.0.0/24", Some("10.0.0.")),
            ("10.0.0.3-10.0.1.4", Some("10.0.")),
            ("0.0.0.0/0", None),
            ("9.255.255.255-10.0.0.0", None),
            ("::1", None),
            ("x", None),
        ] {
            assert_eq!(text_in_all(pattern).as_deref(), expected, "{pattern}");
        }
    }

    #[test]
    fn a_range_includes_both_ends() {
        check("10.0.0.1-10.0.1.0", &["10.0.0.1", "10.0.0.255", "10.0.1.0"], &["10.0.0.0", "10.0.1.1", "::1"]);
        check("2001:db8::1-2001:db8::8", &["2001:db8::2"], &["2001:db8::9"]);
    }

    #[test]
    fn a_network_is_named_by_any_of_its_addresses() {
        check("192.168.4.5/16", &["192.168.0.0", "192.168.255.255"], &["192.169.0.0"]);
        check("0.0.0.0/0", &["255.255.255.255"], &["::1"]);
        check("10.0.0.1/32", &["10.0.0.1"], &["10.0.0.0"]);
        check("2001:db8::/32", &["2001:db8:ff::1"], &["2001:db9::1"]);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "x", "10.0.0.1 - 10.0.0.2", "10.0.0.2-10.0.0.1", "::1-10.0.0.1", "10.0.0.0/33", "10.0.0.0/-1"]
        {
            let error = IpPattern::parse(text).unwrap_err();
            assert_eq!(error.to_string(), format!("ip: invalid pattern: {text:?}"));
        }
    }
}
