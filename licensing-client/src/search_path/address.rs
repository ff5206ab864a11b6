//! One server of a search path.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use super::limits::{DEFAULT_PORT, plain_host};
use super::problem::SearchPathError;

/// One server: where it listens for clients.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerAddress {
    /// Host name, IPv4 address or IPv6 address (without brackets).
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl ServerAddress {
    /// The server at this host (IPv6 without brackets) and port.
    pub fn new(host: impl Into<String>, port: u16) -> ServerAddress {
        ServerAddress { host: host.into(), port }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "{}@[{}]", self.port, self.host)
        } else {
            write!(f, "{}@{}", self.port, self.host)
        }
    }
}

impl FromStr for ServerAddress {
    type Err = SearchPathError;

    /// Reads `port@host` or `@host`.
    fn from_str(text: &str) -> Result<ServerAddress, SearchPathError> {
        let component = || text.to_owned();
        let Some((port, host)) = text.split_once('@') else {
            return Err(SearchPathError::NotAServer { component: component() });
        };
        let port = match port {
            "" => DEFAULT_PORT,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => match digits.parse() {
                Ok(port) if port != 0 => port,
                _ => return Err(SearchPathError::BadPort { component: component(), port: port.to_owned() }),
            },
            _ => return Err(SearchPathError::BadPort { component: component(), port: port.to_owned() }),
        };
        let host = match host.strip_prefix('[') {
            None => plain_host(host),
            Some(rest) => rest.strip_suffix(']').filter(|inner| inner.parse::<Ipv6Addr>().is_ok()),
        };
        match host {
            Some(host) => Ok(ServerAddress::new(host, port)),
            None => Err(SearchPathError::BadHost { component: component() }),
        }
    }
}
