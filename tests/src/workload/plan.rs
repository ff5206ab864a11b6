//! What the clients of a run are to do.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use licensing_core::id::Seats;

use super::choices::Choices;

/// Set to repeat the choices of a run.
const SEED_VARIABLE: &str = "LICENSING_SEED";

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Name of the test.
    pub test: &'static str,
    /// Where all choices come from.
    pub seed: u64,
    /// How many clients.
    pub clients: u32,
    /// Most checkouts a client holds at a time.
    pub most_held: usize,
    /// Most seats a client takes at once.
    pub most_seats: u64,
    /// Seats of each feature, as in the license file.
    pub licensed: BTreeMap<String, Seats>,
}

impl Plan {
    /// Eight clients who want more than the default license of a triad has. Tells the line that repeats it.
    pub fn new(test: &'static str) -> Plan {
        let given = std::env::var(SEED_VARIABLE).ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().hash_one(test));
        let plan = Plan {
            test,
            seed,
            clients: 8,
            most_held: 3,
            most_seats: 2,
            licensed: [("f1", 10), ("f2", 3)].map(|(name, seats)| (name.to_owned(), Seats(seats))).into(),
        };
        // Shown when the test fails.
        eprintln!("the same work again: {}", plan.replay_line());
        plan
    }

    /// What repeats the work of this plan.
    pub fn replay_line(&self) -> String {
        let own = std::env::current_exe().ok();
        let binary = own.as_deref().and_then(|path| path.file_stem()?.to_str()?.rsplit_once('-'));
        let binary = binary.map_or("…", |(name, _)| name);
        format!("{SEED_VARIABLE}={} cargo test -p licensing-tests --test {binary} {}", self.seed, self.test)
    }

    /// Choices for whoever disturbs the work.
    pub fn choices(&self) -> Choices {
        Choices::new(self.seed, 0)
    }
}
