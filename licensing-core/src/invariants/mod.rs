//! What is true of every state, as named claims, and the one checker of them all.
//!
//! [`check`] is run after every step by tests of every kind and, in release, at start and when a snapshot is
//! installed. It recomputes what the state keeps ready (counters, indexes) from what it stores, so a mistake in
//! keeping them up to date cannot hide. It walks everything: about a second for a million checkouts.

mod ensure;
mod log;
mod pools;
mod seats;
mod sessions;
mod vendor_data;

use crate::state::State;

/// A state that cannot be: a bug in this crate, or bytes that are not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not true that {claim}: {detail}")]
#[non_exhaustive]
pub struct Violation {
    /// What should be true.
    pub claim: &'static str,
    /// Where it is not.
    pub detail: String,
}

type Claim = fn(&State) -> Result<(), String>;

const CLAIMS: [(&str, Claim); 19] = [
    (
        "every pool counts exactly the seats that are out",
        seats::every_pool_counts_exactly_the_seats_that_are_out,
    ),
    ("no pool gives more than licensed", seats::no_pool_gives_more_than_licensed),
    ("every licensed pool is listed once", pools::every_licensed_pool_is_listed_once),
    ("every pool belongs to a vendor that is served", pools::every_pool_belongs_to_a_vendor_that_is_served),
    ("all licenses are for the same servers", pools::all_licenses_are_for_the_same_servers),
    ("what is on its way is within its limits", pools::what_is_on_its_way_is_within_its_limits),
    ("no pool outlives its license and its seats", pools::no_pool_outlives_its_license_and_its_seats),
    ("every checkout holds at least one seat", seats::every_checkout_holds_at_least_one_seat),
    ("every session that keeps seats lives", seats::every_session_that_keeps_seats_lives),
    ("every held index is a checkout", seats::every_held_index_is_a_checkout),
    ("handles and sessions come from the log", log::handles_and_sessions_come_from_the_log),
    ("nothing happened after the clock", log::nothing_happened_after_the_clock),
    ("tokens name their session", sessions::tokens_name_their_session),
    ("there are not more sessions than allowed", sessions::there_are_not_more_sessions_than_allowed),
    ("no session keeps more than 64 answers", sessions::no_session_keeps_more_than_64_answers),
    ("every kept answer is unacknowledged", sessions::every_kept_answer_is_unacknowledged),
    ("vendor data belongs to what is there", vendor_data::vendor_data_belongs_to_what_is_there),
    (
        "vendor data is counted and within its limits",
        vendor_data::vendor_data_is_counted_and_within_its_limits,
    ),
    ("the triad's data comes from the log", vendor_data::the_triads_data_comes_from_the_log),
];

/// Checks every claim.
///
/// # Errors
///
/// The first claim that is not true, with the place where it is not.
pub fn check(state: &State) -> Result<(), Violation> {
    for (claim, holds) in CLAIMS {
        holds(state).map_err(|detail| Violation { claim, detail })?;
    }
    Ok(())
}
