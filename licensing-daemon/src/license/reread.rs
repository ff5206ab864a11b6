//! The administrators' request that needs files: reading the license again (`lmreread`).

use licensing_client::license_file::LicenseFile;
use licensing_client::protocol::Reply;
use licensing_core::command::Command;
use licensing_core::outcome::Outcome;
use tracing::info;

use super::difference::changes;
use crate::client_port::replies::propose_error;
use crate::server::Server;

/// Reads the license file again and serves what it says (`lmreread`).
pub(crate) async fn reread(server: &Server) -> Reply {
    let standing = server.standing();
    if !standing.is_master() {
        return Reply::NotMaster(standing);
    }
    let path = server.license().path.clone();
    let read = tokio::task::spawn_blocking(move || LicenseFile::read(&path)).await;
    let file = match read {
        Ok(Ok(file)) => file,
        Ok(Err(problem)) => return Reply::Error(problem.to_string()),
        Err(problem) => return Reply::Error(format!("reading the license file was cut short: {problem}")),
    };
    let found = file.license.triad_identity();
    if found != server.identity {
        return Reply::Error(format!(
            "{} is for another triad ({found}), this is {}: the host ids of the SERVER lines and the vendor cannot be \
             changed while the servers run",
            file.path.display(),
            server.identity
        ));
    }
    let before = match server.node.read().await {
        Ok(state) => state,
        Err(problem) => return propose_error(server, problem),
    };
    if before.license().is_some_and(|installed| *installed.text == *file.text) {
        server.set_license(file);
        return Reply::Done("nothing changed".to_owned());
    }
    info!("Rereading license file {}", file.path.display());
    match server.node.propose(Command::Install { license: file.text.clone() }).await {
        Err(problem) => propose_error(server, problem),
        Ok(answer) => match answer.outcome {
            Outcome::Installed { .. } => {
                let mut words = changes(&before, &server.node.state());
                if addresses(&file) != addresses(&server.license()) {
                    words.push(
                        "SERVER lines changed: they count when the servers are started again".to_owned(),
                    );
                }
                server.set_license(file);
                Reply::Done(words.join("\n"))
            }
            Outcome::Denied(denial) => Reply::Error(denial.to_string()),
            other => Reply::Error(format!("unexpected answer to Install: {other:?}")),
        },
    }
}

fn addresses(file: &LicenseFile) -> Vec<(&str, Option<u16>)> {
    file.license.servers.iter().map(|server| (server.host.as_str(), server.port)).collect()
}
