//! Carries out a plan on the real store, and notes in the recording what is asked of it and what it acknowledges.

use std::future::Future;
use std::io;
use std::path::Path;

use licensing_core::id::Role;
use licensing_core::license::License;
use licensing_raft::NodeConfig;
use licensing_raft::testing::store::RealStore;
use tokio::task::JoinSet;

use super::format::NOTES;
use super::plan::{Plan, Step};

/// The configuration of the server whose store is tested.
pub(crate) fn config(directory: &Path) -> NodeConfig {
    let text =
        "SERVER 127.0.0.1 ANY 27001\nSERVER 127.0.0.1 ANY 27002\nSERVER 127.0.0.1 ANY 27003\nVENDOR demo\n";
    let license = License::parse(text).expect("a license");
    NodeConfig::from_license(&license, Role::Primary, directory).expect("a configuration")
}

/// Writes a line into the recording. Fails when this process is not recorded.
fn note(text: &str) -> io::Result<()> {
    std::fs::remove_file(format!("{NOTES}{text}"))
}

/// Carries out `plan` in `directory`, until its end or the first error, as a node would.
///
/// # Errors
///
/// The error the store reported; or the process is not recorded, which would make the run worthless.
pub async fn carry_out(plan: &Plan, directory: &Path) -> io::Result<()> {
    note("begun")?;
    let mut worker = Worker { directory, store: None, waiting: JoinSet::new() };
    let done = worker.run(plan).await;
    match &done {
        // What fails after this, in the last stop, has nobody left to be told.
        Ok(()) => note("finished")?,
        Err(error) => note(&format!("stopped: {error}"))?,
    }
    done
}

struct Worker<'a> {
    directory: &'a Path,
    /// `None` before the first opening, and between closing and opening.
    store: Option<RealStore>,
    waiting: JoinSet<io::Result<()>>,
}

/// Opens the store on a thread of its own, as a node does: sled panics when it cannot sync what it is about to give up.
pub(crate) async fn open(
    directory: &Path,
    on_failure: impl Fn(String) + Clone + Send + 'static,
) -> io::Result<RealStore> {
    let config = config(directory);
    let opening = tokio::task::spawn_blocking(move || RealStore::open_with_small_files(&config, on_failure));
    opening.await.map_err(io::Error::other)?.map_err(io::Error::other)
}

impl Worker<'_> {
    async fn run(&mut self, plan: &Plan) -> io::Result<()> {
        self.reopen().await?;
        for (number, step) in plan.steps.iter().enumerate() {
            note(&format!("asked {number}"))?;
            self.step(number, step).await?;
        }
        self.reopen().await
    }

    fn store(&mut self) -> &mut RealStore {
        self.store.as_mut().expect("the store is open between steps")
    }

    async fn step(&mut self, number: usize, step: &Step) -> io::Result<()> {
        let store = self.store();
        match step {
            Step::Join => store.become_member()?,
            Step::Vote { term, server, elected } => store.vote(*term, *server, *elected).await?,
            Step::Append(entries) => {
                let waiting = store.append(entries.clone()).await?;
                self.waiting.spawn(acknowledge(number, waiting.durable()));
                return Ok(());
            }
            Step::Truncate(last) => store.truncate_after(*last).await?,
            Step::Commit(upto) => store.commit(*upto).await?,
            Step::Snapshot => store.snapshot().await?,
            Step::Install { last, state } => store.install(*last, state.clone()).await?,
            // Nobody waits for it, so nothing is acknowledged.
            Step::Purge(upto) => return store.purge(*upto).await,
            Step::Settle => self.settle().await?,
            Step::Reopen => self.reopen().await?,
        }
        note(&format!("done {number}"))
    }

    async fn settle(&mut self) -> io::Result<()> {
        while let Some(done) = self.waiting.join_next().await {
            done.map_err(io::Error::other)??;
        }
        Ok(())
    }

    async fn reopen(&mut self) -> io::Result<()> {
        self.settle().await?;
        if let Some(store) = self.store.take() {
            store.close();
        }
        // The recorder is there, or the plan would not have begun.
        let report = |why: String| drop(note(&format!("reported: {why}")));
        self.store.insert(open(self.directory, report).await?).start().await
    }
}

async fn acknowledge(number: usize, durable: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    durable.await?;
    note(&format!("done {number}"))
}
