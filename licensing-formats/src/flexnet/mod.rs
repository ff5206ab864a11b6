//! FlexNet license files: text to [`License`], all or nothing.
//!
//! The property kept: the result is a license in which every line fits every other, or all errors in line order; nothing
//! is half read. Lines are visited once and the limits bound the work, so a hostile file costs no more than a long one.

mod feature;
mod keyword;
mod lines;
mod server;
mod vendor;
mod whole_file;

use crate::model::License;
use crate::text::findings::{Findings, LicenseError, LicenseErrors, MAX_ERRORS};
use crate::text::lexer;
use crate::text::position::Position;

use lines::Lines;
pub use lines::MAX_FEATURE_LINES;

/// Longest text accepted, in bytes. The largest files publishers issue, every line with a public-key signature, are a few
/// megabytes; three servers keep the text and what it says in memory.
pub const MAX_FILE_BYTES: usize = 16 << 20;

impl License {
    /// Parses a FlexNet-flavoured license file (byte-order mark, CRLF and continuation lines included).
    ///
    /// # Errors
    ///
    /// All errors found, in line order, at most [`MAX_ERRORS`].
    pub fn parse(text: &str) -> Result<License, LicenseErrors> {
        parse(text)
    }
}

/// Parses the text of a license file.
fn parse(text: &str) -> Result<License, LicenseErrors> {
    if text.len() > MAX_FILE_BYTES {
        let at = Position { line: 1, column: 1 };
        let problem = format!("the file has {} bytes, at most {MAX_FILE_BYTES} are read", text.len());
        let help = "remove comments and lines that have expired, and give each vendor a file of its own";
        return Err(LicenseErrors(vec![at.error(problem, help)]));
    }
    let mut lines = Lines::default();
    let mut findings = Findings::default();
    let mut read_to_the_end = true;
    for line in lexer::logical_lines(text) {
        match line {
            Ok(line) => lines.read(&line, &mut findings),
            Err(error) => findings.errors.push(error),
        }
        if findings.is_full() || lines.beyond.is_some() {
            read_to_the_end = false;
            break;
        }
    }
    if let Some(at) = lines.beyond {
        let problem = format!(
            "the file has {} FEATURE and INCREMENT lines, at most {MAX_FEATURE_LINES} are served",
            feature_lines(text)
        );
        let help = "remove lines that have expired, or ask the publisher for fewer lines of more seats";
        findings.errors.push(at.error(problem, help));
    }
    if read_to_the_end {
        // In a report of its own, for its errors may belong before those that the first holds.
        let mut agreement = Findings::default();
        whole_file::check(&lines, &mut agreement);
        findings.errors.append(&mut agreement.errors);
    }
    if !findings.errors.is_empty() {
        findings.errors.sort_by_key(|error: &LicenseError| (error.line, error.column));
        findings.errors.truncate(MAX_ERRORS);
        return Err(LicenseErrors(findings.errors));
    }
    if lines.features.is_empty() {
        findings.warn(Position { line: 1, column: 1 }, "the file has no FEATURE or INCREMENT line");
    }
    findings.warnings.sort_by_key(|warning| (warning.line, warning.column));
    Ok(License {
        servers: lines.servers.into_iter().map(|server| server.line).collect(),
        vendor: lines.vendor,
        use_server: lines.use_server,
        features: lines.features.into_iter().map(|feature| feature.line).collect(),
        warnings: findings.warnings,
    })
}

/// How many lines begin with FEATURE or INCREMENT, for a message.
fn feature_lines(text: &str) -> usize {
    let is_feature = |line: &&str| {
        let word = line.split_whitespace().next().unwrap_or_default();
        word.eq_ignore_ascii_case("FEATURE") || word.eq_ignore_ascii_case("INCREMENT")
    };
    text.lines().filter(is_feature).count()
}
