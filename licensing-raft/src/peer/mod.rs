//! How the three servers talk to each other: who may speak ([`hello`]), in what words ([`message`]), in what frames
//! ([`frame`]), over which connections ([`link`]), in which order ([`pipeline`]) and in what time ([`under_way`]), as openraft wants to hear it
//! ([`network`]), and what is believed ([`checks`]). [`accept`] hears a peer out and [`answers`] it; [`asking`] asks, and what is [`known`]
//! of the others stays here. Knows nothing of disks.

pub(crate) mod accept;
mod answers;
pub(crate) mod asking;
pub(crate) mod checks;
mod failure;
pub(crate) mod frame;
pub(crate) mod hello;
pub(crate) mod known;
pub(crate) mod link;
pub(crate) mod message;
pub(crate) mod network;
mod news;
#[cfg(test)]
mod numbers;
pub(crate) mod pipeline;
pub(crate) mod reception;
mod under_way;
