//! FlexNet license files: decides what each logical line is and hands it to the parser of its kind.
//!
//! The property kept: the result is a license in which every line fits every other, or all errors in line
//! order; nothing is half read. Lines are visited once and the limits below bound the work, so a hostile
//! file costs no more than a long one. Lines this parser does not read (UPGRADE, PACKAGE, RLM's) are errors,
//! because serving a file while ignoring what it grants or withdraws would be wrong without anybody noticing.

use super::error::{LicenseErrors, MAX_ERRORS, Report, shown};
use super::feature_line::{self, Feature};
use super::keyword::{self, Keyword};
use super::lexer::{self, LogicalLine, Position, Word};
use super::server_line::{self, Server};
use super::{FeatureKind, License, LicenseError, VendorLine, vendor_line, whole_file};

/// Longest text accepted, in bytes. The largest files publishers issue are some hundred kilobytes; a file
/// beyond this is not a license, and its text has to travel between servers in one message.
pub const MAX_TEXT_BYTES: usize = 1024 * 1024;

/// Most FEATURE and INCREMENT lines accepted. Sites with everything a large publisher sells have some
/// thousand; the number bounds the pools that every server keeps in memory and every status lists.
pub const MAX_FEATURE_LINES: usize = 10_000;

/// The lines understood so far. The `_at` lists also count lines that were found wrong.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) servers: Vec<Server>,
    pub(super) server_at: Vec<Position>,
    pub(super) vendor: Option<VendorLine>,
    pub(super) vendor_at: Vec<Position>,
    pub(super) use_server: bool,
    pub(super) features: Vec<Feature>,
    feature_count: usize,
}

/// Parses the text of a license file; see [`License::parse`].
pub(super) fn parse(text: &str) -> Result<License, LicenseErrors> {
    if text.len() > MAX_TEXT_BYTES {
        let at = Position { line: 1, column: 1 };
        let problem = format!("the file has {} bytes, more than {MAX_TEXT_BYTES}", text.len());
        return Err(LicenseErrors(vec![at.error(problem, "give a license file, or split it by vendor")]));
    }
    let mut lines = Lines::default();
    let mut report = Report::default();
    let mut read_to_the_end = true;
    for line in lexer::logical_lines(text) {
        match line {
            Ok(line) => lines.read(&line, &mut report),
            Err(error) => report.errors.push(error),
        }
        if report.is_full() || lines.feature_count > MAX_FEATURE_LINES {
            read_to_the_end = false;
            break;
        }
    }
    if read_to_the_end {
        // In a report of its own, for its errors may belong before those that the first holds.
        let mut agreement = Report::default();
        whole_file::check(&lines, &mut agreement);
        report.errors.append(&mut agreement.errors);
    }
    if !report.errors.is_empty() {
        report.errors.sort_by_key(|error: &LicenseError| (error.line, error.column));
        report.errors.truncate(MAX_ERRORS);
        return Err(LicenseErrors(report.errors));
    }
    if lines.features.is_empty() {
        report.warn(Position { line: 1, column: 1 }, "the file has no FEATURE or INCREMENT line");
    }
    report.warnings.sort_by_key(|warning| (warning.line, warning.column));
    Ok(License {
        servers: lines.servers.into_iter().map(|server| server.line).collect(),
        vendor: lines.vendor,
        use_server: lines.use_server,
        features: lines.features.into_iter().map(|feature| feature.line).collect(),
        warnings: report.warnings,
    })
}

impl Lines {
    fn read(&mut self, line: &LogicalLine, report: &mut Report) {
        let Some((word, at)) = line.first_word() else { return };
        let found = if word.starts_with('#') { None } else { keyword::keyword(&word) };
        match found {
            None => comment(line, &word, at, report),
            Some((name, Keyword::Unsupported(help))) => {
                report.error(at, format!("{name} lines are not supported"), help);
            }
            Some((name, Keyword::Rlm)) => {
                let problem = format!("{name} lines belong to RLM license files, which are not supported");
                let help = "ask the publisher for SERVER and INCREMENT lines, or start the line with # if it is a comment";
                report.error(at, problem, help);
            }
            Some((name, keyword)) => {
                let errors_before = report.errors.len();
                self.read_keyword(line, at, keyword, report);
                if word == name {
                    return;
                }
                report.warn(at, format!("{} read as {name}; write it in capitals", shown(&word)));
                // Prose may well begin with one of our keywords.
                for error in report.errors.iter_mut().skip(errors_before) {
                    error.help.push_str(", or start the line with # if it is a comment");
                }
            }
        }
    }

    fn read_keyword(&mut self, line: &LogicalLine, at: Position, keyword: Keyword, report: &mut Report) {
        // Counted before the line is judged, so that a wrong line is not also reported as missing.
        match keyword {
            Keyword::Server => self.server_at.push(at),
            Keyword::Vendor => self.vendor_at.push(at),
            Keyword::Feature(_) => self.feature_count += 1,
            Keyword::UseServer | Keyword::Unsupported(_) | Keyword::Rlm => {}
        }
        let found = match line.words() {
            Ok(found) => found,
            Err(error) => return report.errors.push(error),
        };
        if let Some(at) = found.comment {
            report.warn(at, "text behind # taken for a comment; write comments on lines of their own");
        }
        let Some((first, words)) = found.words.split_first() else { return };
        match keyword {
            Keyword::Server => {
                let server = server_line::parse(first, words, self.server_at.len() == 1, report);
                self.servers.extend(server);
            }
            Keyword::Vendor => self.vendor = vendor_line::parse(first, words, report).or(self.vendor.take()),
            Keyword::UseServer => self.read_use_server(words, report),
            Keyword::Feature(kind) => self.read_feature(kind, first, words, report),
            // Refused before their words are read.
            Keyword::Unsupported(_) | Keyword::Rlm => {}
        }
    }

    fn read_use_server(&mut self, words: &[Word], report: &mut Report) {
        self.use_server = true;
        if let Some(word) = words.iter().find(|word| word.after_joint && keyword::begins_a_line(&word.text)) {
            server_line::report_lost_line(word, report);
        } else if let Some(word) = words.first() {
            report.warn(word.at, format!("USE_SERVER takes no arguments, {} ignored", shown(&word.text)));
        }
    }

    fn read_feature(&mut self, kind: FeatureKind, first: &Word, words: &[Word], report: &mut Report) {
        if self.feature_count > MAX_FEATURE_LINES {
            let problem = format!("the file has more than {MAX_FEATURE_LINES} FEATURE and INCREMENT lines");
            report.error(first.at, problem, "ask the publisher to combine lines, or split the file");
            return;
        }
        self.features.extend(feature_line::parse(kind, first, words, report));
    }
}

/// A line that begins with no keyword: a comment, unless it was meant to be something else.
fn comment(line: &LogicalLine, word: &str, at: Position, report: &mut Report) {
    // A comment that ends in \ (a Windows directory, say) would take the next line along.
    for (joined, at) in line.joined_first_words() {
        if keyword::begins_a_line(&joined) {
            let problem = format!("this {joined} line is joined to the comment above, which ends in \\");
            report.error(at, problem, "remove the \\ above, or start this line with # too");
        }
    }
    if word.starts_with('#') {
        return;
    }
    let attribute = word.split_once('=').map(|(key, _)| key).filter(|key| keyword::is_attribute(key));
    if let Some(key) = attribute {
        let help = "write \\ at the end of the line above that it belongs to, or start the line with #";
        report.error(at, format!("{key}= stands at the start of a line"), help);
    } else if keyword::looks_like_keyword(word) {
        let nearest =
            keyword::nearest_keyword(word).unwrap_or("SERVER, VENDOR, USE_SERVER, FEATURE or INCREMENT");
        let help = format!("write {nearest}, or start the line with # if it is a comment");
        report.error(at, format!("{} is not a license file keyword", shown(word)), help);
    } else if is_decimal_license(word) {
        let help = "ask the publisher for FEATURE or INCREMENT lines";
        report.error(at, format!("the decimal license {} is not supported", shown(word)), help);
    } else {
        report.warn(at, "text without a keyword taken for a comment; start the line with #");
    }
}

/// The short form demo licenses were dictated in: `sampled-f1-00737-55296-1825`.
fn is_decimal_license(word: &str) -> bool {
    let groups = word.rsplit('-');
    let numbers = groups.take_while(|group| group.len() >= 4 && group.bytes().all(|b| b.is_ascii_digit()));
    numbers.count() >= 3
}
