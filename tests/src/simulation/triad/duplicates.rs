//! Late duplicates: requests that were answered are sent again, long after, to whoever is master by then. The network
//! between real clients and servers does this when connections break and clients resend; here it is done on purpose,
//! after failovers and snapshots too.

use std::sync::Arc;

use licensing_client::Direct;
use licensing_client::protocol::{Recollection, Reply, Request};
use licensing_core::outcome::{Denial, Outcome};
use tokio::time::sleep;

use super::dialing::{Dialing, listens_at};
use super::names::seen;
use super::overheard::Sniffed;
use super::parts::Triad;
use crate::simulation::network::End;
use crate::simulation::nodes::client::Way;
use crate::simulation::random::Stream;
use crate::simulation::service::{Service, Site};

/// The number among the clients of whoever sends duplicates.
const NUMBER: u32 = 999_998;

/// Sends duplicates for as long as there is trouble.
pub(super) async fn send(site: &Arc<Site<Triad>>) {
    let random = site.random("duplicates");
    let dial =
        Dialing::new(Way { network: site.network.clone(), from: End::Client(NUMBER) }, Sniffed::default());
    loop {
        sleep(random.between_us(50_000, 1_000_000)).await;
        // Mostly the master; sometimes whoever was it, and may not know better.
        let master = site.service.master(&site.servers()).filter(|_| random.chance(70));
        let master = master.unwrap_or_else(|| {
            let roles = site.service.roles();
            roles[random.below(roles.len().min(2) as u64) as usize]
        });
        let Some((request, first)) = site.service.duplicates.any(&random) else { continue };
        let Ok(mut direct) = Direct::connect(&listens_at(master), &dial).await else { continue };
        if random.chance(40) {
            recall(site, &random, &mut direct).await;
            continue;
        }
        let Ok(Reply::Answer(again)) = direct.request(request.clone()).await else { continue };
        match &again.outcome {
            _ if again == first => site.count(seen::REPEATED),
            Outcome::Denied(Denial::ForgottenRequest { .. } | Denial::UnknownSession { .. }) => {
                site.count(seen::FORGOTTEN);
            }
            _ => site.fail(
                "a repeated request gets its first answer, or none",
                format!("{request:?}: first {first:?}, then {again:?}"),
            ),
        }
    }
}

/// Asks what became of a request that was answered before the question was put: whoever answers knows.
async fn recall(site: &Site<Triad>, random: &Stream, direct: &mut Direct) {
    let newest = site.service.duplicates.newest();
    let exchange = if random.chance(70) { newest } else { site.service.duplicates.any(random) };
    let Some((Request::Call { session, token, request, .. }, first)) = exchange else { return };
    let Ok(Reply::Recalled(recalled)) = direct.request(Request::Recall { session, token, request }).await
    else {
        return;
    };
    match recalled {
        Recollection::Answered(answer) if answer == first => site.count(seen::RECALLED),
        Recollection::Forgotten | Recollection::NoSession => {}
        other => site.fail(
            "whoever serves knows what was answered before it was asked",
            format!("{request} of session {session}: {first:?}, recalled as {other:?}"),
        ),
    }
}
