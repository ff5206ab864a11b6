//! The servers a command is about: how to look at them, how to ask one of them, how to ask for an action.

use std::time::Duration;

use licensing_client::protocol::StatusFilter;
use licensing_client::{
    AdminKey, Client, ClientConfig, ConnectError, Direct, DirectError, RequestError, SearchPath,
    ServerAddress, TcpDial,
};
use licensing_core::command::Action;
use licensing_core::outcome::{Answer, Denial, Outcome};

use crate::survey::{Survey, ask};

/// The servers a command is about.
#[derive(Debug)]
pub struct Servers {
    /// Where they are.
    pub path: SearchPath,
    /// What proves that an administrator asks, when this is another machine.
    pub admin_key: Option<AdminKey>,
    /// How long to look for an answer.
    pub timeout: Duration,
}

/// Why something was not done, or is not known to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActError {
    /// No session could be opened.
    #[error(transparent)]
    Session(ConnectError),
    /// The session got no favourable answer.
    #[error(transparent)]
    Answer(RequestError),
    /// The servers said no.
    #[error("{0}")]
    Denied(Denial),
    /// One server could not be asked.
    #[error(transparent)]
    Direct(DirectError),
    /// One server does not take the admin key.
    #[error(transparent)]
    NotAdministrator(DirectError),
}

/// All pools, no checkouts: for commands that want to know about servers.
pub fn without_checkouts() -> StatusFilter {
    StatusFilter { feature: None, without_checkouts: true }
}

impl Servers {
    /// The picture of the first site of the search path that answers, or of the first one if none does.
    pub async fn survey(&self, filter: &StatusFilter) -> Survey {
        let mut first = None;
        for site in self.path.sites() {
            let survey = ask::site(site, filter, self.timeout).await;
            if survey.page.is_some() {
                return survey;
            }
            first.get_or_insert(survey);
        }
        first.unwrap_or_else(|| Survey::merge(&[]))
    }

    /// A connection to one server, as administrator when there is a key.
    pub async fn direct(&self, server: &ServerAddress) -> Result<Direct, ActError> {
        let mut direct = Direct::connect(server, &TcpDial).await.map_err(ActError::Direct)?;
        direct = direct.with_answer_limit(self.timeout);
        if let Some(key) = &self.admin_key {
            direct.authenticate(key).await.map_err(ActError::NotAdministrator)?;
        }
        Ok(direct)
    }

    /// What a session needs to know.
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new(self.path.clone());
        config.reconnect_timeout = self.timeout;
        config.connect_timeout = self.timeout;
        config.software = concat!("licensectl ", env!("CARGO_PKG_VERSION")).to_owned();
        config.admin_key.clone_from(&self.admin_key);
        config
    }

    /// Asks for one action in a session of its own.
    pub async fn act(&self, action: Action) -> Result<Answer, ActError> {
        let client = Client::connect(self.client_config()).await.map_err(ActError::Session)?;
        let answer = client.call(action).await;
        // The answer is what counts; a session that was not closed ends by itself.
        drop(client.close().await);
        let answer = answer.map_err(ActError::Answer)?;
        match answer.outcome {
            Outcome::Denied(denial) => Err(ActError::Denied(denial)),
            _ => Ok(answer),
        }
    }
}
