//! Somebody who wants to see everything, page by page: what is told is what the server has, however small its pages are.

use std::collections::BTreeMap;

use licensing_client::Direct;
use licensing_client::protocol::{CheckoutStatus, StatusFilter, StatusPage, VendorDataPage};
use licensing_core::id::{Handle, Role};
use licensing_core::state::State;

use super::dialing::{Dialing, OPERATOR, listens_at};
use super::names::{claim, seen};
use super::overheard::Sniffed;
use super::parts::Triad;
use crate::simulation::network::End;
use crate::simulation::nodes::client::Way;
use crate::simulation::service::Site;

/// How often to try for a moment in which nothing changes while the pages are asked for.
const TRIES: usize = 8;

/// Asks one server for all it knows, and compares that with its state.
pub(super) async fn look(site: &Site<Triad>, role: Role) {
    let way = Way { network: site.network.clone(), from: End::Client(OPERATOR) };
    let dial = Dialing::new(way, Sniffed::default());
    let Ok(mut direct) = Direct::connect(&listens_at(role), &dial).await else { return };
    for _ in 0..TRIES {
        let Some(server) = site.awake(role) else { return };
        let before = server.node().state();
        let Ok(page) = direct.status_all(StatusFilter::default()).await else { return };
        let Ok(data) = direct.vendor_data_all().await else { return };
        let again = site.awake(role).map(|server| server.node().look(State::last_index));
        if again != Some(before.last_index()) {
            continue;
        }
        site.count(seen::PAGES);
        if let Err(problem) = tells_all(&page, &before).and_then(|()| tells_all_data(&data, &before)) {
            site.fail(
                claim::PAGES_TELL_ALL,
                format!("the {role} at entry {}: {problem}", before.last_index()),
            );
        }
        return;
    }
}

fn tells_all(page: &StatusPage, state: &State) -> Result<(), String> {
    let pools: Vec<_> = page.features.iter().map(|pool| (pool.pool, pool.in_use)).collect();
    let expected: Vec<_> = state.pools().map(|pool| (pool.id, pool.in_use)).collect();
    same("pools", &pools, &expected)?;
    let told = |one: &CheckoutStatus| (one.handle, one.count, one.user.clone());
    let checkouts: Vec<_> = page.checkouts.iter().map(told).collect();
    let expected: Vec<_> =
        state.checkouts().map(|one| (one.handle, one.seats, one.holder.identity.user.clone())).collect();
    same("checkouts", &checkouts, &expected)?;
    same("what is left", &page.more, &None)
}

fn tells_all_data(page: &VendorDataPage, state: &State) -> Result<(), String> {
    let expected = state.checkouts().filter(|one| !one.vendor_data.is_empty());
    let expected: BTreeMap<Handle, Vec<u8>> =
        expected.map(|one| (one.handle, one.vendor_data.to_vec())).collect();
    same("data of checkouts", &page.checkouts.iter().cloned().collect(), &expected)?;
    let triad: Vec<_> = page.triad.iter().map(|value| (value.key.as_str(), value.value.as_slice())).collect();
    same("data of the triad", &triad, &state.triad_data().map(|(key, value, _)| (key, value)).collect())?;
    same("what is left of data", &page.more, &None)
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, told: &T, expected: &T) -> Result<(), String> {
    if told == expected {
        Ok(())
    } else {
        Err(format!("{what} are told as {told:?}, there are {expected:?}"))
    }
}
