//! The administrators' request that needs files: reading the licenses again (`lmreread`).
//!
//! The property kept: of all this, only the proposals themselves are done on the node's thread. Reading, comparing and
//! letting go of a license of many lines takes long enough to cost a master its lease.

use std::sync::Arc;

use licensing_client::license_file::LicenseFile;
use licensing_client::protocol::Reply;
use licensing_core::license::Compiled;
use licensing_core::outcome::Outcome;
use licensing_core::state::State;
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use super::difference::changes;
use crate::client_port::replies::propose_error;
use crate::server::Server;

/// Warnings of one file that are told in the answer to a reread; `licensing-server check` tells them all.
const MAX_WARNINGS: usize = 20;

/// Reads the license files again and serves what they say. All of them are read before anything is changed; what several
/// vendors' files changed is told together.
pub(crate) async fn reread(server: Arc<Server>) -> Reply {
    let whereabouts = server.whereabouts();
    if !whereabouts.is_master() {
        return Reply::NotMaster(whereabouts);
    }
    match reread_all(&server).await {
        Ok(words) => Reply::Done(words),
        Err(reply) => {
            if let Reply::Error(why) = &reply {
                warn!("a reread was refused: {why}");
            }
            reply
        }
    }
}

/// One line for each change. When a file is refused the others are served all the same, and both are told.
async fn reread_all(server: &Arc<Server>) -> Result<String, Reply> {
    // As they were before: whoever follows installs may have read the new files before this has its answers.
    let had = server.licenses();
    let mut files = Vec::with_capacity(had.len());
    for known in had {
        let reader = server.clone();
        files.push(apart(move || Ok((read(&reader, &known)?, known))).await?);
    }
    let several = files.len() > 1;
    let (mut told, mut refused) = (Vec::new(), Vec::new());
    for (file, had) in files {
        let name = if several { format!("{}: ", file.path.display()) } else { String::new() };
        match reread_one(server, file, &had).await {
            Ok(words) => told.extend(words.into_iter().map(|word| format!("{name}{word}"))),
            Err(Reply::Error(why)) => refused.push(why),
            Err(unanswered) => return Err(unanswered),
        }
    }
    if refused.is_empty() {
        return Ok(told.join("\n"));
    }
    // Why not comes first: that is what somebody has to do something about.
    Err(Reply::Error(refused.into_iter().chain(told).collect::<Vec<_>>().join("\n")))
}

/// Serves what the file says; what has changed for whom, one sentence each.
async fn reread_one(
    server: &Arc<Server>,
    file: LicenseFile,
    had: &Arc<LicenseFile>,
) -> Result<Vec<String>, Reply> {
    let before = server.node.read().await.map_err(|problem| propose_error(server, problem))?;
    let (comparer, path) = (server.clone(), file.path.display().to_string());
    let news = apart(move || Ok(compare(&comparer, file, before))).await?;
    let Some((file, before, license)) = news else { return Ok(vec!["nothing changed".to_owned()]) };
    info!("Rereading license file {path}");
    let answer = server.node.install(license).await.map_err(|problem| propose_error(server, problem))?;
    match answer.outcome {
        Outcome::Installed { .. } => {
            let (server, had) = (server.clone(), had.clone());
            apart(move || Ok(tell(&server, &had, file, &before))).await
        }
        Outcome::Denied(denial) => Err(Reply::Error(format!("{path}: {denial}"))),
        other => Err(Reply::Error(format!("unexpected answer to Install: {other:?}"))),
    }
}

/// Does this where the node is not kept from its work.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Reply> + Send + 'static,
) -> Result<T, Reply> {
    let cut_short = |error| Reply::Error(format!("reading the license file was cut short: {error}"));
    spawn_blocking(work).await.map_err(cut_short)?
}

/// The file, if these servers may serve it in the place of what it was.
fn read(server: &Server, had: &LicenseFile) -> Result<LicenseFile, Reply> {
    let file = LicenseFile::read(&had.path).map_err(|problem| Reply::Error(problem.to_string()))?;
    if !had.vendor().is_empty() && file.vendor() != had.vendor() && !file.license.servers.is_empty() {
        return Err(Reply::Error(format!(
            "{} is for vendor `{}` now, it was for `{}`: give a vendor that comes besides a file of its own (serve \
             --license); to end one, let its file be read without features first",
            file.path.display(),
            file.vendor(),
            had.vendor()
        )));
    }
    let found = file.license.triad_identity();
    if found == server.identity {
        return Ok(file);
    }
    if file.license.servers.is_empty() {
        let path = file.path.display();
        return Err(Reply::Error(format!(
            "{path} has no SERVER line: is it the license file of these servers?"
        )));
    }
    Err(Reply::Error(format!(
        "{} is for other servers ({found}), these are {}: the host ids of the SERVER lines cannot be changed while the \
         servers run",
        file.path.display(),
        server.identity
    )))
}

/// What to propose, unless it is installed already.
fn compare(server: &Server, file: LicenseFile, before: State) -> Option<(LicenseFile, State, Compiled)> {
    let license = file.compiled();
    if before.license(file.vendor()).is_some_and(|installed| *installed.compiled == license) {
        server.set_license(file);
        return None;
    }
    Some((file, before, license))
}

fn tell(server: &Server, had: &LicenseFile, file: LicenseFile, before: &State) -> Vec<String> {
    let mut words = changes(before, &server.node.state());
    if addresses(&file) != addresses(had) {
        words.push("SERVER lines changed: they count when the servers are started again".to_owned());
    }
    words.extend(file.warnings().take(MAX_WARNINGS).map(|warning| format!("warning: {warning}")));
    server.set_license(file);
    words
}

fn addresses(file: &LicenseFile) -> Vec<(&str, Option<u16>)> {
    file.license.servers.iter().map(|server| (server.host.as_str(), server.port)).collect()
}
