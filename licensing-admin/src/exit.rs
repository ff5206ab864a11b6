//! Exit codes, chosen in one place: what a script may rely on.
//!
//! The split is the one of the answers themselves: "yes", "no" and "could not find out" are three different things,
//! and a script that treats the third as the second gives seats away or keeps users out.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// Done, granted, healthy.
    Done,
    /// An answer, and the answer is no: denied, unhealthy, a license file with errors; for the daemon: it could not
    /// start or had to stop.
    No,
    /// Could not find out, or the command line makes no sense (clap ends with the same number).
    Unknown,
    /// What a command run under a seat ended with.
    Command(u8),
    /// An error code of FlexNet, for the personalities: `lmutil` ends with code + 256, so -15 becomes 241.
    FlexNet(i32),
}

impl Exit {
    /// The number the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::No => 1,
            Exit::Unknown => 2,
            Exit::Command(code) => code,
            Exit::FlexNet(code) => (code & 0xff) as u8,
        }
    }

    /// What a command that did several things ends with: the first trouble, if there was any.
    pub fn and(self, other: Exit) -> Exit {
        if self == Exit::Done { other } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flexnet_codes_end_as_lmutil_ends() {
        for (code, seen) in [(0, 0), (-15, 241), (-16, 240), (-96, 160), (-97, 159)] {
            assert_eq!(Exit::FlexNet(code).code(), seen, "code {code}");
        }
    }
}
