//! What is licensed changes in the middle of a run: another license comes, with fewer seats, more, or without a feature; a day ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use licensing_core::id::Seats;
use licensing_core::outcome::{Answer, Outcome};
use licensing_raft::ProposeError;
use tokio::time::sleep;

use super::licenses;
use super::names::seen;
use super::operator::serving;
use super::parts::Triad;
use crate::history::{Kind, Told};
use crate::simulation::service::Site;
use crate::written::compiled;

/// The number among the clients of whoever installs licenses of the first vendor: one after the other, so that the judge knows their
/// order.
const NUMBER: u32 = 999_996;

/// Installs licenses for as long as there is trouble.
pub(super) async fn work(site: &Arc<Site<Triad>>) {
    let random = site.random("licenses");
    loop {
        sleep(random.between_us(500_000, 6_000_000)).await;
        let (third, seats) = (1 + random.below(5) as u32, Seats(random.below(6) as u32));
        if let Some(node) = serving(site) {
            let licensed = BTreeMap::from([(licenses::CHANGING.to_owned(), seats)]);
            let asked = site.recorder.invoke(NUMBER, Kind::Relicense { licensed });
            let answer = node.install(compiled(&licenses::first(site.service.kind, third, seats))).await;
            let told = match answer {
                Ok(Answer { index, outcome: Outcome::Installed { .. }, .. }) => Told::Installed { index },
                Ok(Answer { index, outcome, .. }) => Told::Denied { index, why: format!("{outcome:?}") },
                Err(error @ ProposeError::Unknown(_)) => Told::Unknown { why: error.to_string() },
                Err(error) => Told::NotDone { why: error.to_string() },
            };
            if matches!(told, Told::Installed { .. }) {
                site.count(seen::REREAD);
                site.count(match seats {
                    Seats(0) => seen::TAKEN_OUT,
                    seats if seats < licenses::AT_FIRST => seen::FEWER,
                    _ => seen::MORE,
                });
            }
            site.recorder.complete(asked, told);
        }
    }
}
