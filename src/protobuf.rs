//! The fields of protobuf messages, read one after the other and borrowed: no message becomes a tree, so none takes more memory
//! than its bytes. And written likewise: a message is its fields one after the other.
//!
//! ```text
//! message := field*
//! field   := key value        key: a varint, the field's number * 8 + its wire type
//! value   := 0: varint | 1: 8 bytes | 2: length as a varint, bytes | 5: 4 bytes     by wire type
//! varint  := bytes of 7 bits each, the lowest first; all but the last have their highest bit set
//! ```
//!
//! Defined by <https://protobuf.dev/programming-guides/encoding/>; groups, which it deprecates, are malformed here.

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A number of variable length.
    Varint(u64),
    /// A text, bytes or a message.
    Bytes(&'a [u8]),
    /// A number of fixed length, which nobody here asks for.
    Fixed,
}

/// The bytes are no message, or one that was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the protobuf message is malformed or cut off")]
pub struct Malformed;

/// The fields of a message that have not been read, each with its number. Nothing comes after an error.
#[derive(Clone, Debug)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Those of `message`.
    pub fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.bytes(8).map(|_| Value::Fixed)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.bytes(length)?)
            }
            5 => self.bytes(4).map(|_| Value::Fixed)?,
            _ => return None,
        };
        Some((key >> 3, value))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = *self.bytes(1)?.first()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or(Malformed))
    }
}

/// Appends a field that is a number of variable length.
pub fn put_varint(out: &mut Vec<u8>, number: u64, value: u64) {
    put(out, number << 3);
    put(out, value);
}

/// Appends a field that is a number of 8 bytes.
pub fn put_fixed(out: &mut Vec<u8>, number: u64, value: u64) {
    put(out, number << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a field that is a text, bytes or a message.
pub fn put_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put(out, number << 3 | 2);
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a varint.
fn put(out: &mut Vec<u8>, mut value: u64) {
    while 0x7f < value {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(message: &[u8], expected: &[Result<(u64, Value<'_>), Malformed>]) {
        assert_eq!(Fields::of(message).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn fields_of_every_wire_type_are_read_in_their_order() {
        check(b"", &[]);
        check(b"\x08\x96\x01\x12\x02hi", &[Ok((1, Value::Varint(150))), Ok((2, Value::Bytes(b"hi")))]);
        check(b"\x1912345678\x251234", &[Ok((3, Value::Fixed)), Ok((4, Value::Fixed))]);
        check(b"\x82\x01\x00", &[Ok((16, Value::Bytes(b"")))]);
        check(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", &[Ok((1, Value::Varint(u64::MAX)))]);
    }

    #[test]
    fn nothing_comes_after_what_is_malformed_or_cut_off() {
        for message in [&b"\x12\x03hi"[..], b"\x08", b"\x08\x80", b"\x1912", b"\x2512", b"\x0b\x08\x01", &[0xff; 12]] {
            check(message, &[Err(Malformed)]);
        }
        check(b"\x08\x01\x12\x7f", &[Ok((1, Value::Varint(1))), Err(Malformed)]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut message = Vec::new();
        put_varint(&mut message, 1, 150);
        put_bytes(&mut message, 2, b"hi");
        put_fixed(&mut message, 3, u64::from_le_bytes(*b"12345678"));
        put_varint(&mut message, 16, u64::MAX);
        assert_eq!(message[..7], *b"\x08\x96\x01\x12\x02hi");
        assert_eq!(message[7..16], *b"\x1912345678");
        check(&message[16..], &[Ok((16, Value::Varint(u64::MAX)))]);
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(message in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(Fields::of(&message).count() <= message.len());
        }
    }
}
