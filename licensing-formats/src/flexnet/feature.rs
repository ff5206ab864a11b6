//! FEATURE and INCREMENT lines: six fields, perhaps a positional key, then attributes in any order
//! (FlexNet License Administration Guide, FEATURE and INCREMENT Lines).
//!
//! The property kept: what this parser does not understand it keeps, because publishers define attributes of
//! their own, but a word that limits or dates the license is either understood exactly or refused. A line is
//! judged by itself; whether it fits the VENDOR and SERVER lines is judged for the whole file.

use std::collections::BTreeMap;

use super::keyword::{begins_a_line, is_attribute, nearest_attribute};
use super::server::{host_id, report_lost_line};
use crate::model::{Count, DEFAULT_SORT, FeatureKind, FeatureLine};
use crate::text::findings::{Findings, shown};
use crate::text::lexer::Word;
use crate::text::position::Position;
use crate::words::date::{self, Written};
use crate::words::{Date, Expiry, HostId, Version};

/// A feature line and the places its later judgement needs.
#[derive(Debug)]
pub(crate) struct Feature {
    pub(crate) line: FeatureLine,
    pub(crate) vendor_at: Position,
    pub(crate) count_at: Position,
}

const FIELDS: [&str; 5] = ["feature name", "vendor name", "version", "expiry date", "number of seats"];

/// Lengths of a positional license key in hexadecimal digits, in the order they were introduced.
const KEY_LENGTHS: [usize; 3] = [16, 20, 12];

/// From so many hexadecimal digits on a word behind the count is a key, whatever its length: no attribute looks like one.
const LEAST_KEY: usize = 8;

const DATE_HELP: &str = "write it like 31-dec-2099";

/// Parses the words after the keyword; `None` after reporting at least one error.
pub(crate) fn parse(
    kind: FeatureKind,
    keyword: &Word,
    words: &[Word],
    findings: &mut Findings,
) -> Option<Feature> {
    let errors_before = findings.errors.len();
    let [name, vendor, version_word, expiry_word, count_word, rest @ ..] = words else {
        report_missing(kind, words.last().unwrap_or(keyword).end, words.len(), findings);
        return None;
    };
    let version = version(version_word, findings);
    let expiry = expiry(expiry_word, findings);
    let count = count(count_word, findings);
    let (key, rest) = match rest.split_first() {
        Some((word, after)) if is_key(word) => {
            warn_length(word, findings);
            (Some(word.text.clone()), after)
        }
        _ => (None, rest),
    };
    let mut line = FeatureLine {
        kind,
        name: name.text.clone(),
        vendor: vendor.text.clone(),
        version: version?,
        expiry: expiry?,
        count: count?,
        key,
        starts: None,
        issued: None,
        host_id: None,
        sort: DEFAULT_SORT,
        attributes: BTreeMap::new(),
        line: keyword.at.line,
    };
    for word in rest {
        if word.after_joint && begins_a_line(&word.text) {
            report_lost_line(word, findings);
            break;
        }
        attribute(word, &mut line, findings);
    }
    if findings.errors.len() > errors_before {
        return None;
    }
    check_lock(&line, count_word.at, findings);
    finish_key(&mut line, keyword.at, findings);
    let feature = Feature { line, vendor_at: vendor.at, count_at: count_word.at };
    (findings.errors.len() == errors_before).then_some(feature)
}

fn report_missing(kind: FeatureKind, at: Position, present: usize, findings: &mut Findings) {
    let missing = FIELDS.get(present).copied().unwrap_or("field");
    let help =
        format!("write {kind} feature vendor version dd-mmm-yyyy seats, on one line or joined with \\");
    findings.error(at, format!("the {kind} line has no {missing}"), help);
}

fn version(word: &Word, findings: &mut Findings) -> Option<Version> {
    match word.text.parse::<Version>() {
        Ok(version) => {
            if version.is_short_date() {
                let message = format!(
                    "version {version} looks like a date without its leading zero; versions compare as \
                     decimal numbers, so 2020.201 is more than 2020.1231"
                );
                findings.warn(word.at, message);
            }
            Some(version)
        }
        Err(problem) => {
            let problem = format!("{} is not a version: {problem}", shown(&word.text));
            findings.error(word.at, problem, "write digits with at most one point, like 2.10");
            None
        }
    }
}

fn expiry(word: &Word, findings: &mut Findings) -> Option<Expiry> {
    if word.text.eq_ignore_ascii_case("permanent") {
        return Some(Expiry::Permanent);
    }
    match date::read(&word.text) {
        Ok(Written::Never) => Some(Expiry::Permanent),
        Ok(Written::Day { date, two_digit_year }) => {
            warn_century(two_digit_year, date, word.at, findings);
            Some(Expiry::On(date))
        }
        Err(problem) => {
            let problem = format!("{} is not an expiry date: {problem}", shown(&word.text));
            findings.error(word.at, problem, "write it like 31-dec-2099, or permanent");
            None
        }
    }
}

fn warn_century(two_digit_year: bool, date: Date, at: Position, findings: &mut Findings) {
    if two_digit_year {
        let year = date.year();
        findings.warn(at, format!("a year of two digits means 19xx, read as {year}; write four digits"));
    }
}

fn count(word: &Word, findings: &mut Findings) -> Option<Count> {
    if word.text.eq_ignore_ascii_case("uncounted") {
        return Some(Count::Uncounted);
    }
    let digits = !word.text.is_empty() && word.text.bytes().all(|byte| byte.is_ascii_digit());
    match word.text.parse::<u32>() {
        Ok(0) if digits => Some(Count::Uncounted),
        Ok(seats) if digits => Some(Count::Counted(seats)),
        _ => {
            let (problem, help) = if digits {
                (format!("{} seats are more than {}", shown(&word.text), u32::MAX), "write a smaller number")
            } else {
                let problem = format!("{} is not a number of seats", shown(&word.text));
                (problem, "write a whole number, or uncounted with HOSTID=")
            };
            findings.error(word.at, problem, help);
            None
        }
    }
}

fn is_key(word: &Word) -> bool {
    !word.quoted
        && word.text.len() >= LEAST_KEY
        && word.text.bytes().all(|byte| byte.is_ascii_hexdigit())
        && word.text.bytes().any(|byte| byte.is_ascii_digit())
}

/// Nothing is checked against a key here, so a digit that a mail program lost or gained is all that could be noticed.
fn warn_length(word: &Word, findings: &mut Findings) {
    let digits = word.text.len();
    if !KEY_LENGTHS.contains(&digits) {
        let message = format!(
            "the license key has {digits} digits, keys have 12, 16 or 20: compare it with the publisher's file"
        );
        findings.warn(word.at, message);
    }
}

/// Files one attribute, and reads it if it is one we understand.
fn attribute(word: &Word, line: &mut FeatureLine, findings: &mut Findings) {
    let (key, value, value_at) = word.pair().unwrap_or((&word.text, "", word.at));
    if word.pair().is_none() {
        if word.quoted {
            let problem = format!("the text {} has no attribute name", shown(&word.text));
            findings.error(
                word.at,
                problem,
                "write VENDOR_STRING=, NOTICE= or the like directly before the quote",
            );
            return;
        }
        if !key.starts_with(|first: char| first.is_alphabetic() || first == '_') {
            let problem = format!("{} is not an attribute", shown(key));
            let help = if is_key(word) {
                "write the license key directly after the number of seats"
            } else {
                "write KEY=value, with quotes around a value that contains blanks"
            };
            findings.error(word.at, problem, help);
            return;
        }
    } else if key.is_empty() {
        let problem = format!("{} has nothing before the =", shown(&word.text));
        findings.error(word.at, problem, "write KEY=value without blanks around the =");
        return;
    }
    if line.attributes.contains_key(key) {
        findings.error(word.at, format!("{} stands twice on the line", shown(key)), "remove one of them");
        return;
    }
    match key {
        "START" => line.starts = day(key, value, value_at, findings),
        "ISSUED" => line.issued = day(key, value, value_at, findings),
        "HOSTID" => line.host_id = host_id(value, value_at, findings),
        "sort" => line.sort = sort(value, value_at, findings),
        _ => warn_misspelt(key, word.at, findings),
    }
    line.attributes.insert(key.to_owned(), value.to_owned());
}

fn day(key: &str, value: &str, at: Position, findings: &mut Findings) -> Option<Date> {
    match date::read(value) {
        Ok(Written::Day { date, two_digit_year }) => {
            warn_century(two_digit_year, date, at, findings);
            Some(date)
        }
        Ok(Written::Never) => {
            findings.error(at, format!("{key}={value} has the year zero"), DATE_HELP);
            None
        }
        Err(problem) => {
            findings.error(at, format!("{key} is {}, not a date: {problem}", shown(value)), DATE_HELP);
            None
        }
    }
}

fn sort(value: &str, at: Position, findings: &mut Findings) -> u32 {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    match value.parse() {
        Ok(sort) if digits => sort,
        _ => {
            let problem = format!("sort is {}, not a whole number", shown(value));
            findings.error(at, problem, "write sort=n, lower is used first, or remove it for 100");
            DEFAULT_SORT
        }
    }
}

/// An unknown attribute is a publisher's own and kept; one that resembles a known attribute deserves a word.
fn warn_misspelt(key: &str, at: Position, findings: &mut Findings) {
    if is_attribute(key) {
        return;
    }
    if let Some(name) = nearest_attribute(key) {
        findings.warn(at, format!("attribute {} is not {name} and has no effect", shown(key)));
    }
}

/// An uncounted line is limited by its host id alone, so it must have one; DEMO is for such lines only.
fn check_lock(line: &FeatureLine, count_at: Position, findings: &mut Findings) {
    let name = shown(&line.name);
    match (line.count, &line.host_id) {
        (Count::Uncounted, None) => findings.error(
            count_at,
            format!("{name} is uncounted but not locked to a host"),
            "write HOSTID= with the host id, or HOSTID=ANY, on the line, or a number of seats",
        ),
        (Count::Counted(_), Some(HostId::Demo)) => findings.error(
            count_at,
            format!("{name} is counted but has HOSTID=DEMO"),
            "write uncounted, or another HOSTID",
        ),
        _ => {}
    }
}

/// Takes the key from SIGN where no positional one was given, and notices unsigned lines.
fn finish_key(line: &mut FeatureLine, at: Position, findings: &mut Findings) {
    if line.key.is_none() {
        line.key = line.attributes.get("SIGN").filter(|value| !value.is_empty()).cloned();
    }
    let signatures = ["SIGN2", "AUTH", "V7.1_LK", "SIGNATURE"];
    let signed = signatures.iter().any(|name| line.attributes.get(*name).is_some_and(|v| !v.is_empty()));
    if line.key.is_none() && !signed {
        findings
            .warn(at, format!("{} is unsigned: it has neither SIGN= nor a license key", shown(&line.name)));
    }
}
