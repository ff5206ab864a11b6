//! Power cuts, broken disks and damaged files, on the real store.
//!
//! A program ([`work`]) carries out a [`plan`] on the real store while a preloaded library (`tests/disk-recorder`) records
//! what it does to its disk and what it acknowledges. From the recording the [`disk`] is built as a power cut may have
//! left it at any instant; a second program ([`inspect`]) opens it as a server would, and the [`judge`] compares what it
//! finds with the plan. Nothing here knows how the store keeps its promises, only what they are.

pub mod cut;
pub mod damage;
pub mod disk;
#[path = "../../disk-recorder/src/format.rs"]
pub mod format;
pub mod image;
pub mod inspect;
pub mod instants;
pub mod judge;
pub mod outline;
pub mod plan;
pub mod run;
pub mod work;
