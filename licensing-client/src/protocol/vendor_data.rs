//! Vendor data, as one server tells it.

use licensing_core::id::{Handle, LogIndex, SessionId};
use serde::{Deserialize, Serialize};

use super::request::DataPlace;

/// A page of the vendor data one server has applied. Only the first page tells the triad's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VendorDataPage {
    /// The triad's own, by key.
    pub triad: Vec<TriadValue>,
    /// What sessions have, by their names.
    pub sessions: Vec<(SessionId, Vec<u8>)>,
    /// What checkouts have, by handle.
    pub checkouts: Vec<(Handle, Vec<u8>)>,
    /// Ask again with this for the rest.
    pub more: Option<DataPlace>,
}

/// A key of the triad's own vendor data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriadValue {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: Vec<u8>,
    /// The log entry that set it.
    pub set_at: LogIndex,
}
