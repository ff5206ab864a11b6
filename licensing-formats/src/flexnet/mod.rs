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

/// Longest text accepted, in bytes. The largest files publishers issue are some hundred kilobytes; a file
/// beyond this is not a license, and its text has to travel between servers in one message.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

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
        let problem = format!("the file has {} bytes, more than {MAX_FILE_BYTES}", text.len());
        return Err(LicenseErrors(vec![at.error(problem, "give a license file, or split it by vendor")]));
    }
    let mut lines = Lines::default();
    let mut findings = Findings::default();
    let mut read_to_the_end = true;
    for line in lexer::logical_lines(text) {
        match line {
            Ok(line) => lines.read(&line, &mut findings),
            Err(error) => findings.errors.push(error),
        }
        if findings.is_full() || lines.feature_count > MAX_FEATURE_LINES {
            read_to_the_end = false;
            break;
        }
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
