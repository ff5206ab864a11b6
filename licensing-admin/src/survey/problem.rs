//! Why a server gave no status: in our words, and in the words and numbers `lmstat` prints.

use std::io;

/// Why a server gave no status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeProblem {
    /// The name means nothing to the resolver.
    UnknownHost(String),
    /// No connection.
    Connect {
        /// The system's number.
        errno: i32,
        /// The system's words.
        text: String,
    },
    /// A connection that the far end closed or reset instead of answering.
    Closed(String),
    /// A connection, but no answer one can read.
    Read(String),
    /// The server answered that it will not talk.
    Refused(String),
    /// It was not asked: its name was learned from another server and there was no time, or it has none.
    NotAsked,
}

/// What Linux calls a connection that is still being made: the number `lmstat` prints for a timeout.
const EINPROGRESS: i32 = 115;

/// What Linux calls a port at which nobody listens.
const ECONNREFUSED: i32 = 111;

impl ProbeProblem {
    /// What went wrong while connecting. The standard library has no kind for a failed name lookup: its errors
    /// carry no system number.
    pub fn from_connect(error: &io::Error) -> ProbeProblem {
        match error.raw_os_error() {
            Some(errno) => ProbeProblem::Connect { errno, text: system_text(error) },
            None if error.kind() == io::ErrorKind::TimedOut => ProbeProblem::connect_timeout(),
            None => ProbeProblem::UnknownHost(error.to_string()),
        }
    }

    /// Whether nobody serves there, for certain: the host answered, and no server did. Others may believe otherwise
    /// for as long as a lease lasts.
    pub fn is_gone(&self) -> bool {
        matches!(self, ProbeProblem::Connect { errno: ECONNREFUSED, .. } | ProbeProblem::Closed(_))
    }

    /// Nobody answered the connection in time.
    pub fn connect_timeout() -> ProbeProblem {
        ProbeProblem::Connect { errno: EINPROGRESS, text: "Operation now in progress".to_owned() }
    }

    /// FlexNet's number for it (FLEXnet Licensing End User Guide, error codes).
    pub fn flexnet_code(&self) -> i32 {
        match self {
            ProbeProblem::UnknownHost(_) => -96,
            ProbeProblem::Connect { .. } | ProbeProblem::NotAsked => -15,
            ProbeProblem::Closed(_) | ProbeProblem::Read(_) => -16,
            ProbeProblem::Refused(_) => -106,
        }
    }

    /// What `lmstat` prints for it, with the numbers in parentheses.
    pub fn flexnet_text(&self) -> String {
        match self {
            ProbeProblem::UnknownHost(_) => {
                "License server machine is down or not responding. (-96,7:2 \"No such file or directory\")"
                    .to_owned()
            }
            ProbeProblem::Connect { errno, text } => {
                format!("Cannot connect to license server system. (-15,570:{errno} \"{text}\")")
            }
            ProbeProblem::NotAsked => "Cannot connect to license server system. (-15,570)".to_owned(),
            ProbeProblem::Closed(_) | ProbeProblem::Read(_) => {
                "Cannot read data from license server system. (-16,287)".to_owned()
            }
            ProbeProblem::Refused(_) => "License server out of network connections. (-106,287)".to_owned(),
        }
    }
}

impl std::fmt::Display for ProbeProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ProbeProblem::UnknownHost(text) => write!(f, "unknown host: {text}"),
            ProbeProblem::Connect { errno: EINPROGRESS, .. } => f.write_str("no answer to the connection"),
            ProbeProblem::Connect { text, .. } => f.write_str(&text.to_lowercase()),
            ProbeProblem::Closed(text) | ProbeProblem::Read(text) | ProbeProblem::Refused(text) => {
                f.write_str(text)
            }
            ProbeProblem::NotAsked => f.write_str("was not asked"),
        }
    }
}

/// The system's words without the number the standard library appends.
fn system_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_connection_reads_as_in_lmstat() {
        let problem = ProbeProblem::from_connect(&io::Error::from_raw_os_error(111));
        assert_eq!(
            problem.flexnet_text(),
            "Cannot connect to license server system. (-15,570:111 \"Connection refused\")"
        );
        assert_eq!(problem.flexnet_code(), -15);
        assert_eq!(problem.to_string(), "connection refused");
    }
}
