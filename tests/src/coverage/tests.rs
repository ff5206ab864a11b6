//! A file that is read, and what of it is found not to have run.

use std::collections::BTreeMap;

use super::{Excuses, Found, judge, read_counts};

const SOURCE: &str = "\
impl<T: Into<u8>> Display for Door<T> {
    fn fmt(&self) -> u8 {
        1
    }
}

pub(crate) async fn opens(
    door: &str,
) -> u8 {
    if door.is_empty() {
        return 0;
    }
    1
}

fn waits() {
    loop {
        rest();
    }
}
";

/// `fmt` never ran, `opens` never refused, and no brace behind the loop ran.
const REPORT: &str = "\
SF:/home/house/src/door.rs
DA:2,0
DA:3,0
DA:4,0
DA:7,3
DA:10,3
DA:11,0
DA:12,0
DA:13,3
DA:14,3
DA:16,1
DA:17,1
DA:18,9
DA:19,1
DA:20,0
end_of_record
";

fn judged(report: &str, excused: &str) -> Found {
    let files = BTreeMap::from([("src/door.rs".to_owned(), SOURCE.to_owned())]);
    judge(&files, &read_counts(report, "/home/house"), &Excuses::read(excused).expect("a list"))
}

fn names(found: &Found) -> Vec<String> {
    found.holes.iter().map(ToString::to_string).collect()
}

#[test]
fn what_never_ran_is_named_by_its_function_and_its_first_line() {
    let found = judged(REPORT, "");
    assert_eq!(names(&found), ["src/door.rs::Door::fmt", "src/door.rs::opens: return 0;"]);
    assert_eq!(found.lines, (8, 14));
    assert!(!found.is_good());
}

#[test]
fn what_is_excused_with_a_reason_is_no_hole() {
    let excused = "# a list\nwhy: nobody looks\nsrc/door.rs::Door::fmt\nsrc/door.rs::opens: return 0;\n";
    let found = judged(REPORT, excused);
    assert!(found.is_good(), "{found}");
    assert_eq!(found.excused, 2);
    assert_eq!(Excuses::read("src/door.rs").unwrap_err(), "line 1: there is no reason above it");
}

#[test]
fn an_excuse_for_what_ran_or_is_gone_is_stale() {
    let ran = REPORT.replace(",0\n", ",1\n");
    let excused = "why: so\nsrc/door.rs::opens: return 0;\nsrc/door.rs\nsrc/gone/\nsrc/door.rs::closes\n";
    let stale = judged(&ran, excused).stale;
    assert_eq!(
        stale,
        [
            "src/door.rs::opens: return 0; (line 2): it ran, or is not there any more",
            "src/door.rs (line 3): something in it ran",
            "src/gone/ (line 4): there is no such file any more",
            "src/door.rs::closes (line 5): it ran, or is not there any more",
        ]
    );
}

#[test]
fn a_star_excuses_pieces_and_no_function_that_never_ran() {
    let found = judged(REPORT, "why: messages\nsrc/: *\n");
    assert_eq!(names(&found), ["src/door.rs::Door::fmt"]);
    assert!(found.stale.is_empty(), "{found}");
}

#[test]
fn what_runs_seldom_may_run_and_may_not_but_must_be_there() {
    let excused = "why: luck\nseldom src/door.rs::opens: return 0;\nseldom src/door.rs::Door::fmt\n";
    for report in [REPORT.to_owned(), REPORT.replace(",0\n", ",1\n")] {
        let found = judged(&report, excused);
        assert!(found.is_good(), "{found}");
    }
    let gone = judged(REPORT, "why: luck\nseldom src/door.rs::opens: return 7;\n").stale;
    assert_eq!(gone, ["src/door.rs::opens: return 7; (line 2): there is no such thing any more"]);
}

#[test]
fn a_file_that_is_in_no_report_never_ran() {
    assert_eq!(names(&judged("", "")), ["src/door.rs"]);
}
