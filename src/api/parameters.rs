//! Percent-encoded text from the request line, decoded strictly: what is wrong is refused, never guessed at.

use tide::Request;
use tide::http::Method;

use crate::api::State;
use crate::api::error::Error;

/// The parameters of a query string, decoded, in the order they came.
///
/// An empty value means "not given", as clients send `limit=` for a field that was left blank.
#[derive(Debug, Default)]
pub(super) struct Parameters(Vec<(String, Vec<u8>)>);

impl Parameters {
    /// Those of `request`: in its URL, and in the form that is its body, which is taken.
    pub(super) async fn of(request: &mut Request<State>) -> Result<Self, Error> {
        let parameters = Self::parse(request.url().query().unwrap_or_default())?;
        if request.method() != Method::Post {
            return Ok(parameters);
        }
        let failed = |error: tide::Error| Error::bad_request(format!("the form cannot be read: {error}"));
        Ok(parameters.merge(Self::parse(&request.body_string().await.map_err(failed)?)?))
    }

    /// Decodes a query string: `name=value` pairs joined by `&`, `+` for a space.
    pub(super) fn parse(query: &str) -> Result<Self, Error> {
        let mut parameters = Vec::new();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode_text("a parameter's name", &name.replace('+', " "))?;
            let value = decode(&name, &value.replace('+', " "))?;
            if !value.is_empty() {
                parameters.push((name, value));
            }
        }
        Ok(Self(parameters))
    }

    /// Adds those of a request's other part; where both give a name, these come first.
    fn merge(self, mut first: Self) -> Self {
        first.0.extend(self.0);
        first
    }

    /// Reads the first value of `name` with `read`; `accepted` says in the error what would have been read.
    pub(super) fn get<T>(
        &self,
        name: &str,
        accepted: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.all(name).next() else { return Ok(None) };
        let parsed = std::str::from_utf8(value).ok().and_then(read);
        let shown = String::from_utf8_lossy(value);
        parsed.map(Some).ok_or_else(|| Error::bad_request(format!("{name} is {shown:?}; it takes {accepted}")))
    }

    /// All values of `name`.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_slice())
    }
}

/// Decodes percent-encoded UTF-8; `what` names it in the error.
pub(super) fn decode_text(what: &str, encoded: &str) -> Result<String, Error> {
    let bytes = decode(what, encoded)?;
    String::from_utf8(bytes).map_err(|_| Error::bad_request(format!("{what} is not valid UTF-8")))
}

/// Decodes percent-encoded bytes; `what` names them in the error. NUL is refused: no label and no path has one.
fn decode(what: &str, encoded: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        let decoded = if byte == b'%' { hex_pair(rest.next(), rest.next()) } else { Some(byte) };
        match decoded {
            Some(0) => return Err(Error::bad_request(format!("{what} holds a NUL byte"))),
            Some(byte) => bytes.push(byte),
            None => {
                let message = format!("{what} has a % without two hexadecimal digits; write %25 for the sign itself");
                return Err(Error::bad_request(message));
            }
        }
    }
    Ok(bytes)
}

fn hex_pair(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_decode(encoded: &str, expected: &str) {
        let actual = decode_text("it", encoded).unwrap_or_else(|error| error.to_string());
        assert_eq!(actual, expected, "encoded: {encoded}");
    }

    #[test]
    fn text_is_decoded_once() {
        check_decode("/var/log/a%20b", "/var/log/a b");
        check_decode("%c3%A4+%252F", "ä+%2F");
    }

    #[test]
    fn bad_encoding_is_refused() {
        let message = "it has a % without two hexadecimal digits; write %25 for the sign itself";
        for encoded in ["100%", "%1", "%zz", "%+1", "%%20"] {
            check_decode(encoded, message);
        }
        check_decode("a%00b", "it holds a NUL byte");
        check_decode("%ff", "it is not valid UTF-8");
    }

    #[track_caller]
    fn check_values(query: &str, expected: &[&[u8]]) {
        let parameters = Parameters::parse(query).unwrap();
        assert_eq!(parameters.all("x").collect::<Vec<_>>(), expected, "query: {query}");
    }

    #[test]
    fn values_are_found_by_name_in_order() {
        check_values("x=1&y=2&x=a+b%2B&x&x=", &[b"1", b"a b+"]);
        check_values("%78=%ff", &[b"\xff"]);
        check_values("", &[]);
    }
}
