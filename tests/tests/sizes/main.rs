//! The real sizes. Simulations make every limit small, so that what a size decides happens in every run; here are the
//! numbers as they are, and what they do to each other. No test judges a time; figures are printed.
//!
//! | limit | where | value | reached by |
//! |---|---|---|---|
//! | bytes of state in a chunk | raft `pieces.rs` | 1 MiB | `snapshots`: seven chunks, and a state of full chunks only |
//! | bytes of entries in a request | raft `pieces.rs` | 2 MiB | `batches`: to the byte, one below, one above |
//! | bytes of a proposal | raft `propose.rs` | 1 MiB | `batches`: to the byte, one above; `frames`: by a client |
//! | bytes of a journal file | raft `store/journal.rs` | 1 MiB | `batches`: entries longer than a file are read back |
//! | bytes of a peer's frame, of its hello | raft `peer/{frame,hello}.rs` | 4 MiB, 16 KiB | `frames`: to the byte, one above |
//! | proposals under way | raft `start.rs` | 2,048 | `crowd`: the last, the next |
//! | sessions ended by an entry | raft `pieces.rs` | 1,024 | `crowd`: 5,000 at once |
//! | bytes of a client's frame, of its hello | client `protocol`, daemon `client_port/hello.rs` | 1 MiB, 4 KiB | `frames`: to the byte, one above |
//! | rows and bytes of a page | daemon `config.rs` | 2,000, 256 KiB | `pages`: full of rows, of vendor data; `names`: full of bytes; `licenses`: of pools |
//! | connections | daemon `config.rs` | 20,000 | `connections`: the last, the next |
//! | bytes of a name | core `command/identity.rs` | 256 | `names`: to the byte, one above |
//! | characters of a version | formats `words/version.rs` | 31 | `names` |
//! | vendor data of one, of the triad | core `vendor_data.rs` | 1 KiB, 256 KiB | `pages`: to the byte, one above |
//! | vendor data of all | core `vendor_data.rs` | 64 MiB | `licensing-core/tests/vendor_data.rs` |
//! | sessions | core `session.rs` | 200,000 | `state`: the last, the next |
//! | bytes of a part, of a license on its way | core `command`, `installing/staging.rs` | 256 KiB, 64 MiB | `state`, `licenses`: to the byte, one above |
//! | bytes and lines of a license file | formats `flexnet` | 16 MiB, 200,000 | `licenses`; one above: `licensing-formats/tests/flexnet_table.rs` |
//! | pools | core `pools/layout.rs` | 100,000 | `licenses`: the last, the next |
//! | bytes of a decoded message, of a snapshot | core `codec.rs` | 5 MiB, 1 GiB | `batches`, `licenses`: what is sent decodes; a GiB is out of reach |
//!
//! Not here, because they are reached where they are: unanswered requests of a session (core tables), what waits in a client
//! (client `session/tests`), connections that have not said what they are (`licensing-daemon/tests/port.rs`), the search path.

mod batches;
mod connections;
mod crowd;
mod frames;
mod licenses;
mod names;
mod pages;
mod snapshots;
mod state;
mod support;
