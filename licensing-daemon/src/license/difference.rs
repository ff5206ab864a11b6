//! What an administrator should know about the difference between two licenses.

use std::collections::BTreeMap;

use licensing_core::counted;
use licensing_core::id::{PoolId, Seats};
use licensing_core::state::State;
use licensing_core::view::PoolView;

/// Changes named in the answer to a reread; a file with ten thousand lines must not fill the terminal.
const MAX_CHANGES: usize = 20;

/// What an administrator should know about the difference, one sentence each. Takes as long as the two have pools.
pub(super) fn changes(before: &State, after: &State) -> Vec<String> {
    let mut words = Words::default();
    let mut gone: BTreeMap<PoolId, PoolView<'_>> = before.pools().map(|pool| (pool.id, pool)).collect();
    for pool in after.pools() {
        match gone.remove(&pool.id) {
            None => words.say(|| format!("{}: new, {}", name(&pool), amount(pool.licensed))),
            Some(old) if old.licensed != pool.licensed => words.say(|| {
                format!("{}: {} instead of {}", name(&pool), amount(pool.licensed), amount(old.licensed))
            }),
            Some(_) => {}
        }
    }
    // In the order of the old file.
    for pool in before.pools().filter(|pool| gone.contains_key(&pool.id)) {
        words.say(|| format!("{}: gone", name(&pool)));
    }
    words.finish()
}

fn name(pool: &PoolView<'_>) -> String {
    format!("{} v{}", pool.feature, pool.version)
}

fn amount(licensed: Option<Seats>) -> String {
    licensed.map_or_else(|| "uncounted".to_owned(), |seats| counted(u64::from(seats.0), "seat"))
}

/// The first sentences, and how many more there would be.
#[derive(Default)]
struct Words {
    said: Vec<String>,
    more: u64,
}

impl Words {
    fn say(&mut self, sentence: impl FnOnce() -> String) {
        if self.said.len() < MAX_CHANGES {
            self.said.push(sentence());
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self) -> Vec<String> {
        if self.said.is_empty() {
            self.said.push("installed, seats unchanged".to_owned());
        }
        if self.more > 0 {
            self.said.push(format!("and {}", counted(self.more, "more change")));
        }
        self.said
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use licensing_core::command::{Command, Proposal};
    use licensing_core::id::{LogIndex, Timestamp};
    use licensing_core::license::Compiled;

    fn state(states: &[&str]) -> Vec<State> {
        let mut state = State::new();
        let install = |(index, features): (usize, &&str)| {
            let license = format!("SERVER a ANY 27001\nVENDOR demo\n{features}");
            let license = Compiled::from_text("demo.lic", &license).unwrap();
            let command = Command::Install(license.into());
            let proposal = Proposal { at: Timestamp(1_790_288_165_000), command };
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

    /// Compared pair by pair, ten thousand lines took close to a minute here.
    #[test]
    fn ten_thousand_pools_are_compared_at_once() {
        let file = |seats: u32| -> String {
            (0..10_000)
                .map(|number| format!("FEATURE g{number} demo 1.0 permanent {seats} SIGN=0\n"))
                .collect()
        };
        let states = state(&[&file(1), &file(2)]);
        let begun = std::time::Instant::now();
        let changes = changes(&states[0], &states[1]);
        assert_eq!(changes[0], "g0 v1.0: 2 seats instead of 1 seat");
        assert_eq!(changes.last().unwrap(), "and 9980 more changes");
        assert!(begun.elapsed() < std::time::Duration::from_secs(2), "it took {:?}", begun.elapsed());
    }
}
