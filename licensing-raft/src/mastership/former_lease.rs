//! The lease that a server may have granted before it was started, and forgot.
//!
//! Whoever was master then may serve without asking as long as that lease lasts, so this server neither votes nor campaigns for a
//! lease's time after its start, unless it knows that no such lease can run. Its last vote, which was on its disk before any lease,
//! names the only server that can have one: earlier leases had ended, or were given up, when it gave that vote. If that server says
//! now that it does not lead, its lease is void: a leader that was started anew, or found a higher term, never leads in that term
//! again. Its word must be the answer to a question of this life. A leader that does not answer may live, and is waited for.

use std::sync::{Mutex, PoisonError};

use licensing_core::id::Role;

use crate::engine::types::Vote;

/// See the module.
pub(crate) struct FormerLease(Mutex<Holder>);

/// Who may have a lease of a former life of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    Nobody,
    This(Role),
    /// There is no vote that could tell. A triad that was founded in this life has had no leader before.
    AnyIfNotNew,
}

impl FormerLease {
    /// What follows from the vote that this server found on its disk.
    pub(crate) fn of(own: Role, vote: Option<&Vote>) -> FormerLease {
        let holder = match vote {
            None => Holder::AnyIfNotNew,
            Some(vote) => match Role::from_number(vote.leader_id.voted_for) {
                // It led by itself, or it gave a vote and nobody has led with it here.
                Some(role) if role == own || !vote.committed => Holder::Nobody,
                Some(role) => Holder::This(role),
                None => Holder::AnyIfNotNew,
            },
        };
        FormerLease(Mutex::new(holder))
    }

    /// This server has answered, in this life, that it does not lead.
    pub(crate) fn gives_up(&self, role: Role) {
        let mut holder = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *holder == Holder::This(role) {
            tracing::info!("the {role} does not lead any more: its lease of before this start is void");
            *holder = Holder::Nobody;
        }
    }

    /// Whether there may be one, which then runs for a lease's time from the start of this server at most. `is_new`: the triad was
    /// founded in this life.
    pub(crate) fn may_run(&self, is_new: bool) -> bool {
        match self.holder() {
            Holder::Nobody => false,
            Holder::This(_) => true,
            Holder::AnyIfNotNew => !is_new,
        }
    }

    /// Who has it, where that is known.
    pub(crate) fn of_whom(&self) -> Option<Role> {
        match self.holder() {
            Holder::This(role) => Some(role),
            Holder::Nobody | Holder::AnyIfNotNew => None,
        }
    }

    fn holder(&self) -> Holder {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use openraft::vote::RaftLeaderId;

    use super::*;
    use crate::engine::types::Types;

    fn vote(of: Role, committed: bool) -> Vote {
        let leader = <openraft::alias::LeaderIdOf<Types> as RaftLeaderId>::new(7, of.number());
        Vote { leader_id: leader, committed }
    }

    #[test]
    fn the_last_vote_tells_whose_lease_may_run() {
        let of = |vote: Option<Vote>| FormerLease::of(Role::Secondary, vote.as_ref()).holder();
        assert_eq!(of(None), Holder::AnyIfNotNew);
        assert_eq!(of(Some(vote(Role::Primary, true))), Holder::This(Role::Primary));
        assert_eq!(of(Some(vote(Role::Primary, false))), Holder::Nobody, "nobody led");
        assert_eq!(of(Some(vote(Role::Secondary, true))), Holder::Nobody, "it led itself");
    }

    #[test]
    fn only_its_holder_gives_a_lease_up() {
        let lease = FormerLease::of(Role::Secondary, Some(&vote(Role::Primary, true)));
        lease.gives_up(Role::Tertiary);
        assert_eq!(lease.holder(), Holder::This(Role::Primary));
        lease.gives_up(Role::Primary);
        assert_eq!(lease.holder(), Holder::Nobody);
        let unknown = FormerLease::of(Role::Secondary, None);
        unknown.gives_up(Role::Primary);
        assert_eq!(unknown.holder(), Holder::AnyIfNotNew);
    }
}
