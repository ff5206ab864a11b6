//! Who is at the other end, for logs and for the rights of this machine.

use std::fmt;
use std::net::SocketAddr;

/// Where a connection comes from, for logs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Far(pub(crate) SocketAddr);

impl fmt::Display for Far {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.0.ip().to_canonical(), self.0.port()).fmt(f)
    }
}
