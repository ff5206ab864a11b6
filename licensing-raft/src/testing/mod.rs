//! For simulations: disks in memory, and servers that stand still. Nodes are started with
//! [`crate::Node::start_simulated`], under a paused clock and with an [`crate::Environment`] of the simulation's own.
//!
//! For hostile input: [`wire`] reads bytes as a node reads them, [`forge`] speaks as a peer that lies.

pub mod forge;
pub mod store;
mod stream;
pub mod wire;

pub use self::stream::{Reset, SimulatedStream};
pub use crate::engine::gate::Gate;
pub use crate::engine::moments::NodeMoment;
pub use crate::engine::tasks::TaskList;
pub use crate::store::memory::{DiskHabits, DiskMoment, MemoryDisk};
