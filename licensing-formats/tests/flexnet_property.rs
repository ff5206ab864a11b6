//! License files from random text: the parser never panics, its errors point into the text, and versions
//! order like the decimal numbers they are.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use licensing_formats::{Date, License, Version};
use proptest::prelude::*;

const TRIAD: &str = include_str!("licenses/triad.lic");

/// Parses; a panic fails the test. Every error and warning must point at a place the text has.
fn parse_and_check_places(text: &str) {
    let lines: Vec<&str> = text.split('\n').collect();
    let places: Vec<(u32, u32)> = match License::parse(text) {
        Ok(license) => license.warnings.iter().map(|warning| (warning.line, warning.column)).collect(),
        Err(errors) => {
            assert!(!errors.0.is_empty());
            assert!(errors.0.is_sorted_by_key(|error| (error.line, error.column)));
            assert_eq!(errors.to_string().lines().count(), errors.0.len());
            errors.0.iter().map(|error| (error.line, error.column)).collect()
        }
    };
    for (line, column) in places {
        let content = lines[line as usize - 1];
        // One past the end is where a missing word belongs.
        assert!(
            (1..=content.chars().count() + 1).contains(&(column as usize)),
            "{line}:{column} in {text:?}"
        );
    }
}

/// Compares by aligning both numbers at the point and filling up with zeros.
fn naive_cmp(left: &str, right: &str) -> Ordering {
    let aligned = |text: &str| {
        let (integer, fraction) = text.split_once('.').unwrap_or((text, ""));
        format!("{integer:0>40}{fraction:0<40}")
    };
    aligned(left).cmp(&aligned(right))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn license_parser_survives_any_text(text in any::<String>()) {
        parse_and_check_places(&text);
    }

    #[test]
    fn license_parser_survives_any_words(words in prop::collection::vec(word(), 0..60)) {
        parse_and_check_places(&words.concat());
    }

    #[test]
    fn license_parser_survives_damage(
        damage in prop::collection::vec((0..TRIAD.len(), 0..12usize, "[\\PC\\n]{0,3}"), 1..6),
    ) {
        let mut characters: Vec<char> = TRIAD.chars().collect();
        for (at, removed, inserted) in damage {
            let from = at.min(characters.len());
            let to = (from + removed).min(characters.len());
            characters.splice(from..to, inserted.chars());
        }
        parse_and_check_places(&characters.into_iter().collect::<String>());
    }

    #[test]
    fn license_versions_order_like_decimals(left in "[01]{0,3}[0-9]{1,4}(\\.[0-9]{0,4}0{0,2})?", right in "0?[0-9]{1,4}\\.[019]{0,6}") {
        let (a, b): (Version, Version) = (left.parse().unwrap(), right.parse().unwrap());
        prop_assert_eq!(a.cmp(&b), naive_cmp(&left, &right));
        prop_assert_eq!(a == b, a.cmp(&b) == Ordering::Equal);
        prop_assert_eq!(&a.padded().parse::<Version>().unwrap(), &a);
        prop_assert_eq!(a.to_string(), left);
    }

    #[test]
    fn license_dates_count_days_one_by_one(days in 0u64..2_900_000) {
        // Walk from a date to the next by text, and see the milliseconds join without a gap.
        let year = 1970 + (days / 366) as u16;
        let (month, day) = ((days % 12) as u8 + 1, (days % 28) as u8 + 1);
        let date = Date::new(year, month, day).unwrap();
        let next = Date::new(year, month, day + 1)
            .or_else(|| Date::new(year, month + 1, 1))
            .or_else(|| Date::new(year + 1, 1, 1));
        if let Some(next) = next {
            prop_assert_eq!(date.end_ms(), next.start_ms());
            prop_assert!(date < next);
        }
        prop_assert_eq!(date.to_string().parse::<Date>(), Ok(date));
    }
}

fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "SERVER ",
        "VENDOR ",
        "FEATURE ",
        "INCREMENT ",
        "server ",
        "FEATUER ",
        "HOSTID=",
        "SIGN=",
        "sort=",
        "acme ",
        "ANY ",
        "1 ",
        "2.5 ",
        "27000 ",
        "permanent ",
        "31-dec-2099 ",
        "31-dec-0 ",
        "uncounted ",
        "\"",
        "{",
        "}",
        "=",
        "#",
        "\\\n",
        "\\ \r\n",
        "\n",
        "\t",
        " ",
        "”",
        "ß",
        "\u{0}",
        "\u{a0}",
        "HEARTBEAT_INTERVAL=",
        "4294967296 ",
    ])
}

#[test]
fn license_versions_equal_by_value_and_pad_for_display() {
    let cases = [
        ("1", "1.000"),
        ("1.0", "1.000"),
        ("2.10", "2.100"),
        ("31.000000", "31.000000"),
        (".5", "0.500"),
        ("5.", "5.000"),
        ("2023.0331", "2023.0331"),
    ];
    for (text, padded) in cases {
        assert_eq!(text.parse::<Version>().unwrap().padded(), padded);
    }
    let version = |text: &str| text.parse::<Version>().unwrap();
    assert_eq!(version("2.10"), version("2.1"));
    assert!(version("2.10") < version("2.9"));
    assert!(version("10") > version("9.999"));
    let distinct: BTreeSet<Version> = ["1", "1.0", "01.00", "1.01"].into_iter().map(version).collect();
    assert_eq!(distinct.len(), 2);
    for (text, problem) in [
        ("", "it is empty"),
        (".", "it has no digits"),
        ("1a", "it contains 'a'"),
        ("+1", "it has a sign"),
        ("1.2.3", "it has a second point"),
        ("12345678901234567890123456789012", "it is longer than 31 characters"),
    ] {
        assert_eq!(text.parse::<Version>().unwrap_err().to_string(), problem);
    }
}
