//! How results are told: tables, pictures, targets, and the conditions below them.

pub mod conditions;
pub mod output;
pub mod plot;
pub mod targets;
