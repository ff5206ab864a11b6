//! What an administrator does, on three real processes: the programs of three packages together.

mod lmutil;
mod operate;
mod seats;
mod support;
