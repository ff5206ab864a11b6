//! What the verbs of `licensectl` share: the flags that say where the servers are, and what an error means for the exit
//! code.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use licensing_client::{ConnectError, RequestError, SearchPath};

use crate::console::{Failure, parse_duration};
use crate::key_file;
use crate::operate::{ActError, Servers};
use crate::survey::Survey;

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

impl From<ActError> for Failure {
    fn from(error: ActError) -> Failure {
        match error {
            ActError::Session(error) => no_session(error),
            ActError::Answer(error) => no_answer(error),
            ActError::Denied(denial) => Failure::no(denial),
            ActError::Direct(error) => Failure::unknown(error),
            ActError::NotAdministrator(error) => Failure::no(error),
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

/// Why there is no master, as far as that can be seen.
pub(super) fn no_master(survey: &Survey) -> Failure {
    match &survey.page {
        None => {
            let servers: Vec<String> = survey.servers.iter().map(|server| server.name.to_string()).collect();
            let why =
                survey.first_problem().map_or_else(|| "no reason given".to_owned(), ToString::to_string);
            Failure::unknown(format!("no server of {} answers: {why}", servers.join(",")))
        }
        Some(page) if !page.quorum => Failure::unknown("no master: fewer than two servers hear each other"),
        Some(_) => Failure::unknown("no master at the moment")
            .hint("`licensectl status` shows what each server knows"),
    }
}
