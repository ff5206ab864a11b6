//! What the clients of a run did and what they were told, and what every server showed meanwhile: enough to judge the
//! run without having been there, today or a year from now.
//!
//! A history is text, one JSON object a line: first [`About`] with the format's version, then [`Operation`]s, [`Read`]s,
//! [`Look`]s, [`Date`]s and [`Vanished`] clients in any order. Times are microseconds of one monotonic clock. An operation is written down
//! when it is invoked, so that one whose client dies is in the history as unknown, never left out.

mod about;
mod operation;
mod recorder;
mod shown;
mod text;
pub mod vendor_data;

pub use about::{About, Later, Line, VERSION};
pub use operation::{Kind, Operation, Told};
pub use recorder::{Recorder, UnderWay};
pub use shown::{Count, Date, Held, Look, Read, Vanished};
pub use text::{History, HistoryError};
