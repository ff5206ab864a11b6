//! The words a line may begin with, and guessing which one a misspelt word meant.
//!
//! The property kept: a line that was meant as a license line is never silently taken for a comment. Real
//! FlexNet takes every line without a reserved keyword for a comment, so there a typing error makes a feature
//! vanish without a word.

use crate::model::FeatureKind;
use crate::words::spelling::nearest;

/// What the first word of a line announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
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

/// The keyword `word` is, in any letter case (RLM's in capitals only), with its spelling in capitals.
pub(crate) fn keyword(word: &str) -> Option<(&'static str, Keyword)> {
    let found = KEYWORDS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.filter(|(name, keyword)| *keyword != Keyword::Rlm || *name == word)
}

/// Whether the word is a keyword in capitals that begins a line of a FlexNet file.
pub(crate) fn begins_a_line(word: &str) -> bool {
    keyword(word).is_some_and(|(name, keyword)| name == word && keyword != Keyword::Rlm)
}

/// Whether a word we do not know was most likely meant as a keyword: capitals and underscores only.
pub(crate) fn looks_like_keyword(word: &str) -> bool {
    word.len() >= 2 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// The keyword we read that is spelt most like `word`, if any is close.
pub(crate) fn nearest_keyword(word: &str) -> Option<&'static str> {
    let supported =
        KEYWORDS.into_iter().filter(|(_, k)| !matches!(k, Keyword::Unsupported(_) | Keyword::Rlm));
    nearest(word, supported.map(|(name, _)| name), 2)
}

/// Whether `key` is an attribute in exactly this spelling.
pub(crate) fn is_attribute(key: &str) -> bool {
    ATTRIBUTES.contains(&key)
}

/// The attribute an unknown key was probably meant as: the same in another letter case, or one slip away.
pub(crate) fn nearest_attribute(key: &str) -> Option<&'static str> {
    if is_attribute(key) {
        return None;
    }
    let same = ATTRIBUTES.into_iter().find(|name| name.eq_ignore_ascii_case(key));
    // Short names are all close to each other.
    let long = ATTRIBUTES.into_iter().filter(|name| name.len() >= 5);
    same.or_else(|| nearest(key, long, 1))
}
