//! The runtime openraft runs on: tokio, behind a type of our own, so that a triad can be simulated on one thread and
//! repeated step by step without a fork or a compiler flag.
//!
//! Every task openraft starts is entered in the task list of the node it belongs to (see [`NodeTasks`]), so that a
//! stopped or killed node leaves nothing running behind. What would not repeat itself is replaced: watches wake in order
//! ([`crate::engine::watch`]), random numbers come from the node's own seed, and a simulated node keeps all work on its thread.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openraft::{AsyncRuntime, OptionalSend};
use rand_core::TryRng;
use rustix::process::{getpriority_process, setpriority_process};
use tokio::runtime::Handle;

use crate::engine::failure::Failure;
use crate::engine::moments::NodeMoment;
use crate::engine::tasks::TaskList;
use crate::engine::watch::OrderedWatch;
use crate::time::{self, Instant};

type Tokio = openraft_rt_tokio::TokioRuntime;

tokio::task_local! {
    static TASKS: NodeTasks;
}

/// The tasks of one node. Cloned handles share the list.
#[derive(Clone)]
pub(crate) struct NodeTasks {
    list: TaskList,
    /// State of the node's random numbers, which only spread timers.
    random: Arc<AtomicU64>,
    /// The runtime of the node's own thread; heavy work goes to others. A simulated node has none, and stays on the thread
    /// it was started on.
    home: Option<Handle>,
    /// What a panic of a task is to the node; [`None`] for tasks that can do without each other.
    failure: Option<Failure>,
    /// Where a simulation holds all tasks up.
    #[cfg(feature = "testing")]
    gate: crate::engine::gate::Gate,
}

impl NodeTasks {
    /// The tasks that a node consists of: none may be missing.
    pub(crate) fn new(seed: u64, home: Option<Handle>, failure: Failure) -> NodeTasks {
        NodeTasks {
            list: TaskList::default(),
            random: Arc::new(AtomicU64::new(seed)),
            home,
            failure: Some(failure),
            #[cfg(feature = "testing")]
            gate: crate::engine::gate::Gate::default(),
        }
    }

    /// The tasks of a simulated node: all of them on one thread and behind a gate.
    #[cfg(feature = "testing")]
    pub(crate) fn simulated(seed: u64, gate: crate::engine::gate::Gate, failure: Failure) -> NodeTasks {
        NodeTasks { gate, ..NodeTasks::new(seed, None, failure) }
    }

    /// A second list for the same node, of tasks that serve one connection each: a panic costs that connection.
    pub(crate) fn of_connections(&self) -> NodeTasks {
        NodeTasks { list: TaskList::default(), failure: None, ..self.clone() }
    }

    /// Runs a future as part of this node: what it spawns through [`spawn`] belongs to the node.
    pub(crate) fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> {
        self.by_its_clock(TASKS.scope(self.clone(), future))
    }

    #[cfg(feature = "testing")]
    fn by_its_clock<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        self.gate.clone().by_its_clock(future)
    }

    #[cfg(not(feature = "testing"))]
    fn by_its_clock<F: Future>(&self, future: F) -> F {
        future
    }

    /// Runs a future on the node's own thread, as part of this node, and waits for it.
    ///
    /// Fails when the thread ends meanwhile, or the future panics, which is its caller's affair.
    pub(crate) async fn run<F>(&self, future: F) -> Result<F::Output, tokio::task::JoinError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match self.home {
            Some(_) => self.start(future).await,
            None => Ok(self.scope(future).await),
        }
    }

    /// Starts a task of this node.
    pub(crate) fn spawn<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match self.failure.clone() {
            Some(failure) => self.start(failure.of_panics(future)),
            None => self.start(future),
        }
    }

    fn start<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let future = TASKS.scope(self.clone(), future);
        let task = match &self.home {
            Some(home) => home.spawn(future),
            #[cfg(feature = "testing")]
            None => tokio::spawn(self.gate.clone().behind(future)),
            #[cfg(not(feature = "testing"))]
            None => tokio::spawn(future),
        };
        self.list.add(&task);
        task
    }

    /// Lets a simulation hear what this node has just begun.
    pub(crate) fn notice(&self, moment: NodeMoment) {
        #[cfg(feature = "testing")]
        self.gate.notice(moment);
        #[cfg(not(feature = "testing"))]
        let _ = moment;
    }

    /// How many tasks of this node have not ended.
    #[cfg(feature = "testing")]
    pub(crate) fn running(&self) -> usize {
        self.list.running()
    }

    /// Ends all tasks of this node where they stand, and returns once none of them runs any more.
    pub(crate) async fn end(&self) {
        self.list.end().await;
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
    type Instant = Instant;
    type TimeoutError = tokio::time::error::Elapsed;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = tokio::time::Timeout<T>;
    type ThreadLocalRng = NodeRandom;
    type Mpsc = <Tokio as AsyncRuntime>::Mpsc;
    type Watch = OrderedWatch;
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
        time::sleep(duration)
    }

    fn sleep_until(deadline: Self::Instant) -> Self::Sleep {
        time::sleep_until(deadline)
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(
        duration: Duration,
        future: F,
    ) -> Self::Timeout<R, F> {
        time::timeout(duration, future)
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(
        deadline: Self::Instant,
        future: F,
    ) -> Self::Timeout<R, F> {
        time::timeout_at(deadline, future)
    }

    fn is_panic(join_error: &Self::JoinError) -> bool {
        join_error.is_panic()
    }

    fn thread_rng() -> Self::ThreadLocalRng {
        NodeRandom
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

/// Random numbers of the node the caller belongs to: SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom
/// Number Generators, OOPSLA 2014). openraft spreads timers with them; nothing secret depends on them.
pub(crate) struct NodeRandom;

impl TryRng for NodeRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| (number >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let before =
            TASKS.try_with(|tasks| tasks.random.fetch_add(STEP, Ordering::Relaxed)).unwrap_or_default();
        let mut number = before.wrapping_add(STEP);
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(number ^ (number >> 31))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let number = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
        Ok(())
    }
}

/// Whether heavy work may go to other threads: not that of a simulated node.
fn has_threads() -> bool {
    TASKS.try_with(|tasks| tasks.home.is_some()).unwrap_or(true)
}

/// Heavy work that nobody waits for, on a thread that steps back behind all others; on a simulated node, here and now.
pub(crate) async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    /// A tenth of what a thread that somebody waits for gets, where there are not processors enough for both.
    const NICENESS: i32 = 10;
    if !has_threads() {
        return Ok(work());
    }
    let (done, wait) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("background".to_owned()).spawn(move || {
        // Behind whatever niceness the node was started with. A thread that may not even be nicer is as good as before.
        let _ = getpriority_process(None).and_then(|nice| setpriority_process(None, nice + NICENESS));
        drop(done.send(work()));
    })?;
    wait.await.map_err(|_| io::Error::other("a background thread panicked"))
}

/// Drops something large where nobody waits for it; on a simulated node, here and now.
pub(crate) fn let_go<T: Send + 'static>(large: T) -> io::Result<()> {
    if has_threads() {
        std::thread::Builder::new().name("background".to_owned()).spawn(move || drop(large))?;
    }
    Ok(())
}

/// Heavy work on a thread of its own; on a simulated node, here and now. The one door to other threads, but for
/// [`in_background`] and [`let_go`].
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    if has_threads() { tokio::task::spawn_blocking(work).await.map_err(io::Error::other) } else { Ok(work()) }
}
