//! What a server tells about the triad: who is master, to everybody at once; all it knows, to whoever asks.

mod mastership;
mod page;
mod vendor_data;
mod warnings;

pub(crate) use mastership::follow_mastership;
pub(crate) use page::make as page;
pub(crate) use vendor_data::make as vendor_data;
pub(crate) use warnings::tell as tell_warnings;
