//! A library to preload (`LD_PRELOAD`) into a program whose data must survive power cuts. It stands between the program
//! and the kernel, and writes down, in order, everything the program does to one directory tree: what it creates,
//! writes, cuts, renames, removes and syncs, and the notes the program makes in between. From such a recording the
//! disk of any instant can be built, with or without what had only been written and not been synced.
//!
//! | variable | meaning |
//! |---|---|
//! | `DISK_RECORDER_ROOT` | absolute path of the tree; without it the library does nothing |
//! | `DISK_RECORDER_LOG` | file of the recording, begun anew; without it nothing is recorded |
//! | `DISK_RECORDER_FAIL` | `write:N:ERRNO` or `sync:N:ERRNO`: from the N-th on (1 is the first), all of them fail |
//!
//! Syncs in the tree are recorded and *not* carried out: nobody cuts the power of the machine the tests run on, and
//! without them thousands of cuts take seconds. A failing write with `ENOSPC` writes half of its bytes first, as a disk
//! that fills up does.
//!
//! A program makes a note by removing a file in [`format::NOTES`], a directory that does not exist; the call succeeds
//! only under the recorder, so a program can tell whether it is being recorded.
//!
//! Paths must be absolute. What is not intercepted (memory maps, `fallocate`, duplicated descriptors, directory
//! handles) would be missing in the recording; whoever uses it compares the end of the recording with the directory.

// Replacing functions of the C library is what this package is for. It is the only one that may.
#![allow(unsafe_code)]

#[allow(dead_code, reason = "the reading half is used where recordings are replayed")]
pub mod format;
#[cfg(target_os = "linux")]
mod hooks;
#[cfg(target_os = "linux")]
mod recorder;
