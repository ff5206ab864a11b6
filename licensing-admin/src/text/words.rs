//! Words from elsewhere, made fit for a terminal.

use std::borrow::Cow;

/// The text on one line and without characters that rule a terminal; those become `?`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().any(rules_a_terminal) {
        text.chars().map(|character| if rules_a_terminal(character) { '?' } else { character }).collect()
    } else {
        Cow::Borrowed(text)
    }
}

/// Control characters, and those of Unicode that end a line or turn the direction in which the rest of it is shown.
fn rules_a_terminal(character: char) -> bool {
    let turns = matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || turns || matches!(character, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_in_a_user_name_does_not_reach_the_terminal() {
        assert_eq!(printable("ann\x1b[2J\nroot"), "ann?[2J?root");
        assert_eq!(printable("José"), "José");
    }

    #[test]
    fn a_user_name_neither_ends_a_line_nor_turns_it_round() {
        assert_eq!(printable("ann\u{202e}toor\u{202c}\u{2028}root\u{9b}2J"), "ann?toor??root?2J");
        assert_eq!(printable("\u{2066}\u{200f}\u{61c}"), "???");
        // Joiners belong to the spelling of some names.
        assert_eq!(printable("می\u{200c}خواهم"), "می\u{200c}خواهم");
    }
}
