//! FlexNet license files: decides what each logical line is and hands it to the parser of its kind.
//!
//! The property kept: the result is a license in which every line fits every other, or all errors in line
//! order; nothing is half read. Lines are visited once and the limits below bound the work, so a hostile
//! file costs no more than a long one. Lines this parser does not read (UPGRADE, PACKAGE, RLM's) are errors,
//! because serving a file while ignoring what it grants or withdraws would be wrong without anybody noticing.

use super::feature::{self, Feature};
use super::keyword::{self, Keyword};
use super::server::{self, Server};
use super::vendor;
use crate::model::{FeatureKind, VendorLine};
use crate::text::findings::{Findings, shown};
use crate::text::lexer::{LogicalLine, Word};
use crate::text::position::Position;

/// Most FEATURE and INCREMENT lines accepted. Sites with everything a large publisher sells have some ten thousand; the
/// number bounds what reading a file and serving it may cost.
pub const MAX_FEATURE_LINES: usize = 200_000;

/// The lines understood so far. The `_at` lists also count lines that were found wrong.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pub(crate) servers: Vec<Server>,
    pub(crate) server_at: Vec<Position>,
    pub(crate) vendor: Option<VendorLine>,
    pub(crate) vendor_at: Vec<Position>,
    pub(crate) use_server: bool,
    pub(crate) features: Vec<Feature>,
    pub(crate) feature_count: usize,
    /// The first FEATURE or INCREMENT line beyond [`MAX_FEATURE_LINES`].
    pub(crate) beyond: Option<Position>,
}

impl Lines {
    /// Reads one logical line.
    pub(crate) fn read(&mut self, line: &LogicalLine, findings: &mut Findings) {
        let Some((word, at)) = line.first_word() else { return };
        let found = if word.starts_with('#') { None } else { keyword::keyword(&word) };
        match found {
            None => comment(line, &word, at, findings),
            Some((name, Keyword::Unsupported(help))) => {
                findings.error(at, format!("{name} lines are not supported"), help);
            }
            Some((name, Keyword::Rlm)) => {
                let problem = format!("{name} lines belong to RLM license files, which are not supported");
                let help = "ask the publisher for SERVER and INCREMENT lines, or start the line with # if it is a comment";
                findings.error(at, problem, help);
            }
            Some((name, keyword)) => {
                let errors_before = findings.errors.len();
                self.read_keyword(line, at, keyword, findings);
                if word == name {
                    return;
                }
                findings.warn(at, format!("{} read as {name}; write it in capitals", shown(&word)));
                // Prose may well begin with one of our keywords.
                for error in findings.errors.iter_mut().skip(errors_before) {
                    error.help.push_str(", or start the line with # if it is a comment");
                }
            }
        }
    }

    fn read_keyword(&mut self, line: &LogicalLine, at: Position, keyword: Keyword, findings: &mut Findings) {
        // Counted before the line is judged, so that a wrong line is not also reported as missing.
        match keyword {
            Keyword::Server => self.server_at.push(at),
            Keyword::Vendor => self.vendor_at.push(at),
            Keyword::Feature(_) => self.feature_count += 1,
            Keyword::UseServer | Keyword::Unsupported(_) | Keyword::Rlm => {}
        }
        let found = match line.words() {
            Ok(found) => found,
            Err(error) => return findings.errors.push(error),
        };
        if let Some(at) = found.comment {
            findings.warn(at, "text behind # taken for a comment; write comments on lines of their own");
        }
        let Some((first, words)) = found.words.split_first() else { return };
        match keyword {
            Keyword::Server => {
                let server = server::parse(first, words, self.server_at.len() == 1, findings);
                self.servers.extend(server);
            }
            Keyword::Vendor => self.vendor = vendor::parse(first, words, findings).or(self.vendor.take()),
            Keyword::UseServer => self.read_use_server(words, findings),
            Keyword::Feature(kind) => self.read_feature(kind, first, words, findings),
            // Refused before their words are read.
            Keyword::Unsupported(_) | Keyword::Rlm => {}
        }
    }

    fn read_use_server(&mut self, words: &[Word], findings: &mut Findings) {
        self.use_server = true;
        if let Some(word) = words.iter().find(|word| word.after_joint && keyword::begins_a_line(&word.text)) {
            server::report_lost_line(word, findings);
        } else if let Some(word) = words.first() {
            findings.warn(word.at, format!("USE_SERVER takes no arguments, {} ignored", shown(&word.text)));
        }
    }

    fn read_feature(&mut self, kind: FeatureKind, first: &Word, words: &[Word], findings: &mut Findings) {
        if self.feature_count > MAX_FEATURE_LINES {
            self.beyond = Some(first.at);
            return;
        }
        self.features.extend(feature::parse(kind, first, words, findings));
    }
}

/// A line that begins with no keyword: a comment, unless it was meant to be something else.
fn comment(line: &LogicalLine, word: &str, at: Position, findings: &mut Findings) {
    // A comment that ends in \ (a Windows directory, say) would take the next line along.
    for (joined, at) in line.joined_first_words() {
        if keyword::begins_a_line(&joined) {
            let problem = format!("this {joined} line is joined to the comment above, which ends in \\");
            findings.error(at, problem, "remove the \\ above, or start this line with # too");
        }
    }
    if word.starts_with('#') {
        return;
    }
    let attribute = word.split_once('=').map(|(key, _)| key).filter(|key| keyword::is_attribute(key));
    if let Some(key) = attribute {
        let help = "write \\ at the end of the line above that it belongs to, or start the line with #";
        findings.error(at, format!("{key}= stands at the start of a line"), help);
    } else if keyword::looks_like_keyword(word) {
        let nearest =
            keyword::nearest_keyword(word).unwrap_or("SERVER, VENDOR, USE_SERVER, FEATURE or INCREMENT");
        let help = format!("write {nearest}, or start the line with # if it is a comment");
        findings.error(at, format!("{} is not a license file keyword", shown(word)), help);
    } else if is_decimal_license(word) {
        let help = "ask the publisher for FEATURE or INCREMENT lines";
        findings.error(at, format!("the decimal license {} is not supported", shown(word)), help);
    } else if let Some(keyword) = quoted_keyword(line, word) {
        let message = format!(
            "this {keyword} line is not read: a mail program put > before it; remove the >, or start the line with #"
        );
        findings.warn(at, message);
    } else {
        findings.warn(at, "text without a keyword taken for a comment; start the line with #");
    }
}

/// The keyword of a line that a mail program quoted.
fn quoted_keyword(line: &LogicalLine, word: &str) -> Option<String> {
    let rest = word.strip_prefix('>')?.trim_start_matches('>');
    let rest = match rest {
        "" => line
            .words()
            .ok()?
            .words
            .into_iter()
            .map(|word| word.text)
            .find(|text| !text.chars().all(|c| c == '>'))?,
        own => own.to_owned(),
    };
    keyword::begins_a_line(&rest).then_some(rest)
}

/// The short form demo licenses were dictated in: `sampled-f1-00737-55296-1825`.
fn is_decimal_license(word: &str) -> bool {
    let groups = word.rsplit('-');
    let numbers = groups.take_while(|group| group.len() >= 4 && group.bytes().all(|b| b.is_ascii_digit()));
    numbers.count() >= 3
}
