//! What the verbs of `licensectl` share: where the servers are, how to ask one of them, how to open a session.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use licensing_client::protocol::StatusFilter;
use licensing_client::{
    AdminKey, Client, ClientConfig, ConnectError, Direct, RequestError, SearchPath, ServerAddress, TcpDial,
};
use licensing_core::command::Action;
use licensing_core::outcome::{Answer, Outcome};

use super::{Failure, parse_duration};
use crate::key_file;
use crate::survey::{Survey, ask};

#[derive(Debug, Args)]
#[command(next_help_heading = "Which servers")]
pub(super) struct ServerArgs {
    /// License search path: port@host,port@host,port@host for a triad [default: LM_LICENSE_FILE, else RLM_LICENSE]
    #[arg(short = 'c', long, value_name = "LIST", global = true)]
    search_path: Option<SearchPath>,
    /// Key the servers were started with, for administrative requests from other machines
    #[arg(long, value_name = "FILE", global = true)]
    admin_key: Option<PathBuf>,
    /// How long to look for an answer
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "10s", global = true)]
    timeout: Duration,
}

/// The servers a command is about.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) path: SearchPath,
    pub(super) admin_key: Option<AdminKey>,
    pub(super) timeout: Duration,
}

impl ServerArgs {
    pub(super) fn resolve(self) -> Result<Servers, Failure> {
        let path = match self.search_path {
            Some(path) => path,
            None => SearchPath::from_env(None).map_err(|error| {
                Failure::unknown(error).hint("name the servers with -c 27001@host1,27001@host2,27001@host3")
            })?,
        };
        let admin_key = self.admin_key.as_deref().map(key_file::read_admin_key).transpose();
        Ok(Servers { path, admin_key: admin_key.map_err(Failure::unknown)?, timeout: self.timeout })
    }
}

/// All pools, no checkouts: for commands that want to know about servers.
pub(super) fn without_checkouts() -> StatusFilter {
    StatusFilter { feature: None, without_checkouts: true }
}

impl Servers {
    /// The picture of the first site of the search path that answers, or of the first one if none does.
    pub(super) async fn survey(&self, filter: &StatusFilter) -> Survey {
        let mut first = None;
        for site in self.path.sites() {
            let survey = ask::survey(site.servers(), filter, self.timeout).await;
            if survey.page.is_some() {
                return survey;
            }
            first.get_or_insert(survey);
        }
        first.unwrap_or_else(|| Survey::merge(&[]))
    }

    /// A connection to one server, as administrator when there is a key.
    pub(super) async fn direct(&self, server: &ServerAddress) -> Result<Direct, Failure> {
        let mut direct = Direct::connect(server, &TcpDial).await.map_err(Failure::unknown)?;
        direct = direct.with_answer_limit(self.timeout);
        if let Some(key) = &self.admin_key {
            direct.authenticate(key).await.map_err(Failure::no)?;
        }
        Ok(direct)
    }

    /// What a session needs to know.
    pub(super) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new(self.path.clone());
        config.reconnect_timeout = self.timeout;
        config.connect_timeout = self.timeout;
        config.software = concat!("licensectl ", env!("CARGO_PKG_VERSION")).to_owned();
        config.admin_key.clone_from(&self.admin_key);
        config
    }

    /// Asks for one action in a session of its own.
    pub(super) async fn act(&self, action: Action) -> Result<Answer, Failure> {
        let client = Client::connect(self.client_config()).await.map_err(no_session)?;
        let answer = client.call(action).await;
        // The answer is what counts; a session that was not closed ends by itself.
        drop(client.close().await);
        let answer = answer.map_err(no_answer)?;
        match answer.outcome {
            Outcome::Denied(denial) => Err(Failure::no(denial)),
            _ => Ok(answer),
        }
    }
}

/// Why there is no session, and what that means for the exit code.
pub(super) fn no_session(error: ConnectError) -> Failure {
    match error {
        ConnectError::Denied(_) | ConnectError::Refused { .. } => Failure::no(error),
        ConnectError::NoMaster { .. } => {
            Failure::unknown(error).hint("`licensectl status` shows what each server knows")
        }
        error => Failure::unknown(error),
    }
}

/// Why there is no answer, and what that means for the exit code.
pub(super) fn no_answer(error: RequestError) -> Failure {
    match error {
        RequestError::Denied(_) | RequestError::Refused { .. } => Failure::no(error),
        error => Failure::unknown(error),
    }
}
