//! What tests write themselves.

use licensing_core::license::Compiled;

/// A license that a test has written itself.
///
/// # Panics
///
/// The text has a mistake.
pub fn compiled(text: &str) -> Compiled {
    Compiled::from_text("test.lic", text).unwrap_or_else(|errors| panic!("{errors}\nin\n{text}"))
}
