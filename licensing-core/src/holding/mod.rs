//! Who holds which seats.

mod checkout;

pub(crate) use checkout::Checkout;
