//! The reference server as a service under test, alone or three of them, in one version or two.

mod client;
mod counting;
mod dialing;
mod duplicates;
mod kind;
mod licenses;
pub mod names;
mod operator;
mod overheard;
mod pages;
mod parts;
mod relicensing;
mod sceptics;
mod served;
mod strangers;
mod undone;

pub use client::TriadClient;
pub use kind::Kind;
pub use parts::{Server, Triad};
