//! Who should be master: one pure decision, evaluated by whichever server leads.
//!
//! The rules are those of three-server redundancy (FLEXnet License Administration Guide, chapter 6): the primary
//! with PRIMARY_IS_MASTER, otherwise whoever is master stays; the tertiary never. An operator's choice goes first.

use crate::id::Role;

/// What the deciding server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MastershipView {
    /// PRIMARY_IS_MASTER stands on the first SERVER line.
    pub primary_is_master: bool,
    /// The operator's choice (`failover --to`).
    pub preferred: Option<Role>,
    /// Who is master now; the tertiary here means that it leads as caretaker, and nobody serves.
    pub current: Option<Role>,
    /// What is known of the primary and of the secondary, by [`Role::place`]. The tertiary is never eligible.
    pub candidates: [Candidate; 2],
}

/// What is known of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Candidate {
    /// It was heard from within two heartbeats (the deciding server itself always was).
    pub reachable: bool,
    /// Its log is close enough to the tip that a handover takes milliseconds.
    pub caught_up: bool,
    /// It has been up long enough since its last fall not to be a revolving door.
    pub stable: bool,
    /// The operator keeps it from being master while another server can be.
    pub in_maintenance: bool,
}

impl Candidate {
    /// Whether it can be master now.
    pub fn is_eligible(&self) -> bool {
        self.is_able() && !self.in_maintenance
    }

    /// Whether nothing but an operator's wish keeps it from being master.
    fn is_able(&self) -> bool {
        self.reachable && self.caught_up && self.stable
    }
}

/// The server that should be master; `None` when neither the primary nor the secondary can be. The first rule that
/// fits decides:
///
/// 1. the operator's choice, if eligible;
/// 2. the primary, if PRIMARY_IS_MASTER and eligible;
/// 3. the current master, if eligible;
/// 4. the primary, else the secondary, if eligible;
/// 5. the current master, else the primary, else the secondary, if maintenance is all that keeps it from being eligible: it
///    ends by a master's decision, so without this rule nobody could end it, and nobody would be served.
pub fn desired_master(view: &MastershipView) -> Option<Role> {
    let first = |wishes: &[Option<Role>], can: fn(&Candidate) -> bool| {
        let mut wishes = wishes.iter().copied().flatten();
        wishes.find(|role| view.candidates.get(role.place()).is_some_and(can))
    };
    let pinned = view.primary_is_master.then_some(Role::Primary);
    let otherwise = [view.current, Some(Role::Primary), Some(Role::Secondary)];
    first(&[view.preferred, pinned], Candidate::is_eligible)
        .or_else(|| first(&otherwise, Candidate::is_eligible))
        .or_else(|| first(&otherwise, Candidate::is_able))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line of the table: pinned?, operator's choice, current master, candidate of primary and secondary, answer.
    /// Roles by their first letter, `-` for none; candidates: `e` eligible, or the one thing that is wrong:
    /// `r` not reachable, `l` lagging, `u` unstable, `m` in maintenance.
    fn check(line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let role = |word: &str| match word {
            "p" => Some(Role::Primary),
            "s" => Some(Role::Secondary),
            "t" => Some(Role::Tertiary),
            "-" => None,
            other => panic!("unknown role {other} in `{line}`"),
        };
        let candidate = |word: &str| Candidate {
            reachable: word != "r",
            caught_up: word != "l",
            stable: word != "u",
            in_maintenance: word == "m",
        };
        let view = MastershipView {
            primary_is_master: words[0] == "pinned",
            preferred: role(words[1]),
            current: role(words[2]),
            candidates: [candidate(words[3]), candidate(words[4])],
        };
        assert_eq!(desired_master(&view), role(words[6]), "{line}");
    }

    #[test]
    fn the_first_rule_that_fits_names_the_master() {
        for line in [
            // everybody well: PRIMARY_IS_MASTER pulls it back, without it the master stays
            "pinned - s e e -> p",
            "sticky - s e e -> s",
            "sticky - p e e -> p",
            // nobody is master yet, or only a caretaker leads
            "sticky - - e e -> p",
            "sticky - - r e -> s",
            "pinned - t e e -> p",
            "pinned - t r e -> s",
            "sticky - t l e -> s",
            // each single thing that is wrong with the primary keeps it from being master
            "pinned - s r e -> s",
            "pinned - s l e -> s",
            "pinned - s u e -> s",
            "pinned - s m e -> s",
            "sticky - p m e -> s",
            // and with the secondary
            "sticky - s e r -> p",
            "sticky - s e m -> p",
            // the operator goes first, as long as the choice can be master
            "pinned s p e e -> s",
            "pinned s p e r -> p",
            "pinned s p e m -> p",
            "sticky p s e e -> p",
            "sticky p s u e -> s",
            // the tertiary is nobody's choice
            "pinned t p e e -> p",
            "sticky t s e e -> s",
            "sticky - t r r -> -",
            "sticky - t u l -> -",
            // maintenance does not keep the only one there from being master
            "sticky - t m l -> p",
            "pinned - t r m -> s",
            "pinned - p m m -> p",
            "pinned - s m m -> s",
            "pinned p s m m -> s",
            "pinned - t m m -> p",
            "pinned - - r r -> -",
        ] {
            check(line);
        }
    }
}
