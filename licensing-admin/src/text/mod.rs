//! Status pages as text: the table of `licensectl status` and the report of `lmutil lmstat`.
//!
//! Pure functions from a [`Survey`](crate::survey::Survey) and a point in time to a string; they ask nobody
//! anything. The property they keep: what users and hosts call themselves comes from clients, so control characters
//! in it never reach a terminal.

pub mod lmstat;
pub mod status;
pub mod table;
#[cfg(test)]
pub(crate) mod tests_support;
pub mod words;
