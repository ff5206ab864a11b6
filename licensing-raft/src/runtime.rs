//! The runtime openraft runs on: tokio, behind a type of our own, so that a simulation can put its own spawning,
//! watching and randomness here without a fork or a compiler flag.
//!
//! Every task openraft starts is entered in the task list of the node it belongs to (see [`NodeTasks`]), so that a
//! stopped or killed node leaves nothing running behind.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openraft::{AsyncRuntime, OptionalSend};
use tokio::task::AbortHandle;

type Tokio = openraft_rt_tokio::TokioRuntime;

tokio::task_local! {
    static TASKS: NodeTasks;
}

/// The tasks of one node. Cloned handles share the list.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeTasks(Arc<Mutex<Vec<AbortHandle>>>);

impl NodeTasks {
    /// Runs a future as part of this node: what it spawns through [`spawn`] belongs to the node.
    pub(crate) fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> {
        TASKS.scope(self.clone(), future)
    }

    /// Starts a task of this node.
    pub(crate) fn spawn<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = tokio::spawn(TASKS.scope(self.clone(), future));
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The list is swept when it has doubled, so that it stays as long as there are living tasks.
        if tasks.len() == tasks.capacity() {
            tasks.retain(|task| !task.is_finished());
        }
        tasks.push(task.abort_handle());
        task
    }

    /// Ends all tasks of this node where they stand, and returns once none of them runs any more.
    pub(crate) async fn end(&self) {
        loop {
            let tasks: Vec<AbortHandle> =
                std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
            // A task may have started another before it ended: look until there are none.
            if tasks.is_empty() {
                return;
            }
            for task in &tasks {
                task.abort();
            }
            for task in tasks {
                while !task.is_finished() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
    }
}

/// Starts a task of the node the caller belongs to; outside of any node, a plain task.
pub(crate) fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match TASKS.try_with(NodeTasks::clone) {
        Ok(tasks) => tasks.spawn(future),
        Err(_) => tokio::spawn(future),
    }
}

/// openraft's view of the runtime.
#[derive(Debug)]
pub(crate) struct NodeRuntime(Tokio);

impl AsyncRuntime for NodeRuntime {
    type JoinError = tokio::task::JoinError;
    type JoinHandle<T: OptionalSend + 'static> = tokio::task::JoinHandle<T>;
    type Sleep = tokio::time::Sleep;
    type Instant = openraft_rt_tokio::TokioInstant;
    type TimeoutError = tokio::time::error::Elapsed;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = tokio::time::Timeout<T>;
    type ThreadLocalRng = <Tokio as AsyncRuntime>::ThreadLocalRng;
    type Mpsc = <Tokio as AsyncRuntime>::Mpsc;
    type Watch = <Tokio as AsyncRuntime>::Watch;
    type Oneshot = <Tokio as AsyncRuntime>::Oneshot;
    type Mutex<T: OptionalSend + 'static> = <Tokio as AsyncRuntime>::Mutex<T>;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        spawn(future)
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        Tokio::sleep(duration)
    }

    fn sleep_until(deadline: Self::Instant) -> Self::Sleep {
        Tokio::sleep_until(deadline)
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(
        duration: Duration,
        future: F,
    ) -> Self::Timeout<R, F> {
        Tokio::timeout(duration, future)
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(
        deadline: Self::Instant,
        future: F,
    ) -> Self::Timeout<R, F> {
        Tokio::timeout_at(deadline, future)
    }

    fn is_panic(join_error: &Self::JoinError) -> bool {
        join_error.is_panic()
    }

    fn thread_rng() -> Self::ThreadLocalRng {
        Tokio::thread_rng()
    }

    fn new(threads: usize) -> Self {
        NodeRuntime(Tokio::new(threads))
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        self.0.block_on(future)
    }
}

/// Heavy work on a thread of its own. The one door to other threads, so that a simulation can keep it shut.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)
}
