//! How our programs speak: data goes to stdout, talk to stderr, a failure is one sentence with hints and an exit code.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use crate::exit::Exit;

/// Why a command could not do what it was told: one sentence, hints, an exit code.
#[derive(Debug)]
pub struct Failure {
    /// How the command ends.
    pub exit: Exit,
    /// What is wrong; several lines when several things are.
    pub message: String,
    /// What the user may do now.
    pub hints: Vec<String>,
}

impl Failure {
    /// This, and how the command ends for it.
    pub fn new(exit: Exit, message: impl std::fmt::Display) -> Failure {
        Failure { exit, message: message.to_string(), hints: Vec::new() }
    }

    /// The answer is no.
    pub fn no(message: impl std::fmt::Display) -> Failure {
        Failure::new(Exit::No, message)
    }

    /// Could not find out.
    pub fn unknown(message: impl std::fmt::Display) -> Failure {
        Failure::new(Exit::Unknown, message)
    }

    /// Adds what the user may do now.
    pub fn hint(mut self, hint: impl std::fmt::Display) -> Failure {
        self.hints.push(hint.to_string());
        self
    }
}

/// Ends a command: the failure, if any, goes to stderr.
pub fn finish(result: Result<Exit, Failure>) -> ExitCode {
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            let mut text = String::new();
            for line in failure.message.lines() {
                text.push_str(&format!("error: {line}\n"));
            }
            for hint in &failure.hints {
                text.push_str(&format!("hint: {hint}\n"));
            }
            let _ = io::stderr().write_all(text.as_bytes());
            failure.exit.into()
        }
    }
}

/// Writes data to stdout. A reader that has gone away (`| head`) is no error.
pub fn put(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::unknown(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes one JSON value to stdout, on one line.
pub fn put_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    match serde_json::to_string(value) {
        Ok(text) => put(&(text + "\n")),
        Err(error) => Err(Failure::unknown(format!("cannot write JSON: {error}"))),
    }
}

/// Talks to the person on stderr.
pub fn talk(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// A runtime for commands.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(no_runtime)
}

/// The system gave no threads.
pub fn no_runtime(error: io::Error) -> Failure {
    Failure::unknown(format!("cannot start the runtime: {error}"))
}

/// `10s`, `500ms`, `1m 30s`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration: write 10s, 500ms or 2m");
    let duration: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(duration).ok().filter(|duration| !duration.is_zero()).ok_or_else(wrong)
}

/// As [`parse_duration`], and `0s` too.
pub fn parse_duration_or_zero(text: &str) -> Result<Duration, String> {
    if matches!(text, "0" | "0s") { Ok(Duration::ZERO) } else { parse_duration(text) }
}

/// The help of a program and of all its verbs, one after the other.
pub fn whole_help(command: clap::Command) -> String {
    let mut command = command.term_width(100);
    command.build();
    let mut out = command.render_help().to_string();
    for verb in command.get_subcommands_mut().filter(|verb| verb.get_name() != "help") {
        let help = verb.render_help();
        out.push_str(&format!("\n================ {}\n{help}", verb.get_name()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_people_write_them() {
        assert_eq!(parse_duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("1m 30s"), Ok(Duration::from_secs(90)));
        for wrong in ["", "10", "0s", "-1s", "soon"] {
            assert!(parse_duration(wrong).unwrap_err().contains("is not a duration"), "{wrong}");
        }
        assert_eq!(parse_duration_or_zero("0s"), Ok(Duration::ZERO));
        assert_eq!(parse_duration_or_zero("1s"), Ok(Duration::from_secs(1)));
        assert!(parse_duration_or_zero("never").is_err());
    }
}
