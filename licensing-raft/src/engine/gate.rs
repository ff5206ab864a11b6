//! Servers that stand still.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use tracing::Span;

use crate::engine::moments::NodeMoment;
use crate::time::HostPace;

/// Lets a simulated server stand still, as SIGSTOP or a suspended virtual machine does: while the gate is closed, no task
/// behind it takes a step, though time passes and bytes arrive. Clones are the same gate, open at first.
#[derive(Clone)]
pub struct Gate {
    waiting: Arc<Mutex<Waiting>>,
    /// Around each step of what is behind the gate.
    span: Span,
    /// How fast the clock of the host runs.
    pace: HostPace,
    /// Hears what the nodes behind the gate begin.
    noticing: Option<Noticing>,
}

type Noticing = Arc<dyn Fn(NodeMoment) + Send + Sync>;

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

/// A gate without a span.
impl Default for Gate {
    fn default() -> Gate {
        Gate::new(Span::none())
    }
}

#[derive(Debug, Default)]
struct Waiting {
    closed: bool,
    /// In the order in which they came.
    tasks: Vec<Waker>,
}

impl Gate {
    /// A gate; what is behind it logs in this span, so that servers can be told apart.
    pub fn new(span: Span) -> Gate {
        Gate { waiting: Arc::default(), span, pace: HostPace::default(), noticing: None }
    }

    /// The same on a host whose monotonic clock counts so many thousandths of a second while a second passes.
    pub fn at_pace(self, pace: u32) -> Gate {
        Gate { pace: HostPace(pace), ..self }
    }

    /// The same, and `notice` hears what nodes behind it begin.
    pub fn noticing(self, notice: impl Fn(NodeMoment) + Send + Sync + 'static) -> Gate {
        Gate { noticing: Some(Arc::new(notice)), ..self }
    }

    pub(crate) fn notice(&self, moment: NodeMoment) {
        if let Some(notice) = &self.noticing {
            notice(moment);
        }
    }

    /// Whatever is behind the gate stops where it is.
    pub fn close(&self) {
        self.lock().closed = true;
    }

    /// Whatever is behind the gate goes on, in the order in which it would have liked to.
    pub fn open(&self) {
        let tasks = {
            let mut waiting = self.lock();
            waiting.closed = false;
            std::mem::take(&mut waiting.tasks)
        };
        tasks.into_iter().for_each(Waker::wake);
    }

    /// Whether what is behind the gate stands still.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Puts a future behind the gate.
    pub async fn behind<F: Future>(self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            let mut waiting = self.lock();
            if waiting.closed {
                if !waiting.tasks.iter().any(|task| task.will_wake(context.waker())) {
                    waiting.tasks.push(context.waker().clone());
                }
                return Poll::Pending;
            }
            drop(waiting);
            let _in_span = self.span.enter();
            self.pace.step(|| future.as_mut().poll(context))
        })
        .await
    }

    /// Lets a future take its steps by the clock of the host, whether or not the gate is open.
    pub(crate) async fn by_its_clock<F: Future>(self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| self.pace.step(|| future.as_mut().poll(context))).await
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_closed_gate_holds_everything_up_and_an_open_one_nothing() {
        let gate = Gate::default();
        let task = tokio::spawn(gate.clone().behind(async {
            sleep(Duration::from_millis(10)).await;
            "done"
        }));
        gate.close();
        let mut task = pin!(task);
        assert!(timeout(Duration::from_secs(3600), task.as_mut()).await.is_err());
        gate.open();
        assert_eq!(task.await.unwrap(), "done");
    }
}
