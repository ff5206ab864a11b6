//! Who holds which seats, and what keeps them out.

mod checkout;

pub(crate) use checkout::Checkout;
pub use checkout::Keeper;
