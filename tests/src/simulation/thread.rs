//! The one thread of a run, under a clock of its own, and who watches that it advances.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::claim;
use super::notes::Notes;
use super::options::Options;
use super::panics;
use super::report::Report;
use crate::history::{About, History, Recorder};
use crate::oracle::{Verdict, Violation};

/// Between two looks at a run.
const LOOK: Duration = Duration::from_millis(500);

/// Stack of a run's thread, as a program's first one has it: unoptimized futures are large.
const STACK: usize = 8 << 20;

/// The one thread of a run, under a clock of its own.
pub(super) struct Thread {
    pub(super) runtime: Runtime,
    others: Arc<AtomicUsize>,
}

impl Thread {
    pub(super) fn new() -> Thread {
        panics::note();
        let others = Arc::new(AtomicUsize::new(0));
        let counted = others.clone();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        // Those for blocking work, that is.
        runtime.on_thread_start(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime without I/O");
        Thread { runtime, others }
    }

    /// What can be said of the thread when all is over.
    pub(super) fn left(&self) -> Vec<Violation> {
        let panics = panics::taken().into_iter();
        let mut left: Vec<Violation> = panics.map(|detail| Violation::new(claim::NO_PANIC, detail)).collect();
        let others = self.others.load(Ordering::SeqCst);
        if others > 0 {
            let detail = format!("{others} threads were started for blocking work");
            left.push(Violation::new(claim::ONE_THREAD, detail));
        }
        left
    }
}

/// What can be seen of a run from outside.
#[derive(Clone, Default)]
pub(super) struct Window {
    seen: Arc<Mutex<Option<(Recorder, Notes)>>>,
    closed: Arc<AtomicBool>,
}

impl Window {
    pub(super) fn open(&self, recorder: &Recorder, notes: &Notes) {
        let seen = Some((recorder.clone(), notes.clone()));
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    /// Virtual time is over; judging takes the time it takes.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    fn seen(&self) -> Option<(Recorder, Notes)> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How far virtual time has come; `None` when that does not matter any more.
    fn now_us(&self) -> Option<u64> {
        let open = !self.closed.load(Ordering::SeqCst);
        open.then(|| self.seen().map_or(0, |(_, notes)| notes.now_us()))
    }
}

/// Lets a run happen on a thread of its own, and gives it up when it does not advance any more. The thread cannot be ended
/// then: it is left behind.
pub(super) fn watched(
    options: Options,
    run: impl FnOnce(Options, Window) -> Report + Send + 'static,
) -> Report {
    let window = Window::default();
    let (own, through) = (options.clone(), window.clone());
    // Whoever logs the run logs it on the thread where it asked for that.
    let log = tracing::dispatcher::get_default(Clone::clone);
    let thread = std::thread::Builder::new().name(format!("seed {}", options.seed)).stack_size(STACK);
    let running = thread.spawn(move || tracing::dispatcher::with_default(&log, || run(own, through)));
    let running = running.expect("a thread");
    let (mut last, mut since) = (None, Instant::now());
    while !running.is_finished() {
        std::thread::sleep(if since.elapsed() < LOOK { Duration::from_millis(1) } else { LOOK });
        let now = window.now_us();
        if now.is_none() || now != last {
            (last, since) = (now, Instant::now());
        } else if since.elapsed() > options.stands_still {
            return stood_still(options, &window);
        }
    }
    running.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// All that is known of a run that is given up.
fn stood_still(options: Options, window: &Window) -> Report {
    let seen = window.seen();
    let notes = seen.as_ref().map(|(_, notes)| notes.clone()).unwrap_or_default();
    let about = || About::new("simulation", options.seed, Default::default());
    let history = seen.map_or_else(|| History::of(about()), |(recorder, _)| recorder.history());
    let now_us = notes.now_us();
    let detail = format!(
        "nothing has happened for {:?} of real time: some task spins or blocks, and never yields; the thread of the \
         run is left behind",
        options.stands_still
    );
    let mut violations = notes.violations();
    violations.push(Violation::new(claim::ADVANCES, detail).at(now_us));
    Report {
        options,
        violations,
        verdict: Verdict::default(),
        counts: notes.counts(),
        happened: notes.happened(),
        simulated: Duration::from_micros(now_us),
        history,
        trace: "none: the run did not end".to_owned(),
    }
}
