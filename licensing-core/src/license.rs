//! What a license file says: [`licensing_formats`], under the name the rules of seats use for it.

pub use licensing_formats::*;
