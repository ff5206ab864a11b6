//! The administrators' request that needs files: reading the license again (`lmreread`).
//!
//! The property kept: of all this, only the proposal itself is done on the node's thread. Reading, comparing and letting go
//! of a license of many lines takes long enough to cost a master its lease.

use std::path::Path;
use std::sync::Arc;

use licensing_client::license_file::LicenseFile;
use licensing_client::protocol::Reply;
use licensing_core::license::Compiled;
use licensing_core::outcome::Outcome;
use licensing_core::state::State;
use tokio::task::spawn_blocking;
use tracing::info;

use super::difference::changes;
use crate::client_port::replies::propose_error;
use crate::server::Server;

/// Reads the license file again and serves what it says.
pub(crate) async fn reread(server: Arc<Server>) -> Reply {
    let standing = server.standing();
    if !standing.is_master() {
        return Reply::NotMaster(standing);
    }
    // As it was before: whoever follows installs may have read the new file before this has its answer.
    let had = server.license();
    let (path, reader) = (had.path.clone(), server.clone());
    let file = match apart(move || read(&reader, &path)).await {
        Ok(file) => file,
        Err(refusal) => return refusal,
    };
    let before = match server.node.read().await {
        Ok(state) => state,
        Err(problem) => return propose_error(&server, problem),
    };
    let comparer = server.clone();
    let (file, before, license) = match apart(move || compare(&comparer, file, before)).await {
        Ok(news) => news,
        Err(reply) => return reply,
    };
    info!("Rereading license file {}", file.path.display());
    let answer = match server.node.install(license).await {
        Ok(answer) => answer,
        Err(problem) => return propose_error(&server, problem),
    };
    match answer.outcome {
        Outcome::Installed { .. } => {
            let told = apart(move || Ok(tell(&server, &had, file, &before))).await;
            told.map_or_else(|refusal| refusal, |words| Reply::Done(words.join("\n")))
        }
        Outcome::Denied(denial) => Reply::Error(denial.to_string()),
        other => Reply::Error(format!("unexpected answer to Install: {other:?}")),
    }
}

/// Does this where the node is not kept from its work.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Reply> + Send + 'static,
) -> Result<T, Reply> {
    let cut_short = |error| Reply::Error(format!("reading the license file was cut short: {error}"));
    spawn_blocking(work).await.map_err(cut_short)?
}

/// The file, if this triad may serve it.
fn read(server: &Server, path: &Path) -> Result<LicenseFile, Reply> {
    let file = LicenseFile::read(path).map_err(|problem| Reply::Error(problem.to_string()))?;
    let found = file.license.triad_identity();
    if found == server.identity {
        return Ok(file);
    }
    Err(Reply::Error(format!(
        "{} is for another triad ({found}), this is {}: the host ids of the SERVER lines cannot be changed \
         while the servers run",
        file.path.display(),
        server.identity
    )))
}

/// What to propose, unless it is installed already.
fn compare(
    server: &Server,
    file: LicenseFile,
    before: State,
) -> Result<(LicenseFile, State, Compiled), Reply> {
    let license = file.compiled();
    if before.license(file.vendor()).is_some_and(|installed| *installed.compiled == license) {
        server.set_license(file);
        return Err(Reply::Done("nothing changed".to_owned()));
    }
    Ok((file, before, license))
}

/// What has changed for whom, one sentence each.
fn tell(server: &Server, had: &LicenseFile, file: LicenseFile, before: &State) -> Vec<String> {
    let mut words = changes(before, &server.node.state());
    if addresses(&file) != addresses(had) {
        words.push("SERVER lines changed: they count when the servers are started again".to_owned());
    }
    server.set_license(file);
    words
}

fn addresses(file: &LicenseFile) -> Vec<(&str, Option<u16>)> {
    file.license.servers.iter().map(|server| (server.host.as_str(), server.port)).collect()
}
