//! Small things that everything else is made of: how ids are written and read, and which edition a server can apply.

use licensing_core::*;

#[test]
fn a_token_is_written_as_it_is_read_and_never_shown() {
    let mut bytes = [0; 16];
    (0..).zip(&mut bytes).for_each(|(place, byte)| *byte = place * 16 + 15 - place);
    let token = Token(bytes);
    assert_eq!(token.to_hex(), "0f1e2d3c4b5a69788796a5b4c3d2e1f0");
    assert_eq!(Token::from_hex(&token.to_hex()), Some(token));
    for wrong in ["", "0f", &"0".repeat(31), &"0".repeat(33), &"g".repeat(32), &"+1".repeat(16)] {
        assert_eq!(Token::from_hex(wrong), None, "{wrong}");
    }
    assert_eq!(format!("{token:?}"), "Token(secret)");
}

#[test]
fn roles_are_numbered_from_one_in_the_order_of_their_lines() {
    assert_eq!(Role::ALL.map(Role::number), [1, 2, 3]);
    assert_eq!(Role::ALL.map(Role::place), [0, 1, 2]);
    assert_eq!(
        [0, 1, 2, 3, 4].map(Role::from_number),
        [None, Some(Role::Primary), Some(Role::Secondary), Some(Role::Tertiary), None]
    );
    assert_eq!(Role::ALL.map(Role::may_serve), [true, true, false]);
    for role in Role::ALL {
        assert_eq!(role.to_string().parse(), Ok(role));
        assert!(!role.others().contains(&role));
    }
    assert!("Primary".parse::<Role>().is_err());
}

#[test]
fn a_digest_is_shown_in_hex() {
    let digest = Digest::of(b"");
    assert_eq!(digest.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(format!("{digest:?}"), format!("Digest({digest})"));
}

#[test]
fn one_is_said_without_an_s() {
    assert_eq!([0, 1, 2].map(|count| counted(count, "seat")), ["0 seats", "1 seat", "2 seats"]);
}

/// An entry that raises to less than applies is refused by the rules, and stops nobody.
#[test]
fn a_server_stops_before_an_edition_it_does_not_know_and_before_no_other() {
    let raise = |to| Proposal { at: Timestamp(0), command: Command::RaiseEdition { to } };
    let state = State::new().known_up_to(Edition(2));
    for known in [0, 1, 2] {
        assert_eq!(state.can_apply(&raise(Edition(known))), Ok(()), "edition {known}");
    }
    let unknown = UnknownEdition { needed: Edition(3), known: Edition(2) };
    assert_eq!(state.can_apply(&raise(Edition(3))), Err(unknown));
}
