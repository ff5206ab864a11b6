//! Somebody who keeps looking at a server.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use licensing_client::protocol::{StatusFilter, StatusPage};
use licensing_client::{Direct, ServerAddress, TcpDial};
use licensing_core::id::{Role, Seats};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::board::Board;
use crate::history::{Count, Held, Look, Read, Recorder};

/// Between two looks at a server. Seven of them fit into what the oracle takes for unbroken.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// How long a look waits for an answer: a paused server is looked at anew when it wakes.
const LOOK_LIMIT: Duration = Duration::from_millis(300);

/// Between two questions whether a server is master.
const QUESTION_PAUSE: Duration = Duration::from_millis(50);

/// How long such a question waits for its answer: through any pause, so that a server that wakes finds questions.
const QUESTION_LIMIT: Duration = Duration::from_secs(10);

/// Somebody who looks at one server as often as that is useful.
#[derive(Clone)]
pub(super) struct Watcher {
    pub(super) role: Role,
    pub(super) address: ServerAddress,
    pub(super) recorder: Recorder,
}

impl Watcher {
    pub(super) async fn run(self, board: Arc<Board>) {
        let mut connection = None;
        loop {
            // A server that is down or paused is looked at again in a moment.
            connection = match connection.take() {
                None => Direct::connect(&self.address, &TcpDial)
                    .await
                    .ok()
                    .map(|direct| direct.with_answer_limit(LOOK_LIMIT)),
                Some(mut direct) => self.look(&mut direct, &board).await.map(|()| direct),
            };
            sleep(LOOK_PAUSE).await;
        }
    }

    async fn look(&self, direct: &mut Direct, board: &Board) -> Option<()> {
        let asked_us = self.recorder.now_us();
        let page = direct.status_all(StatusFilter::default()).await.ok()?;
        let answered_us = self.recorder.now_us();
        self.recorder.read(read(self.role, &page, asked_us, answered_us));
        board.applied[self.role.place()].store(page.applied_index.0, Ordering::SeqCst);
        Some(())
    }

    /// Asks as a load balancer does, and does not wait for one answer before it asks again.
    pub(super) async fn ask_whether_master(self) {
        let mut questions = JoinSet::new();
        loop {
            let watcher = self.clone();
            questions.spawn(async move { watcher.ask().await });
            while questions.try_join_next().is_some() {}
            sleep(QUESTION_PAUSE).await;
        }
    }

    async fn ask(&self) -> Option<()> {
        let asked_us = self.recorder.now_us();
        let asking = async {
            let mut stream = TcpStream::connect((&*self.address.host, self.address.port)).await?;
            stream.write_all(b"STATUS\r\n").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            io::Result::Ok(answer)
        };
        let answer = timeout(QUESTION_LIMIT, asking).await.ok()?.ok()?;
        let (answered_us, master) = (self.recorder.now_us(), answer.contains("(MASTER)"));
        self.recorder.look(Look { server: self.role, asked_us, answered_us, master });
        Some(())
    }
}

/// A status page as a part of a history.
pub fn read(server: Role, page: &StatusPage, asked_us: u64, answered_us: u64) -> Read {
    let count = |issued: Option<Seats>, in_use| Count { issued: issued.unwrap_or(Seats(u32::MAX)), in_use };
    let features = page.features.iter().map(|pool| (pool.name.clone(), count(pool.issued, pool.in_use)));
    let held = page.checkouts.iter().map(|checkout| Held {
        handle: checkout.handle,
        session: checkout.keeper.session().unwrap_or_default(),
        feature: checkout.feature.clone(),
        seats: checkout.count,
        data: None,
    });
    Read {
        server,
        asked_us,
        answered_us,
        master: page.master == Some(server),
        applied: page.applied_index,
        edition: Some(page.edition.0),
        features: features.collect(),
        held: held.collect(),
    }
}
