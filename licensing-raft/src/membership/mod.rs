//! How a server becomes a full member of its triad, and what it may do until then.

pub(crate) mod admission;
pub(crate) mod bootstrap;
pub(crate) mod readmission;
pub(crate) mod returned;
pub(crate) mod standing;
pub(crate) mod upgrade;
