//! Networks of addresses, as CIDR writes them: those of proxies that are trusted.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network of addresses, such as `10.0.0.0/8`; an address alone is one of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

/// A text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an address or a network, such as 10.0.0.0/8 or ::1")]
pub struct InvalidNetwork;

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| InvalidNetwork)?;
        let width = width(address);
        let bits = bits.map_or(Ok(width), |bits| bits.parse().map_err(|_| InvalidNetwork))?;
        if width < bits { Err(InvalidNetwork) } else { Ok(Self { address, bits }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Network {
    /// Whether `address` is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let shift = width(address) - self.bits.min(width(address));
        width(address) == width(self.address) && shifted(address, shift) == shifted(self.address, shift)
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { u32::BITS } else { u128::BITS }
}

/// The bits of an address that are left once `shift` are gone.
fn shifted(address: IpAddr, shift: u32) -> u128 {
    let bits = match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    };
    bits.checked_shr(shift).unwrap_or(0)
}
