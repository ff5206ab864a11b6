//! A client of the reference server: the real library, over the simulated network.

use licensing_client::Client as LicensingClient;
use licensing_core::command::Action;
use licensing_core::id::SessionId;

use crate::history::{Kind, Told};
use crate::simulation::service::Client;
use crate::workload::told;

/// The real client library, over the simulated network.
#[derive(Clone)]
pub struct TriadClient {
    pub(super) client: LicensingClient,
}

impl Client for TriadClient {
    fn session(&self) -> Option<SessionId> {
        Some(self.client.session())
    }

    async fn ask(&mut self, kind: &Kind) -> Told {
        let action = match kind {
            Kind::Checkout { feature, seats } => Action::Checkout {
                vendor: None,
                feature: feature.clone(),
                version: "1.0".to_owned(),
                seats: *seats,
            },
            Kind::Checkin { handle } => Action::Checkin { handle: *handle, owner: None },
            Kind::Open | Kind::Remove { .. } => {
                return Told::NotDone { why: "clients do not ask for that".to_owned() };
            }
        };
        told(self.client.call(action).await)
    }
}
