//! What is known of the three servers, for whoever asks.

pub(crate) mod advance;
pub(crate) mod counts;
pub mod health;
pub(crate) mod metrics;
pub(crate) mod watchdog;
