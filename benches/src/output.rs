//! Data on stdout, talk on stderr.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

/// Writes one JSON value to stdout, on one line.
pub fn put_json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string(value)?;
    Ok(writeln!(io::stdout(), "{text}")?)
}

/// Writes text to stdout.
pub fn put(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{text}")?)
}

/// Talks to the person on stderr.
pub fn talk(text: impl std::fmt::Display) {
    // A person who has gone away does not end a measurement.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Ends a program: 0 measured, 1 measured and clients saw errors, 2 could not be measured.
pub fn finish(result: anyhow::Result<u64>) -> ExitCode {
    match result {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(problem) => {
            talk(format_args!("error: {problem:#}"));
            ExitCode::from(2)
        }
    }
}

/// `350 µs`, `4.25 ms`, `310 ms`: three digits that mean something.
pub fn words(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    match micros {
        ..1000.0 => format!("{micros:.0} µs"),
        ..10_000.0 => format!("{:.2} ms", micros / 1000.0),
        ..100_000.0 => format!("{:.1} ms", micros / 1000.0),
        _ => format!("{:.0} ms", micros / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        for (micros, expected) in
            [(35, "35 µs"), (999, "999 µs"), (1234, "1.23 ms"), (12_345, "12.3 ms"), (312_345, "312 ms")]
        {
            assert_eq!(words(Duration::from_micros(micros)), expected);
        }
    }
}
