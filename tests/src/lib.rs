//! The consistency harness, and everything that needs several parts of the product at once.
//!
//! [`cluster`] runs three nodes in this process, on sled, over a network that can be cut.

#![forbid(unsafe_code)]

pub mod cluster;
