//! `licensectl status`.

use jiff::tz::TimeZone;
use licensing_client::protocol::StatusFilter;

use crate::console::{Failure, put, put_json};
use crate::exit::Exit;
use crate::operate::Servers;
use crate::text;

pub(super) async fn status(servers: &Servers, json: bool) -> Result<Exit, Failure> {
    let survey = servers.survey(&StatusFilter::default()).await;
    if json {
        put_json(&text::status::json(&survey))?;
    } else {
        put(&text::status::text(&survey, &TimeZone::system()))?;
    }
    Ok(if survey.page.is_some() { Exit::Done } else { Exit::Unknown })
}
