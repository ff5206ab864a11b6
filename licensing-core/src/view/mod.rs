//! Looking at the state: what status commands, metrics and the master's housekeeping read.
//!
//! Views borrow from the state and are made on demand; nothing here changes anything, and nothing here is stored.

mod checkouts;
mod pools;
mod servers;
mod sessions;
mod vendor_data;

pub use crate::pools::terms::Validity;
pub use checkouts::CheckoutView;
pub use pools::PoolView;
pub use sessions::Recalled;
