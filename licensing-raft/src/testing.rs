//! For simulations: disks in memory. Nodes are started on them with [`crate::Node::start_simulated`], under a paused
//! clock and with an [`crate::Environment`] of the simulation's own.

pub use crate::store::memory::{DiskHabits, MemoryDisk};
