//! What goes wrong in a run, drawn from its seed.

use std::time::Duration;

use licensing_core::id::Role;

use super::random::Stream;
use super::world::World;

/// How often each kind of fault happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultCounts {
    /// Servers that died and lost what they had not synced.
    pub crashes: u64,
    /// All three at once.
    pub blackouts: u64,
    /// Servers cut off from both others.
    pub isolations: u64,
    /// Links between two servers cut, one way or both.
    pub cuts: u64,
    /// Disks that were replaced by empty ones.
    pub wipes: u64,
}

impl FaultCounts {
    /// Adds those of another run.
    pub fn add(&mut self, other: &FaultCounts) {
        self.crashes += other.crashes;
        self.blackouts += other.blackouts;
        self.isolations += other.isolations;
        self.cuts += other.cuts;
        self.wipes += other.wipes;
    }
}

/// Makes trouble until `until` has passed.
pub(crate) async fn trouble(world: &mut World, random: &Stream, until: Duration) {
    while world.elapsed() < until {
        tokio::time::sleep(random.between_us(300_000, 3_000_000)).await;
        let role = Role::ALL[random.below(3) as usize];
        let duration = random.between_us(20_000, 2_500_000);
        match random.below(100) {
            0..35 => {
                world.counts.crashes += 1;
                world.crash(role).await;
                tokio::time::sleep(duration).await;
                world.start(role).await;
            }
            35..42 => {
                world.counts.blackouts += 1;
                for role in Role::ALL {
                    world.crash(role).await;
                }
                tokio::time::sleep(duration).await;
                for role in Role::ALL {
                    world.start(role).await;
                }
            }
            42..70 => {
                world.counts.isolations += 1;
                for other in role.others() {
                    world.network.change_cuts(|cuts| cuts.extend([(role, other), (other, role)]));
                }
                tokio::time::sleep(duration).await;
                world.network.change_cuts(|cuts| cuts.clear());
            }
            70..90 => {
                world.counts.cuts += 1;
                let other = role.others()[random.below(2) as usize];
                let both = random.chance(50);
                world.network.change_cuts(|cuts| {
                    cuts.insert((role, other));
                    if both {
                        cuts.insert((other, role));
                    }
                });
                tokio::time::sleep(duration).await;
                world.network.change_cuts(|cuts| cuts.clear());
            }
            _ => {
                // One at a time: two lost disks at once are two lost copies of three, which nothing survives.
                if world.all_members() {
                    world.counts.wipes += 1;
                    world.crash(role).await;
                    world.wipe(role);
                    tokio::time::sleep(duration).await;
                    world.start(role).await;
                }
            }
        }
    }
}
