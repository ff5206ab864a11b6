//! Data on stdout, talk on stderr.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

/// Talks to the person on stderr.
pub fn talk(text: impl std::fmt::Display) {
    // A person who has gone away does not end a measurement.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Ends a program with what it measured, a report and the table of it: as a line of JSON with the table on stderr, or the
/// table alone. The exit code is 0 when the report is `good`, 1 when it is not, 2 when there is none.
pub fn finish<R: Serialize>(
    json: bool,
    measured: anyhow::Result<(R, String)>,
    good: impl FnOnce(&R) -> bool,
) -> ExitCode {
    let told = measured.and_then(|(report, table)| {
        let line = if json {
            talk(table);
            serde_json::to_string(&report)?
        } else {
            table
        };
        writeln!(io::stdout(), "{line}")?;
        Ok(good(&report))
    });
    match told {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(problem) => {
            talk(format_args!("error: {problem:#}"));
            ExitCode::from(2)
        }
    }
}

/// [`words`] for microseconds, as reports have them.
pub fn micros(us: u64) -> String {
    words(Duration::from_micros(us))
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
