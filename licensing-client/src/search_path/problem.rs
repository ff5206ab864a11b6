//! What is wrong with a search path, and what to write.

use licensing_core::address::AddressError;

use super::limits::{MAX_PATH_BYTES, MAX_SITES};

/// A search path that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchPathError {
    /// One of its servers is written wrong.
    #[error(transparent)]
    Address(#[from] AddressError),
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
