//! What the client library says, in the words of histories.

use licensing_client::RequestError;
use licensing_core::outcome::{Answer, Denial, Outcome};

use crate::history::Told;

/// What a client was told.
pub(crate) fn told(result: Result<Answer, RequestError>) -> Told {
    match result {
        Ok(answer) => answer.into(),
        Err(error @ RequestError::Unknown { .. }) => Told::Unknown { why: error.to_string() },
        Err(RequestError::SessionLost { .. }) => Told::SessionLost,
        Err(error) => Told::NotDone { why: error.to_string() },
    }
}

/// What an answer of the servers tells.
impl From<Answer> for Told {
    fn from(Answer { index, outcome, .. }: Answer) -> Told {
        match outcome {
            Outcome::Granted { handle, .. } => Told::Granted { index, handle, with_data: None },
            Outcome::Returned { .. } => Told::Returned { index },
            Outcome::VendorDataSet { .. } => Told::DataSet { index },
            Outcome::Denied(Denial::NoFreeSeats { in_use, .. }) => Told::NoFreeSeats { index, in_use },
            Outcome::Denied(Denial::UnknownFeature { .. } | Denial::UnknownVendor { .. }) => {
                Told::NotLicensed { index }
            }
            Outcome::Denied(Denial::MoreThanLicensed { .. }) => Told::MoreThanLicensed { index },
            Outcome::Denied(Denial::NotStarted { .. }) => Told::NotStarted { index },
            Outcome::Denied(Denial::Expired { .. }) => Told::Expired { index },
            Outcome::Denied(Denial::UnknownHandle { .. }) => Told::UnknownHandle { index },
            Outcome::Denied(denial) => Told::Denied { index, why: denial.to_string() },
            other => Told::Denied { index, why: format!("{other:?}") },
        }
    }
}
