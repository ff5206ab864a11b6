//! What is looked at meanwhile: answers and the gaps between them, processors, memory, the disk, who is master.

pub mod cpu;
pub mod gaps;
pub mod limits;
pub mod memory;
pub mod memory_watch;
pub mod probe;
pub mod recovery;
pub mod snapshots;
pub mod standing;
pub mod trace;
