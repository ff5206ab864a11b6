//! Status pages as text: the table of `licensectl status` and the report of `lmutil lmstat`.
//!
//! Pure functions from a [`Survey`](crate::survey::Survey) and a point in time to a string; they ask nobody
//! anything. The property they keep: what users and hosts call themselves comes from clients, so control characters
//! in it never reach a terminal.

pub mod lmstat;
pub mod status;
pub mod table;
#[cfg(test)]
pub(crate) mod tests_support;

use std::borrow::Cow;

/// The text on one line and without control characters; those become `?`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        text.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
    } else {
        Cow::Borrowed(text)
    }
}

/// `1 seat`, `2 seats`: a count with its noun.
pub fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_in_a_user_name_does_not_reach_the_terminal() {
        assert_eq!(printable("ann\x1b[2J\nroot"), "ann?[2J?root");
        assert_eq!(printable("José"), "José");
    }
}
