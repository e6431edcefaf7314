//! Where lines are sent to, as the user says it.

/// The path that Loki takes pushes at.
const LOKI_PATH: &str = "/loki/api/v1/push";
/// The path that OpenTelemetry's receivers take logs at.
const OTLP_PATH: &str = "/v1/logs";

/// How a target is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Loki's push.
    Loki,
    /// OpenTelemetry's export of logs.
    Otlp,
}

impl Protocol {
    /// The name of the protocol, as it begins an address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loki => "loki",
            Self::Otlp => "otlp",
        }
    }
}

/// The protocol and the URL of an address such as `loki+https://host/`, or of a URL that ends as one of the protocols has it.
///
/// # Errors
///
/// What is expected.
pub(super) fn parse(text: &str) -> Result<(Protocol, String), String> {
    let (protocol, url) = match text.split_once("+http") {
        Some(("loki", _)) => (Protocol::Loki, &text["loki+".len()..]),
        Some(("otlp", _)) => (Protocol::Otlp, &text["otlp+".len()..]),
        _ if path(text).ends_with(LOKI_PATH) => (Protocol::Loki, text),
        _ if path(text).ends_with(OTLP_PATH) => (Protocol::Otlp, text),
        _ => {
            return Err(format!(
                "expected loki+http(s)://host, otlp+http(s)://host, or a URL that ends in {LOKI_PATH} or {OTLP_PATH}"
            ));
        }
    };
    let expected = match protocol {
        Protocol::Loki => LOKI_PATH,
        Protocol::Otlp => OTLP_PATH,
    };
    let (before, query) = url.split_at(path(url).len());
    let url = if before.ends_with(expected) {
        url.to_owned()
    } else {
        format!("{}{expected}{query}", before.trim_end_matches('/'))
    };
    Ok((protocol, url))
}

/// A URL without its query.
fn path(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_its_protocol_or_ends_as_it_has_it() {
        let loki = |url: &str| Ok((Protocol::Loki, url.to_owned()));
        assert_eq!(parse("loki+http://host:3100"), loki("http://host:3100/loki/api/v1/push"));
        assert_eq!(parse("loki+https://host/a/?x=1"), loki("https://host/a/loki/api/v1/push?x=1"));
        assert_eq!(parse("https://host/loki/api/v1/push"), loki("https://host/loki/api/v1/push"));
        let otlp = |url: &str| Ok((Protocol::Otlp, url.to_owned()));
        assert_eq!(parse("otlp+http://host:4318/"), otlp("http://host:4318/v1/logs"));
        assert_eq!(parse("https://host/otlp/v1/logs"), otlp("https://host/otlp/v1/logs"));
        for wrong in ["https://host/", "host", "", "syslog+http://host"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
