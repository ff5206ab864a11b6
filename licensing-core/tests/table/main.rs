//! Runs `../tables/*.txt`: one request per line, with the outcome in the last column. Every invariant is checked after
//! every line, and every reason of a denial must occur in some table.
//!
//! The notation (everything a table may say):
//!
//! ```text
//! license small              a license file, its lines follow
//!   | INCREMENT ...
//! case title                 a new, empty state; the time is 1-jan-2026
//!   at 31-dec-2026 23:59:59.999          the time of the proposals that follow
//!   mark                                 `expire` is judged at this entry from now on
//!   master install small                 -> installed 1
//!   master stage small 0 of 3            -> staged 1          the license in three parts, the first
//!   master install parts small           -> installed 1
//!   master raise 1 | master hold on      -> edition 1 | hold on
//!   master set KEY [VALUE] [believed=3]  -> data set | data gone     of the triad
//!   master tick                          -> ticked
//!   master expire ada bob                -> expired ada
//!   ada open [user=U host=H display=D]   -> opened | opened again
//!   ada close [token=bob]                -> closed #a #b
//!   ada [3/1] [token=bob] ACTION         request 3, acknowledging 1; without numbers the next request, acknowledging
//!                                        the one before; with `1..64/0` many requests with one outcome
//!     checkout solver 2.1 [4] [vendor=V] -> granted #a       from now on `#a` is its handle; `#99` is handle 99
//!     checkout solver 2.1 data=farm      -> granted #a       with that vendor data
//!     data [#a] [farm]                   -> data set | data gone     of the session, or of a checkout
//!     checkin #a [owner=bob]             -> returned #a
//!     remove #a | remove solver U H D    -> removed #a
//!     maintain secondary on              -> maintained secondary on
//!     prefer primary | prefer nobody     -> preferred primary
//!   crowd 1000                           -> crowded        that many other sessions open
//!   ANY REQUEST                          -> no Reason facts
//!   events                               -> nothing | what the last request caused
//!   pools                                -> feature version in-use/licensed, ...
//!   data ada | triad | checkouts | recall ada 3 | clock | deadline | master
//! ```
//!
//! `x*300` stands for 300 times the letter x. A session is named by who opened it, and stays named when it is gone.

mod case;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use licensing_core::*;

use case::Case;
use words::{moment, words};

/// Every name of a denial, in the order of their [`Denial::rank`].
const REASONS: [&str; 22] = [
    "UnknownSession",
    "WrongToken",
    "ForgottenRequest",
    "TooManyUnanswered",
    "TooManySessions",
    "BadLicense",
    "InvalidParameter",
    "BadVersion",
    "NoLicense",
    "UnknownVendor",
    "UnknownFeature",
    "VersionNotLicensed",
    "NotStarted",
    "Expired",
    "MoreThanLicensed",
    "NoFreeSeats",
    "UnknownHandle",
    "NotTheHolder",
    "NothingToRemove",
    "VendorDataChanged",
    "VendorDataFull",
    "PartsMissing",
];

#[test]
fn every_line_of_every_table_gets_the_outcome_in_its_last_column() {
    let tables = [
        ("tables/seats.txt", include_str!("../tables/seats.txt")),
        ("tables/versions.txt", include_str!("../tables/versions.txt")),
        ("tables/dates.txt", include_str!("../tables/dates.txt")),
        ("tables/pools.txt", include_str!("../tables/pools.txt")),
        ("tables/install.txt", include_str!("../tables/install.txt")),
        ("tables/parts.txt", include_str!("../tables/parts.txt")),
        ("tables/once.txt", include_str!("../tables/once.txt")),
        ("tables/sessions.txt", include_str!("../tables/sessions.txt")),
        ("tables/vendor-data.txt", include_str!("../tables/vendor-data.txt")),
        ("tables/remove.txt", include_str!("../tables/remove.txt")),
        ("tables/servers.txt", include_str!("../tables/servers.txt")),
        ("tables/precedence.txt", include_str!("../tables/precedence.txt")),
    ];
    let (mut problems, mut reasons) = (Vec::new(), BTreeSet::new());
    for (name, text) in tables {
        let mut table = Table::default();
        for (number, line) in (1..).zip(text.lines()) {
            if let Err(problem) = table.run(line) {
                problems.push(format!("{name}:{number}: {}\n    {problem}", line.trim()));
            }
        }
        reasons.extend(table.reasons);
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    let missing: Vec<_> = REASONS.into_iter().filter(|reason| !reasons.contains(*reason)).collect();
    assert!(missing.is_empty(), "no table is denied for {missing:?}");
}

#[derive(Default)]
struct Table {
    licenses: BTreeMap<String, String>,
    license: String,
    reasons: BTreeSet<String>,
    case: Case,
}

impl Table {
    fn run(&mut self, line: &str) -> Result<(), String> {
        let line = line.trim();
        if let Some(text) = line.strip_prefix('|') {
            let license = self.licenses.entry(self.license.clone()).or_default();
            license.push_str(text.trim());
            license.push('\n');
            return Ok(());
        }
        let (request, expected) = line.split_once(" -> ").unwrap_or((line, ""));
        let (words, expected) = (words(request), words(expected).join(" "));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] => {}
            [comment, ..] if comment.starts_with('#') => {}
            ["license", name] => self.license = (*name).to_owned(),
            ["case", ..] => self.case = Case { at: moment(&["1-jan-2026"]), ..Case::default() },
            ["at", time @ ..] => self.case.at = moment(time),
            ["mark"] => self.case.mark = Some(self.case.state.last_index()),
            words => {
                let found = self.case.answer_line(words, &expected, &self.licenses)?;
                if let Some(denial) = found.strip_prefix("no ") {
                    self.reasons.extend(denial.split(' ').next().map(str::to_owned));
                }
                if found != expected {
                    return Err(format!("is {found}"));
                }
            }
        }
        invariants::check(&self.case.state).map_err(|violation| violation.to_string())
    }
}
