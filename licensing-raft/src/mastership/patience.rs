//! Whom this server hands the mastership to only after a while: who did not take it, or did not keep it.
//!
//! A server that is heard and cannot serve, because it can dial nobody for instance, takes the mastership and loses it a lease
//! later, and so again and again. Each such handover costs the clients a lease, so the next one waits twice as long.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use licensing_core::id::Role;

use crate::time::Instant;

/// After the first handover that failed.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Whatever is wrong, it is tried so often.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Who loses the mastership again so soon, though it runs on, did not keep it. Some leases.
const KEPT: Duration = Duration::from_secs(3);

/// Who was not heard for longer was away: it lost the mastership because of that. Others are heard every
/// [`SETTLED_INTERVAL`](crate::peer::known::SETTLED_INTERVAL).
const UNBROKEN: Duration = Duration::from_millis(250);

/// See the module.
pub(crate) struct Patience {
    longest: Duration,
    unbroken: Duration,
    tries: Mutex<BTreeMap<Role, Tries>>,
}

/// What came of handing over to one server.
struct Tries {
    /// When it took the mastership last, and in which of its lives.
    taken: Option<(Instant, [u8; 16])>,
    lost: Option<Lost>,
    failed: u32,
    until: Instant,
}

/// A mastership that did not last.
#[derive(Clone, Copy)]
struct Lost {
    /// When this server led again.
    at: Instant,
    /// When it was heard last before that.
    heard: Instant,
    /// In which of its lives it had taken it.
    life: [u8; 16],
}

impl Patience {
    /// Of the server with this role. While a caretaker leads nobody is served, so it goes on trying.
    pub(crate) fn of(role: Role, lease: Duration) -> Patience {
        let longest = if role.may_serve() { LONGEST_PAUSE } else { FIRST_PAUSE };
        Patience { longest, unbroken: lease.max(UNBROKEN), tries: Mutex::default() }
    }

    /// It did not take the mastership.
    pub(crate) fn failed(&self, role: Role) {
        tries_of(&mut self.lock(), role).fail(self.longest);
    }

    /// It took the mastership, in this life of its.
    pub(crate) fn taken(&self, role: Role, boot: [u8; 16]) {
        tries_of(&mut self.lock(), role).taken = Some((Instant::now(), boot));
    }

    /// This server leads again: whoever took the mastership from it has lost it. `heard`: when a server was heard last.
    pub(crate) fn leads_again(&self, heard: impl Fn(Role) -> Option<Instant>) {
        for (role, tries) in &mut *self.lock() {
            let Some((at, life)) = tries.taken.take() else { continue };
            if at.elapsed() >= KEPT {
                tries.failed = 0;
            } else {
                let at = Instant::now();
                tries.lost = heard(*role).map(|heard| Lost { at, heard, life });
            }
        }
    }

    /// It was heard at this moment, in this life. Whoever lost the mastership and was started anew since has another judge
    /// (`Heard::is_stable`); whoever was silent meanwhile, standing still or cut off, is back.
    pub(crate) fn heard(&self, role: Role, at: Instant, boot: [u8; 16]) {
        let mut tries = self.lock();
        let Some(tries) = tries.get_mut(&role) else { return };
        if let Some(lost) = tries.lost.take_if(|lost| lost.at < at)
            && lost.life == boot
            && at.duration_since(lost.heard) <= self.unbroken
        {
            tries.fail(self.longest);
        }
    }

    /// An operator has asked for it: whatever was wrong may be mended.
    pub(crate) fn forget(&self, role: Role) {
        self.lock().remove(&role);
    }

    /// Whether it is left alone now.
    pub(crate) fn spares(&self, role: Role) -> bool {
        self.lock().get(&role).is_some_and(|tries| tries.failed > 0 && Instant::now() < tries.until)
    }

    /// What an administrator should know, once it is no matter of moments.
    pub(crate) fn remark(&self, role: Role) -> Option<String> {
        let tries = self.lock();
        let tries = tries.get(&role).filter(|tries| tries.failed > 2)?;
        let left_s = tries.until.duration_since(Instant::now()).as_secs();
        let failed = tries.failed;
        (left_s > 0).then(|| {
            format!(
                "did not keep the mastership {failed} times in a row, the next try is in {left_s} s: can it reach the other two?"
            )
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Role, Tries>> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tries {
    fn fail(&mut self, longest: Duration) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failed.min(16)).min(longest);
        self.failed = self.failed.saturating_add(1);
        self.until = Instant::now() + pause;
    }
}

fn tries_of(tries: &mut BTreeMap<Role, Tries>, role: Role) -> &mut Tries {
    tries.entry(role).or_insert_with(|| Tries { taken: None, lost: None, failed: 0, until: Instant::now() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: [u8; 16] = [1; 16];
    const NEXT_LIFE: [u8; 16] = [2; 16];
    const LEASE: Duration = Duration::from_millis(300);
    const MOMENT: Duration = Duration::from_millis(1);

    async fn pass(duration: Duration) {
        tokio::time::advance(duration).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_keep_the_mastership_is_spared_twice_as_long_each_time() {
        let patience = Patience::of(Role::Secondary, LEASE);
        let mut pauses = Vec::new();
        for _ in 0..12 {
            patience.taken(Role::Primary, LIFE);
            pass(Duration::from_millis(600)).await;
            patience.leads_again(|_| Some(Instant::now()));
            pass(MOMENT).await;
            patience.heard(Role::Primary, Instant::now(), LIFE);
            let begun = tokio::time::Instant::now();
            while patience.spares(Role::Primary) {
                pass(Duration::from_millis(100)).await;
            }
            pauses.push(begun.elapsed().as_millis() as u64);
        }
        assert_eq!(pauses[..5], [500, 1000, 2000, 4000, 8000]);
        assert_eq!(pauses[10..], [300_000, 300_000]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_kept_it_or_was_started_anew_is_not_blamed() {
        let patience = Patience::of(Role::Secondary, LEASE);
        patience.failed(Role::Primary);
        patience.failed(Role::Primary);
        assert!(patience.spares(Role::Primary) && !patience.spares(Role::Secondary));
        pass(Duration::from_secs(1)).await;
        patience.taken(Role::Primary, LIFE);
        pass(Duration::from_millis(100)).await;
        patience.leads_again(|_| Some(Instant::now()));
        // What it said before it died.
        patience.heard(Role::Primary, Instant::now(), LIFE);
        pass(MOMENT).await;
        patience.heard(Role::Primary, Instant::now(), NEXT_LIFE);
        assert!(!patience.spares(Role::Primary));
        patience.taken(Role::Primary, LIFE);
        pass(KEPT).await;
        patience.leads_again(|_| Some(Instant::now()));
        patience.failed(Role::Primary);
        pass(FIRST_PAUSE).await;
        assert!(!patience.spares(Role::Primary), "the row began anew");
    }

    #[tokio::test(start_paused = true)]
    async fn who_stood_still_is_not_blamed() {
        let patience = Patience::of(Role::Secondary, LEASE);
        patience.taken(Role::Primary, LIFE);
        let heard = Instant::now();
        pass(LEASE).await;
        patience.leads_again(|_| Some(heard));
        pass(MOMENT).await;
        patience.heard(Role::Primary, Instant::now(), LIFE);
        assert!(!patience.spares(Role::Primary));
    }

    #[tokio::test(start_paused = true)]
    async fn a_caretaker_goes_on_trying() {
        let patience = Patience::of(Role::Tertiary, LEASE);
        for _ in 0..9 {
            patience.failed(Role::Secondary);
        }
        pass(FIRST_PAUSE).await;
        assert!(!patience.spares(Role::Secondary));
    }

    #[tokio::test(start_paused = true)]
    async fn an_operator_who_asks_for_it_is_obeyed_at_once() {
        let patience = Patience::of(Role::Secondary, LEASE);
        for _ in 0..4 {
            patience.failed(Role::Primary);
        }
        let remark = patience.remark(Role::Primary).unwrap();
        assert!(remark.contains("4 times in a row, the next try is in 4 s"), "{remark}");
        patience.forget(Role::Primary);
        assert!(!patience.spares(Role::Primary) && patience.remark(Role::Primary).is_none());
    }
}
