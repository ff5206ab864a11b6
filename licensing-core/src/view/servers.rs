//! Where the state stands, and what operators decided about servers.

use crate::edition::Edition;
use crate::id::{LogIndex, Role, Timestamp};
use crate::state::State;

impl State {
    /// The edition of the rules that is applied.
    pub fn edition(&self) -> Edition {
        self.edition
    }

    /// Whether an operator holds the edition.
    pub fn edition_held(&self) -> bool {
        self.edition_held
    }

    /// The latest time seen in a proposal: the time on which expiry is judged.
    pub fn clock(&self) -> Timestamp {
        self.clock
    }

    /// Index of the last entry applied; 0 before the first.
    pub fn last_index(&self) -> LogIndex {
        self.last_index
    }

    /// The operator's choice of a master; `None` leaves it to the rules.
    pub fn preferred_master(&self) -> Option<Role> {
        self.preferred
    }

    /// Whether the operator keeps this server from being master.
    pub fn in_maintenance(&self, role: Role) -> bool {
        self.maintenance.get(role.place()).copied().unwrap_or(false)
    }
}
