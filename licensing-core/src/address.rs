//! Where a server is: the one address of clients, peers and administrators.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// The port of a single server whose SERVER line names none, and the first of those that clients try for an entry without
/// a port (FlexNet License Administration Guide, SERVER Lines: 27000 to 27009).
pub const FIRST_PORT: u16 = 27000;

/// How many ports from [`FIRST_PORT`] on there are.
pub const PORTS: u16 = 10;

/// Where a server listens, as its SERVER line says.
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

    /// `host:port`, as `licensectl primary` prints it and curl takes it.
    pub fn host_and_port(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// `port@host`, as search paths write it.
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
    type Err = AddressError;

    /// Reads `port@host`, or `@host` for [`FIRST_PORT`].
    fn from_str(text: &str) -> Result<ServerAddress, AddressError> {
        let component = || text.to_owned();
        let Some((port, host)) = text.split_once('@') else {
            return Err(AddressError::NotAServer { component: component() });
        };
        let port = match port {
            "" => FIRST_PORT,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => match digits.parse() {
                Ok(port) if port != 0 => port,
                _ => return Err(AddressError::BadPort { component: component(), port: port.to_owned() }),
            },
            _ => return Err(AddressError::BadPort { component: component(), port: port.to_owned() }),
        };
        let host = match host.strip_prefix('[') {
            None => plain_host(host),
            Some(rest) => rest.strip_suffix(']').filter(|inner| inner.parse::<Ipv6Addr>().is_ok()),
        };
        match host {
            Some(host) => Ok(ServerAddress::new(host, port)),
            None => Err(AddressError::BadHost { component: component() }),
        }
    }
}

/// The text, if it can be a host.
fn plain_host(host: &str) -> Option<&str> {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (!host.is_empty() && host.bytes().all(sound)).then_some(host)
}

/// A text that is no address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// No `@`: a license file, a directory, or a host without a port.
    #[error(
        "`{component}` is no server: write port@host, such as 27000@{example}; license files cannot be named here",
        example = example_host(component)
    )]
    NotAServer {
        /// What was written.
        component: String,
    },
    /// The part before `@` is no port.
    #[error(
        "`{port}` in `{component}` is no port: write a number from 1 to 65535, or nothing for {FIRST_PORT} to {}",
        FIRST_PORT + PORTS - 1
    )]
    BadPort {
        /// What was written.
        component: String,
        /// The part before `@`.
        port: String,
    },
    /// The part after `@` is no host.
    #[error(
        "`{component}` names no host after the @: write a host name or an address, an IPv6 address in brackets, such \
         as 27000@[::1]"
    )]
    BadHost {
        /// What was written.
        component: String,
    },
}

/// The component itself when it could be a host, for a correction that can be copied.
fn example_host(component: &str) -> &str {
    let is_host =
        plain_host(component).is_some() && !component.ends_with(".lic") && !component.ends_with(".dat");
    if is_host && component.bytes().any(|byte| byte.is_ascii_alphabetic()) { component } else { "localhost" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_ipv6_keeps_its_brackets() {
        let (name, address) = (ServerAddress::new("pat", 27000), ServerAddress::new("::1", 27000));
        assert_eq!([name.to_string(), name.host_and_port()], ["27000@pat", "pat:27000"]);
        assert_eq!([address.to_string(), address.host_and_port()], ["27000@[::1]", "[::1]:27000"]);
        assert_eq!(address.to_string().parse(), Ok(address));
    }

    #[test]
    fn what_is_no_address_is_answered_with_one_that_can_be_copied() {
        let said = |text: &str| text.parse::<ServerAddress>().unwrap_err().to_string();
        for (text, hint) in [
            ("pat", "27000@pat;"),
            ("10.1.2.3", "27000@localhost;"),
            ("acme.lic", "27000@localhost;"),
            ("acme.dat", "27000@localhost;"),
            ("/etc/acme", "27000@localhost;"),
        ] {
            assert!(said(text).contains(hint), "{}", said(text));
        }
        for text in ["0@pat", "65536@pat", "x@pat"] {
            assert!(said(text).contains("is no port"), "{}", said(text));
        }
        for text in ["1@", "1@a b", "1@[::1", "1@[pat]", "1@::1"] {
            assert!(said(text).contains("names no host"), "{}", said(text));
        }
        assert_eq!("@pat-1_b.c".parse(), Ok(ServerAddress::new("pat-1_b.c", FIRST_PORT)));
    }
}
