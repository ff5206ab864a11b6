//! Programs that speak as others have spoken for twenty years.

pub mod lmutil;
