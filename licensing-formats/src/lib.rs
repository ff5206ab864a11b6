//! License files: from text to one model, with errors that say what to write instead.
//!
//! The front door is [`License::parse`]. It reads the FlexNet dialect (SERVER, VENDOR, DAEMON, USE_SERVER,
//! FEATURE and INCREMENT lines) and returns either the whole [`License`] or every error it found, each with
//! line and column. The property kept here: the same text gives the same result on every machine, in time
//! linear in its length, and no text makes the parser panic. It never reads a file, never looks at a clock
//! (an expired license parses like any other) and never verifies a signature.
//!
//! ```
//! use licensing_formats::{Count, License};
//!
//! let license = License::parse(
//!     "SERVER alpha ANY 27000\n\
//!      VENDOR acme\n\
//!      INCREMENT solver acme 2.1 31-dec-2099 5 SIGN=0123456789AB\n",
//! )
//! .unwrap();
//! assert_eq!(license.features[0].count, Count::Counted(5));
//!
//! let errors = License::parse("SERVR alpha ANY 27000\n").unwrap_err();
//! assert_eq!(
//!     errors.to_string(),
//!     "1:1: `SERVR` is not a license file keyword, write SERVER, or start the line with # if it is a comment"
//! );
//! ```

#![forbid(unsafe_code)]
// A file may say anything: what cannot be read is reported, never asserted.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::float_arithmetic
    )
)]

// From characters to words.
mod text;
pub mod words;

// What a file says, whichever dialect it was written in.
pub mod model;

// What is served, as data.
mod compiled;

// The dialects.
mod flexnet;

pub use compiled::{Compiled, SourceFile};
pub use flexnet::{MAX_FEATURE_LINES, MAX_FILE_BYTES};
pub use model::{
    Count, DEFAULT_SORT, FeatureKind, FeatureLine, HeartbeatInterval, License, ServerLine, TriadIdentity,
    VendorLine,
};
pub use text::findings::{Diagnostic, LicenseError, LicenseErrors, MAX_ERRORS, MAX_WARNINGS};
pub use text::lexer::MAX_LOGICAL_LINE_BYTES;
pub use words::{
    Date, DateError, Expiry, HostId, HostIdError, MAX_VERSION_CHARACTERS, Version, VersionError,
};
