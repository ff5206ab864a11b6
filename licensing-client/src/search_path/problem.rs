//! What is wrong with a search path, and what to write.

use super::limits::{DEFAULT_PORT, DEFAULT_PORTS, MAX_PATH_BYTES, MAX_SITES, plain_host};

/// A search path that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchPathError {
    /// No `@`: a license file, a directory, or a host without a port.
    #[error(
        "`{component}` in the license search path is no server: write port@host, such as 27000@{example}; license \
         files cannot be named here",
        example = example_host(component)
    )]
    NotAServer {
        /// What was written.
        component: String,
    },
    /// The part before `@` is no port.
    #[error(
        "`{port}` in `{component}` is no port: write a number from 1 to 65535, or nothing for {DEFAULT_PORT} to {}", DEFAULT_PORT + DEFAULT_PORTS - 1
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
    /// More than three servers in a comma list.
    #[error(
        "`{component}` lists {count} servers with commas, a triad has three: separate independent servers with `:` \
         or `;`"
    )]
    TooManyServers {
        /// What was written.
        component: String,
        /// How many.
        count: usize,
    },
    /// The same server twice in one triad.
    #[error("`{server}` stands twice in one comma list, again in place {place}: name each server once")]
    Twice {
        /// The server.
        server: String,
        /// Where it stands again, from 1.
        place: usize,
    },
    /// Nothing but separators.
    #[error("the license search path is empty: write port@host, or port@h1,port@h2,port@h3 for a triad")]
    Empty,
    /// More sites than are ever searched.
    #[error("the license search path names {count} independent servers, {MAX_SITES} are searched at most")]
    TooManySites {
        /// How many.
        count: usize,
    },
    /// Longer than any honest path.
    #[error("the license search path has {bytes} bytes, {MAX_PATH_BYTES} are read at most")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// No variable is set.
    #[error("no license server is named: set one of {variables} to port@host")]
    NotSet {
        /// The variables that were looked at.
        variables: String,
    },
    /// A variable is set to something else.
    #[error("{variable}: {problem}")]
    InVariable {
        /// Its name.
        variable: String,
        /// What is wrong with its value.
        problem: Box<SearchPathError>,
    },
}

/// The component itself when it could be a host, for a correction that can be copied.
fn example_host(component: &str) -> &str {
    let is_host =
        plain_host(component).is_some() && !component.ends_with(".lic") && !component.ends_with(".dat");
    if is_host && component.bytes().any(|byte| byte.is_ascii_alphabetic()) { component } else { "localhost" }
}
