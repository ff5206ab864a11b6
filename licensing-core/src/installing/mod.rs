//! A long license on its way: its parts, and what was worked out of it beforehand.

pub(crate) mod aside;
mod prepared;
pub mod staging;
