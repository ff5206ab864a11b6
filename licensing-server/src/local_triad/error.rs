//! Why a local triad does not do what it was told.

use std::io;
use std::time::Duration;

use licensing_core::id::Role;

/// How long a start, a stop or an election may take: a hundred times the usual, so that only a real failure fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A triad that does not do what it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TriadError {
    /// Something with files or processes.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// What the system said.
        source: io::Error,
    },
    /// A server ended before it was ready.
    #[error("the {role} did not start ({status}):\n{log}")]
    NotStarted {
        /// Which one.
        role: Role,
        /// How it ended.
        status: String,
        /// The end of its log.
        log: String,
        /// Whether another program has its port.
        port_is_taken: bool,
    },
    /// The triad did not reach a state in time.
    #[error("{awaited} has not come within {PATIENCE:?}: {seen}")]
    NotReached {
        /// What was waited for.
        awaited: String,
        /// What there was instead.
        seen: String,
    },
}

impl TriadError {
    pub(super) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> TriadError {
        let action = action.into();
        move |source| TriadError::Io { action, source }
    }

    pub(super) fn is_port_in_use(&self) -> bool {
        matches!(self, TriadError::NotStarted { port_is_taken: true, .. })
    }
}

pub(super) fn not_running(role: Role) -> TriadError {
    TriadError::io(format!("find the {role}"))(io::Error::new(io::ErrorKind::NotFound, "it is not running"))
}
