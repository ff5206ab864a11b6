//! The one thread of a run, under a clock of its own, and who watches that it advances.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::claim;
use super::notes::Notes;
use super::options::Options;
use super::panics::Panics;
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
    panics: Panics,
    others: Arc<AtomicUsize>,
}

impl Thread {
    /// `panics`: where they are noted from now on.
    pub(super) fn new(panics: Panics) -> Thread {
        panics.note();
        let others = Arc::new(AtomicUsize::new(0));
        let counted = others.clone();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        // Those for blocking work, that is.
        runtime.on_thread_start(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime without I/O");
        Thread { runtime, panics, others }
    }

    /// What can be said of the thread when all is over.
    pub(super) fn left(&self) -> Vec<Violation> {
        let mut left = panicked(&self.panics);
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
    pub(super) panics: Panics,
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

fn panicked(panics: &Panics) -> Vec<Violation> {
    panics.all().into_iter().map(|detail| Violation::new(claim::NO_PANIC, detail)).collect()
}

/// Lets a run happen on a thread of its own, and gives it up when it does not advance any more: `given_up` says what comes of it
/// then. The thread cannot be ended: it is left behind.
pub(super) fn watched<T: Send + 'static>(
    seed: u64,
    stands_still: Duration,
    run: impl FnOnce(Window) -> T + Send + 'static,
    given_up: impl FnOnce(&Window) -> T,
) -> T {
    let window = Window::default();
    let through = window.clone();
    // Whoever logs the run logs it on the thread where it asked for that.
    let log = tracing::dispatcher::get_default(Clone::clone);
    let thread = std::thread::Builder::new().name(format!("seed {seed}")).stack_size(STACK);
    let running = thread.spawn(move || tracing::dispatcher::with_default(&log, || run(through)));
    let running = running.expect("a thread");
    let (mut last, mut since) = (None, Instant::now());
    while !running.is_finished() {
        std::thread::sleep(if since.elapsed() < LOOK { Duration::from_millis(1) } else { LOOK });
        let now = window.now_us();
        if now.is_none() || now != last {
            (last, since) = (now, Instant::now());
        } else if since.elapsed() > stands_still {
            return given_up(&window);
        }
    }
    running.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// What is untrue of a run that is given up.
pub(super) fn untrue(window: &Window, stands_still: Duration) -> Vec<Violation> {
    let notes = window.seen().map(|(_, notes)| notes).unwrap_or_default();
    let detail = format!(
        "nothing has happened for {stands_still:?} of real time: some task spins or blocks, and never yields; the thread of the \
         run is left behind"
    );
    let mut violations = notes.violations();
    violations.extend(panicked(&window.panics));
    violations.push(Violation::new(claim::ADVANCES, detail).at(notes.now_us()));
    violations
}

/// All that is known of a run that is given up.
pub(super) fn stood_still(options: Options, window: &Window) -> Report {
    let (recorder, notes) = window.seen().unzip();
    let about = || About::new("simulation", options.seed, Default::default());
    let history = recorder.map_or_else(|| History::of(about()), |recorder| recorder.history());
    let notes = notes.unwrap_or_default();
    Report {
        violations: untrue(window, options.stands_still),
        options,
        verdict: Verdict::default(),
        counts: notes.counts(),
        happened: notes.happened(),
        simulated: Duration::from_micros(notes.now_us()),
        history,
        trace: "none: the run did not end".to_owned(),
    }
}
