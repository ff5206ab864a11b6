//! What all formats of a state need for their long sequences.

use std::fmt;

use serde::{Serialize, Serializer};

/// Writes a sequence from an iterator. The iterator must know its exact length.
pub(super) struct Each<F>(pub(super) F);

impl<F, I> Serialize for Each<F>
where
    F: Fn() -> I,
    I: ExactSizeIterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// An id may only follow a smaller one: otherwise the bytes were not canonical, or an entry stood there twice.
pub(super) fn ascending<Id: Ord + fmt::Display>(last: Option<Id>, next: Id) -> Result<(), String> {
    match last {
        Some(last) if last >= next => Err(format!("{next} stands after {last}")),
        _ => Ok(()),
    }
}
