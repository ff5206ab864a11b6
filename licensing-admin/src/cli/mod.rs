//! `licensectl`: one verb a file. Flags in, words and exit codes out; what is done stands in [`operate`](crate::operate).

pub mod licensectl;

mod checkin;
mod checkout;
mod down;
mod failover;
mod health;
mod maintenance;
mod primary;
mod remove;
mod reread;
mod servers;
mod status;
mod upgrade;
mod vendor_data;
