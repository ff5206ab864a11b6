//! openraft and tokio as this crate uses them. Knows no seats and no node.

pub(crate) mod failure;
#[cfg(feature = "testing")]
pub(crate) mod gate;
pub(crate) mod looks;
#[cfg_attr(not(feature = "testing"), expect(unreachable_pub, reason = "simulations use it too"))]
pub(crate) mod moments;
pub(crate) mod runtime;
pub(crate) mod settings;
#[cfg_attr(not(feature = "testing"), expect(unreachable_pub, reason = "simulations use it too"))]
pub(crate) mod tasks;
pub(crate) mod thread;
pub(crate) mod types;
pub mod watch;
