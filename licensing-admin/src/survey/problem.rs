//! Why a server gave no status: in our words, and in the words and numbers `lmstat` prints.

use std::io;

use rustix::io::Errno;

/// Why a server gave no status.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProbeProblem {
    /// The name means nothing to the resolver.
    UnknownHost(String),
    /// Nobody answered the connection in time.
    NoAnswer,
    /// No connection.
    Connect {
        /// What it was.
        kind: io::ErrorKind,
        /// The system's number, when the error came from the system.
        number: Option<i32>,
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

impl ProbeProblem {
    /// What went wrong while connecting. The standard library has no kind for a failed name lookup: its errors
    /// carry no system number.
    pub fn from_connect(error: &io::Error) -> ProbeProblem {
        match (error.kind(), error.raw_os_error()) {
            (io::ErrorKind::TimedOut, None) => ProbeProblem::NoAnswer,
            (kind @ io::ErrorKind::ConnectionRefused, number) | (kind, number @ Some(_)) => {
                ProbeProblem::Connect { kind, number, text: system_text(error) }
            }
            (_, None) => ProbeProblem::UnknownHost(error.to_string()),
        }
    }

    /// Whether nobody serves there, for certain: the host answered, and no server did. Others may believe otherwise
    /// for as long as a lease lasts.
    pub fn is_gone(&self) -> bool {
        self.is_refused() || matches!(self, ProbeProblem::Closed(_))
    }

    /// Whether the host answered that nobody listens.
    pub fn is_refused(&self) -> bool {
        matches!(self, ProbeProblem::Connect { kind: io::ErrorKind::ConnectionRefused, .. })
    }

    /// FlexNet's number for it (FLEXnet Licensing End User Guide, error codes).
    pub fn flexnet_code(&self) -> i32 {
        match self {
            ProbeProblem::UnknownHost(_) => -96,
            ProbeProblem::NoAnswer | ProbeProblem::Connect { .. } | ProbeProblem::NotAsked => -15,
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
            // The connection is still being made: what `lmstat` prints when it has waited long enough.
            ProbeProblem::NoAnswer => {
                let number = Errno::INPROGRESS.raw_os_error();
                format!(
                    "Cannot connect to license server system. (-15,570:{number} \"Operation now in progress\")"
                )
            }
            ProbeProblem::Connect { number: Some(number), text, .. } => {
                format!("Cannot connect to license server system. (-15,570:{number} \"{text}\")")
            }
            ProbeProblem::Connect { number: None, .. } | ProbeProblem::NotAsked => {
                "Cannot connect to license server system. (-15,570)".to_owned()
            }
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
            ProbeProblem::NoAnswer => f.write_str("no answer to the connection"),
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
    fn a_refused_connection_is_known_by_its_kind() {
        // Another system has another number for it, an error in memory has none.
        for error in [Errno::CONNREFUSED.into(), io::Error::from(io::ErrorKind::ConnectionRefused)] {
            let problem = ProbeProblem::from_connect(&error);
            assert!(problem.is_refused() && problem.is_gone(), "{problem:?}");
        }
        for error in [Errno::HOSTUNREACH.into(), io::Error::from(io::ErrorKind::TimedOut)] {
            let problem = ProbeProblem::from_connect(&error);
            assert!(!problem.is_gone(), "{problem:?}");
        }
    }

    #[test]
    fn a_name_that_nobody_knows_is_no_refusal() {
        let problem = ProbeProblem::from_connect(&io::Error::other("failed to lookup address information"));
        assert_eq!(problem.flexnet_code(), -96);
    }

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
