//! What the administrators' tools call each denial: one table of FlexNet's number, RLM's number and FlexNet's text.
//!
//! Sources: FLEXnet Licensing End User Guide, error codes; RLM Reference Manual, RLM_EL codes.

use super::Denial;

impl Denial {
    /// FlexNet's number for it (FLEXnet Licensing End User Guide, error codes).
    pub fn flexnet_code(&self) -> i32 {
        self.codes().0
    }

    /// RLM's checkout status for it (RLM Reference Manual, RLM_EL codes).
    pub fn rlm_code(&self) -> i32 {
        self.codes().1
    }

    /// The text FlexNet prints for its number.
    pub fn flexnet_text(&self) -> &'static str {
        self.codes().2
    }

    fn codes(&self) -> (i32, i32, &'static str) {
        match self {
            Denial::UnknownSession { .. } => (-16, -19, "Cannot read data from license server system."),
            Denial::WrongToken { .. } => (-33, -70, "Bad encryption handshake with daemon"),
            Denial::ForgottenRequest { .. } => (-12, -16, "Invalid returned data from license server"),
            Denial::TooManyUnanswered { .. } => {
                (-23, -59, "License server temporarily busy (new server connecting)")
            }
            Denial::TooManySessions { .. } => (-106, -59, "License server out of network connections"),
            Denial::BadLicense { .. } => (-2, -26, "Invalid license file syntax"),
            Denial::InvalidParameter { .. } => (-42, -41, "Invalid parameter"),
            Denial::BadVersion { .. } => {
                (-77, -6, "Bad version number: must be floating-point number with no letters")
            }
            Denial::NoLicense => (-1, -1, "Cannot find license file"),
            Denial::UnknownFeature { .. } => (-5, -1, "No such feature exists"),
            Denial::VersionNotLicensed { .. } => {
                (-25, -6, "License server does not support this version of this feature")
            }
            Denial::NotStarted { .. } => (-31, -37, "Feature start date is in the future"),
            Denial::Expired { .. } => (-10, -3, "Feature has expired"),
            Denial::MoreThanLicensed { .. } => {
                (-26, -8, "Request for more licenses than this feature supports")
            }
            Denial::NoFreeSeats { .. } => (-4, -22, "Licensed number of users already reached"),
            Denial::UnknownHandle { .. } => (-22, -28, "Feature checkin failure detected at license server"),
            Denial::NotTheHolder { .. } => (-63, -9, "You are not a license administrator"),
            Denial::NothingToRemove { .. } => (-41, -1, "Feature was never checked out"),
            Denial::VendorDataFull { .. } => {
                (-23, -59, "License server temporarily busy (new server connecting)")
            }
            Denial::PartsMissing { .. } => (-12, -16, "Invalid returned data from license server"),
            Denial::VendorDataChanged { .. } => (-42, -41, "Invalid parameter"),
            Denial::UnknownVendor { .. } => (-97, -2, "The desired vendor daemon is down"),
        }
    }
}
