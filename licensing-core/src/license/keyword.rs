//! The words a line may begin with, and guessing which one a misspelt word meant.
//!
//! The property kept: a line that was meant as a license line is never silently taken for a comment. Real
//! FlexNet takes every line without a reserved keyword for a comment, so there a typing error makes a feature
//! vanish without a word.

use super::FeatureKind;

/// What the first word of a line announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    Server,
    Vendor,
    UseServer,
    Feature(FeatureKind),
    /// A FlexNet line we do not read, with what to do about it.
    Unsupported(&'static str),
    /// A line of an RLM license file. Recognised in capitals only: the words are plain English.
    Rlm,
}

const KEYWORDS: [(&str, Keyword); 13] = [
    ("SERVER", Keyword::Server),
    ("VENDOR", Keyword::Vendor),
    ("DAEMON", Keyword::Vendor),
    ("USE_SERVER", Keyword::UseServer),
    ("FEATURE", Keyword::Feature(FeatureKind::Feature)),
    ("INCREMENT", Keyword::Feature(FeatureKind::Increment)),
    (
        "UPGRADE",
        Keyword::Unsupported("remove the line, or ask the publisher for INCREMENT lines of the new version"),
    ),
    (
        "PACKAGE",
        Keyword::Unsupported("remove the line, or ask the publisher for INCREMENT lines of its components"),
    ),
    ("FEATURESET", Keyword::Unsupported("remove the line, its checksum is obsolete")),
    ("HOST", Keyword::Rlm),
    ("ISV", Keyword::Rlm),
    ("LICENSE", Keyword::Rlm),
    ("CUSTOMER", Keyword::Rlm),
];

/// Attributes of feature lines known to this parser (FlexNet License Administration Guide, Optional
/// Publisher-Defined Keywords and Sorting). Others are accepted; the list serves to notice misspellings.
const ATTRIBUTES: [&str; 38] = [
    "AUTH",
    "BORROW",
    "DUP_GROUP",
    "FLOAT_OK",
    "HOSTID",
    "HOST_BASED",
    "ISSUED",
    "ISSUER",
    "LINGER",
    "MAX_BORROW_HOURS",
    "MINIMUM",
    "NOTICE",
    "ONE_TS_OK",
    "OVERDRAFT",
    "PLATFORMS",
    "SIGN",
    "SIGN2",
    "SIGNATURE",
    "SN",
    "START",
    "SUITE_DUP_GROUP",
    "SUPERSEDE",
    "SUPERSEDE_SIGN",
    "TS_OK",
    "TZ",
    "USER_BASED",
    "V7.1_LK",
    "VENDOR_STRING",
    "VM_PLATFORMS",
    "asset_info",
    "ck",
    "dist_info",
    "sort",
    "user_info",
    "vendor_info",
    "PLATFORM",
    "USER_INFO",
    "VENDOR_INFO",
];

/// Words longer than this are not compared; every keyword and attribute is shorter, and the comparison
/// takes time in proportion to the length.
const MAX_COMPARED_CHARACTERS: usize = 24;

/// The keyword `word` is, in any letter case (RLM's in capitals only), with its spelling in capitals.
pub(super) fn keyword(word: &str) -> Option<(&'static str, Keyword)> {
    let found = KEYWORDS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.filter(|(name, keyword)| *keyword != Keyword::Rlm || *name == word)
}

/// Whether the word is a keyword in capitals that begins a line of a FlexNet file.
pub(super) fn begins_a_line(word: &str) -> bool {
    keyword(word).is_some_and(|(name, keyword)| name == word && keyword != Keyword::Rlm)
}

/// Whether a word we do not know was most likely meant as a keyword: capitals and underscores only.
pub(super) fn looks_like_keyword(word: &str) -> bool {
    word.len() >= 2 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// The keyword we read that is spelt most like `word`, if any is close.
pub(super) fn nearest_keyword(word: &str) -> Option<&'static str> {
    let supported =
        KEYWORDS.into_iter().filter(|(_, k)| !matches!(k, Keyword::Unsupported(_) | Keyword::Rlm));
    nearest(word, supported.map(|(name, _)| name), 2)
}

/// Whether `key` is an attribute in exactly this spelling.
pub(super) fn is_attribute(key: &str) -> bool {
    ATTRIBUTES.contains(&key)
}

/// The attribute an unknown key was probably meant as: the same in another letter case, or one slip away.
pub(super) fn nearest_attribute(key: &str) -> Option<&'static str> {
    if is_attribute(key) {
        return None;
    }
    let same = ATTRIBUTES.into_iter().find(|name| name.eq_ignore_ascii_case(key));
    // Short names are all close to each other.
    let long = ATTRIBUTES.into_iter().filter(|name| name.len() >= 5);
    same.or_else(|| nearest(key, long, 1))
}

/// The candidate with the smallest distance to `word`, at most `most`; the first of equals.
fn nearest(word: &str, candidates: impl Iterator<Item = &'static str>, most: usize) -> Option<&'static str> {
    let word: Vec<char> = word.chars().take(MAX_COMPARED_CHARACTERS + 1).collect();
    if word.len() > MAX_COMPARED_CHARACTERS {
        return None;
    }
    // Each letter of difference in length costs at least one; most candidates end here.
    let similar = candidates.filter(|name| name.len().abs_diff(word.len()) <= most);
    let measured = similar.map(|name| (distance(&word, name), name));
    measured
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters must be inserted, removed, replaced or swapped with their neighbour to turn one word
/// into the other (optimal string alignment).
fn distance(word: &[char], name: &str) -> usize {
    let name: Vec<char> = name.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=name.len()).collect();
    let mut previous_letter = None;
    for (row, letter) in word.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut left = row + 1;
        let mut previous_name_letter = None;
        for (column, name_letter) in name.iter().enumerate() {
            let at = |costs: &[usize], column: usize| costs.get(column).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&above, column) + usize::from(letter != name_letter);
            let mut cost = replaced.min(at(&above, column + 1) + 1).min(left + 1);
            if previous_letter == Some(name_letter) && previous_name_letter == Some(letter) {
                cost = cost.min(at(&before, column.wrapping_sub(1)) + 1);
            }
            current.push(cost);
            left = cost;
            previous_name_letter = Some(name_letter);
        }
        previous_letter = Some(letter);
        before = std::mem::replace(&mut above, current);
    }
    above.last().copied().unwrap_or(usize::MAX)
}
