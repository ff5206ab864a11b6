//! Asking peers what they know, again and again.

use std::sync::Arc;
use std::time::Duration;

use licensing_core::id::Role;

use crate::peer::checks;
use crate::peer::known::{ANSWER_TTL, SETTLED_INTERVAL, UNSETTLED_INTERVAL};
use crate::peer::message::{PeerReply, PeerRequest};
use crate::peer::network::CHUNK_TTL;
use crate::shared::Shared;
use crate::time::Instant;

/// Asks a peer what it knows, again and again.
pub(crate) async fn survey(shared: Arc<Shared>, role: Role) {
    loop {
        ask(&shared, role).await;
        let settled = shared.standing.read().may_vote()
            && shared.survey.fresh(role).is_none_or(|heard| heard.report.standing.may_vote());
        crate::time::sleep(if settled { SETTLED_INTERVAL } else { UNSETTLED_INTERVAL }).await;
    }
}

/// Between two words on the lane of snapshots: a host that vanished without one is noticed a few seconds later.
const KEPT_INTERVAL: Duration = Duration::from_secs(1);

/// Keeps the lane on which hardly anything is said. When this process is killed, no answer lies unread there, as it may on the
/// others: so its system ends this one in good order, and the peer knows at once (`mastership::evidence`).
pub(crate) async fn keep_quiet_lane(shared: Arc<Shared>, role: Role) {
    let Some(links) = shared.networks.links(role) else { return };
    loop {
        let asked = links.snapshot.call(PeerRequest::Survey(shared.report()), CHUNK_TTL).await;
        drop(asked);
        crate::time::sleep(KEPT_INTERVAL).await;
    }
}

/// Asks a peer once, and takes note of what it says.
pub(crate) async fn ask(shared: &Shared, role: Role) {
    let Some(links) = shared.networks.links(role) else { return };
    let asked_at = Instant::now();
    let reply = links.control.call(PeerRequest::Survey(shared.report()), ANSWER_TTL).await;
    if let Ok(PeerReply::Survey(report)) = reply
        && checks::report(role, &report).is_ok()
    {
        if !report.leads {
            shared.former_lease.gives_up(role);
        }
        // The peer read its clock about half-way between question and answer.
        shared.survey.note(report, asked_at.elapsed() / 2);
    }
}
