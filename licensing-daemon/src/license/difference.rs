//! What an administrator should know about the difference between two licenses.

use licensing_client::text::counted;
use licensing_core::id::Seats;
use licensing_core::state::State;

/// Changes named in the answer to a reread; a file with ten thousand lines must not fill the terminal.
const MAX_CHANGES: usize = 20;

/// What an administrator should know about the difference, one sentence each.
pub(super) fn changes(before: &State, after: &State) -> Vec<String> {
    let seats = |state: &State, id| state.pools().find(|pool| pool.id == id).map(|pool| pool.licensed);
    let amount = |licensed: Option<Seats>| match licensed {
        Some(seats) => counted(u64::from(seats.0), "seat"),
        None => "uncounted".to_owned(),
    };
    let mut changes = Vec::new();
    for pool in after.pools() {
        let name = format!("{} v{}", pool.feature, pool.version);
        match seats(before, pool.id) {
            None => changes.push(format!("{name}: new, {}", amount(pool.licensed))),
            Some(old) if old != pool.licensed => {
                changes.push(format!("{name}: {} instead of {}", amount(pool.licensed), amount(old)));
            }
            Some(_) => {}
        }
    }
    for pool in before.pools().filter(|pool| seats(after, pool.id).is_none()) {
        changes.push(format!("{} v{}: gone", pool.feature, pool.version));
    }
    if changes.is_empty() {
        changes.push("installed, seats unchanged".to_owned());
    }
    if changes.len() > MAX_CHANGES {
        let more = changes.len() - MAX_CHANGES;
        changes.truncate(MAX_CHANGES);
        changes.push(format!("and {}", counted(more as u64, "more change")));
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use licensing_core::command::{Command, Proposal};
    use licensing_core::id::{LogIndex, Timestamp};

    fn state(states: &[&str]) -> Vec<State> {
        let mut state = State::new();
        let install = |(index, features): (usize, &&str)| {
            let license = format!("SERVER a ANY 27001\nVENDOR demo\n{features}");
            let proposal =
                Proposal { at: Timestamp(1_790_288_165_000), command: Command::Install { license } };
            state.apply(LogIndex(index as u64 + 1), &proposal);
            state.clone()
        };
        states.iter().enumerate().map(install).collect()
    }

    #[test]
    fn a_reread_says_what_changed() {
        let states = state(&[
            "FEATURE f1 demo 1.0 permanent 10 SIGN=0\nFEATURE f2 demo 2.5 permanent 3 SIGN=0\n",
            "FEATURE f1 demo 1.0 permanent 12 SIGN=0\nFEATURE f3 demo 1.0 permanent 1 SIGN=0\n",
        ]);
        assert_eq!(
            changes(&states[0], &states[1]),
            ["f1 v1.0: 12 seats instead of 10 seats", "f3 v1.0: new, 1 seat", "f2 v2.5: gone"]
        );
        assert_eq!(changes(&states[0], &states[0]), ["installed, seats unchanged"]);
    }

    #[test]
    fn a_long_list_of_changes_is_cut() {
        let many: String =
            (0..30).map(|number| format!("FEATURE g{number} demo 1.0 permanent 1 SIGN=0\n")).collect();
        let states = state(&["FEATURE f1 demo 1.0 permanent 10 SIGN=0\n", &many]);
        let changes = changes(&states[0], &states[1]);
        assert_eq!(changes.len(), MAX_CHANGES + 1);
        assert_eq!(changes.last().unwrap(), "and 11 more changes");
    }
}
