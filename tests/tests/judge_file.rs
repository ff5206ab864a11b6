//! Histories in files, as other programs may write them: judged as if one had been there.

use std::path::PathBuf;

use licensing_tests::check::semaphore::Verdict;
use licensing_tests::history::History;
use licensing_tests::{Judgement, judge_file};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn judged(name: &str) -> Judgement {
    judge_file(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn a_good_history_is_judged_good_by_all_judges() {
    let judgement = judged("good.jsonl");
    let report = judgement.to_string();
    assert!(judgement.is_good(), "{report}");
    let verdict = judgement.oracle.expect("good");
    assert_eq!((verdict.granted, verdict.denied, verdict.returned, verdict.unknown), (3, 1, 2, 1));
    assert_eq!(judgement.blind.len(), 2, "{report}");
    assert!(report.contains("without index, f1: good, 5 operations in"), "{report}");
    assert!(report.contains("without index, f2: good, 2 operations in"), "{report}");
    assert!(report.ends_with("\ngood"), "{report}");
}

#[test]
fn a_history_in_which_nobody_looked_at_a_server_is_undetermined() {
    let good = std::fs::read_to_string(path("good.jsonl")).unwrap();
    let blind: String =
        good.lines().filter(|line| !line.contains("\"read\"")).map(|line| line.to_owned() + "\n").collect();
    assert!(blind.len() < good.len());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("blind.jsonl");
    std::fs::write(&file, blind).unwrap();
    let judgement = judge_file(&file).unwrap();
    assert!(judgement.is_good() && !judgement.is_determined(), "{judgement}");
    assert!(judgement.to_string().ends_with("\nundetermined"), "{judgement}");
}

#[test]
fn a_broken_promise_is_told_by_both_judges() {
    let judgement = judged("lost_checkin.jsonl");
    let report = judgement.to_string();
    assert!(!judgement.is_good(), "{report}");
    for told in [
        "not true that what was checked in does not come back",
        "no order of these 2 on 3 seats explains the answers, whatever became of 3 others:",
        "4100..4800 us, client 1: checkin of 201, returned",
        "5000..5600 us, client 2: checkout of 2, denied with 3 in use",
    ] {
        assert!(report.contains(told), "`{told}` is not in:\n{report}");
    }
    let verdicts = judgement.blind.iter().map(|(feature, blind)| (feature.name.as_str(), &blind.verdict));
    for (feature, verdict) in verdicts {
        assert_eq!(matches!(verdict, Verdict::Linearizable(_)), feature == "f2", "{feature}: {verdict:?}");
    }
}

#[test]
fn a_recorder_may_leave_out_what_is_null_and_add_what_nobody_asks_for() {
    let good = std::fs::read_to_string(path("good.jsonl")).unwrap();
    let other =
        good.replace("\"completed_us\":null,", "").replace("\"client\":", "\"colour\":\"red\",\"client\":");
    assert!(other.contains("colour") && !other.contains("null"));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("other.jsonl");
    std::fs::write(&file, other).unwrap();
    assert!(judge_file(&file).unwrap().is_good());
}

#[test]
fn what_is_no_history_is_an_error() {
    let error = judge_file(path("no_such_file.jsonl")).unwrap_err().to_string();
    assert!(error.contains("No such file"), "{error}");
}

#[test]
fn the_example_of_the_description_is_a_history() {
    let text = include_str!("../HISTORY.md");
    let example =
        text.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let history = History::from_text(example).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((history.operations.len(), history.reads.len()), (3, 1));
    assert_eq!((history.looks.len(), history.vanished.len()), (1, 1));
}
