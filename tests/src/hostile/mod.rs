//! Whoever does not keep to the rules: peers that lie, clients that send rubbish, disks that return it.
//!
//! [`targets`] are plain functions that take bytes and assert what must hold of any bytes; [`samples`] are the valid
//! ones that [`mutate`] damages. The fuzzer (`tests/fuzz`) and the bounded tests (`tests/hostile/inputs.rs`) call the
//! same functions. [`triad`] is three nodes over real TCP for a hostile peer to talk to, [`tap`] sits on the wire between
//! two of them, [`flood`] sends malformed frames to a real server.

pub mod flood;
pub mod mutate;
pub mod samples;
pub mod tap;
pub mod targets;
pub mod triad;
