//! Which keys of a JSON object lead to which label.

use super::{DEPTH_MAX, Fault, Scanner, Value, push_key, push_text};

/// Calls `visit` with each value of `line` that `| json` makes a label of, up to the first fault: the label's name before it
/// clashes with another, and the keys that lead to the value.
pub fn for_each_leaf(line: &[u8], visit: &mut dyn FnMut(&str, &[String])) {
    let mut walk = Walk { scanner: Scanner::new(line), name: String::new(), keys: Vec::new(), visit };
    if walk.scanner.expect_object().is_ok() {
        // What is found before a fault counts.
        let _ = walk.object();
    }
}

struct Walk<'a, 'v> {
    scanner: Scanner<'a>,
    /// The name, as far as `keys` make it.
    name: String,
    keys: Vec<String>,
    visit: &'v mut dyn FnMut(&str, &[String]),
}

impl Walk<'_, '_> {
    /// Goes through the object that begins here.
    fn object(&mut self) -> Result<(), Fault> {
        if self.keys.len() == DEPTH_MAX {
            return Err(self.scanner.fault("fewer objects inside of each other"));
        }
        self.scanner.enter();
        let mut is_first = true;
        while let Some(key) = self.scanner.key(is_first)? {
            is_first = false;
            let parent_bytes = self.name.len();
            push_key(&mut self.name, key);
            let mut text = String::new();
            push_text(&mut text, key);
            self.keys.push(text);
            match self.scanner.value()? {
                Value::Object => self.object()?,
                Value::Array => {
                    self.scanner.skip()?;
                }
                Value::Text(_) | Value::Scalar(_) => (self.visit)(&self.name, &self.keys),
                Value::Null => {}
            }
            self.keys.pop();
            self.name.truncate(parent_bytes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_have_the_names_of_labels_and_the_keys_as_written() {
        let mut found = Vec::new();
        let line = br#"{"a":1,"b":{"c_d":"x","e.f":{"g":true}},"7":5,"n":null,"l":[{"x":1}]," ":{"k.\n":2},"z""#;
        for_each_leaf(line, &mut |name, keys| found.push(format!("{name}: {}", keys.join("/"))));
        assert_eq!(found, ["a: a", "b_c_d: b/c_d", "b_e_f_g: b/e.f/g", "_7: 7", "k_:  /k.\n"]);
        for_each_leaf(b"[1]", &mut |name, _| panic!("{name} is no label"));
    }
}
