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
    /// Why a command was not run under a seat, or not to its end: numbers that programs seldom end with themselves.
    Under(Wrapping),
    /// An error code of FlexNet, for the personalities: `lmutil` ends with code + 256, so -15 becomes 241.
    FlexNet(i32),
}

/// What kept a command from running under a seat, so that a script can tell it from the command's own end (sysexits.h, and what
/// shells say of programs).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u8)]
pub enum Wrapping {
    /// Whether there are seats could not be found out.
    Unknown = 69,
    /// The command ended, and its seats had gone before.
    Lost = 74,
    /// There were no seats; try later.
    Denied = 75,
    /// The program is there and cannot be run.
    NotRunnable = 126,
    /// There is no such program.
    NotFound = 127,
}

impl Exit {
    /// The number the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::No => 1,
            Exit::Unknown => 2,
            Exit::Command(code) => code,
            Exit::Under(wrapping) => wrapping as u8,
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
