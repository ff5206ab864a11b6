//! Compares what clients hold with what the master counts.

use licensing_client::protocol::{StatusFilter, StatusPage};
use licensing_client::{Checkout, Direct, DirectError, TcpDial};
use licensing_core::id::{Handle, Role};

use super::office::Office;
use crate::local_triad::LocalTriad;

/// What an audit found.
pub(super) struct Findings {
    pub(super) held: u64,
    pub(super) lost: u64,
    pub(super) unknown: u64,
}

impl Findings {
    pub(super) fn words(&self) -> String {
        format!(
            "audit: {} seats are held, {} of them lost, {} counted that nobody holds",
            self.held, self.lost, self.unknown
        )
    }
}

/// Compares what the clients hold with what the master counts, while nothing moves.
pub(super) async fn audit(
    triad: &LocalTriad,
    master: Role,
    office: &Office,
) -> Result<Findings, DirectError> {
    office.rest().await;
    let page = status(triad, master).await?;
    let counted: Vec<Handle> = page.checkouts.iter().map(|checkout| checkout.handle).collect();
    let held: Vec<Handle> = office.held.iter().map(Checkout::handle).collect();
    let missing = |there: &[Handle], here: &[Handle]| {
        there.iter().filter(|handle| !here.contains(handle)).count() as u64
    };
    let found = Findings {
        held: held.len() as u64,
        lost: missing(&held, &counted),
        unknown: missing(&counted, &held),
    };
    office.go_on();
    Ok(found)
}

pub(super) async fn status(triad: &LocalTriad, master: Role) -> Result<StatusPage, DirectError> {
    let mut direct = Direct::connect(&triad.address(master), &TcpDial).await?;
    direct.status_all(StatusFilter::default()).await
}
