//! What this version speaks to its peers and writes to its disk, by number. What each release spoke and wrote stands in
//! `docs/releases.md`.

pub use crate::peer::message::PEER_PROTOCOLS;
pub use crate::store::directory::FORMAT as DIRECTORY_FORMAT;
pub use crate::store::record::RECORD_VERSION as RECORD_FORMAT;
pub use crate::store::shelf::VERSION as SNAPSHOT_FORMAT;
