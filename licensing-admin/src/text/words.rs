//! Words from elsewhere, made fit for a terminal.

use std::borrow::Cow;

/// The text on one line and without control characters; those become `?`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        text.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
    } else {
        Cow::Borrowed(text)
    }
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
