//! `licensectl status` and `licensectl primary`.

use jiff::tz::TimeZone;
use licensing_client::protocol::StatusFilter;

use super::servers::{Servers, without_checkouts};
use super::{Failure, put, put_json};
use crate::exit::Exit;
use crate::render;
use crate::survey::{Survey, host_and_port};

pub(super) async fn status(servers: &Servers, json: bool) -> Result<Exit, Failure> {
    let survey = servers.survey(&StatusFilter::default()).await;
    if json {
        put_json(&render::status::json(&survey))?;
    } else {
        put(&render::status::text(&survey, &TimeZone::system()))?;
    }
    Ok(if survey.page.is_some() { Exit::Done } else { Exit::Unknown })
}

pub(super) async fn primary(servers: &Servers) -> Result<Exit, Failure> {
    let survey = servers.survey(&without_checkouts()).await;
    let Some(master) = survey.master() else { return Err(no_master(&survey)) };
    put(&format!("{}\n", host_and_port(&master.name)))?;
    Ok(Exit::Done)
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
