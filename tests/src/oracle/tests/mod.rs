//! The judge is judged.

mod later;
mod licensed;
mod seats;
mod sessions;
mod vendor_data;
