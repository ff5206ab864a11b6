//! Client connections: hello, redirect or relay, then requests and answers until one side has enough.
//!
//! No rule of seats lives here and nothing is retried: the node decides, the client asks again.

mod connection;
mod hello;
mod relay;
pub(crate) mod replies;
mod requests;

pub(crate) use hello::serve;
