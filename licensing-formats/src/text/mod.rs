//! From characters to words, and what there is to say about them. Nothing here knows what a word means.

pub(crate) mod findings;
pub(crate) mod lexer;
pub(crate) mod position;
