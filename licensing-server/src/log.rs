//! The log on standard error. A thread of its own writes as many lines as there are with one call, so that a slow
//! terminal or disk holds up nobody: there is a line for each checkout and checkin. Lines are left out only when a hundred
//! thousand wait, and the log says so as soon as it can.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::ValueEnum;
use licensing_core::counted;
use tracing::warn;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Lines that may wait to be written: two seconds of the fastest machine, some 20 MB.
const LINES_WAITING: usize = 100_000;

/// Bytes of log written with one call, as long as more are waiting.
const LOG_BUFFER: usize = 32 << 10;

/// Between two looks at what was left out: a log that is too long already is not told more often.
const LOOK_PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// One line for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// The log; what waits is written when it is dropped.
pub(crate) struct Log {
    left_out: LeftOut,
    _writing: WorkerGuard,
}

impl Log {
    /// From here on everything is logged to standard error.
    pub(crate) fn to_stderr(format: LogFormat) -> Log {
        let (writer, left_out, writing) =
            writer(BufWriter::with_capacity(LOG_BUFFER, io::stderr()), LINES_WAITING);
        let filter = EnvFilter::try_from_default_env()
            .unwrap_or_else(|_| EnvFilter::new(licensing_daemon::LOG_FILTER));
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
        let set = match format {
            LogFormat::Text => log.with_ansi(false).try_init(),
            LogFormat::Json => log.json().flatten_event(true).try_init(),
        };
        // Only a program that embeds this one can have set a log of its own.
        drop(set);
        Log { left_out, _writing: writing }
    }

    /// Says every few seconds what was left out meanwhile; never ends.
    pub(crate) fn watch(&self) -> impl Future<Output = ()> + Send + use<> {
        self.left_out.clone().watch(LOOK_PAUSE)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.left_out.tell();
    }
}

fn writer(target: impl Write + Send + 'static, lines_waiting: usize) -> (NonBlocking, LeftOut, WorkerGuard) {
    let (writer, writing) = NonBlockingBuilder::default()
        .thread_name("log-to-stderr")
        .buffered_lines_limit(lines_waiting)
        .finish(target);
    let left_out = LeftOut { counter: writer.error_counter(), told: Arc::default() };
    (writer, left_out, writing)
}

/// What the log has not got room for. Clones know what the others have told.
#[derive(Debug, Clone)]
struct LeftOut {
    counter: ErrorCounter,
    told: Arc<AtomicUsize>,
}

impl LeftOut {
    async fn watch(self, pause: Duration) {
        loop {
            tokio::time::sleep(pause).await;
            self.tell();
        }
    }

    /// Says how many lines were left out since the start, if there are more than last time. The line that says it may be
    /// left out too: then it is one more, and the next look finds it.
    fn tell(&self) {
        let count = self.counter.dropped_lines();
        if count > self.told.swap(count, Ordering::Relaxed) {
            warn!(
                "{} left out since the start because the log could not be written fast enough: give standard error \
                 a faster reader or disk, or log less with RUST_LOG=warn",
                counted(count as u64, "log line")
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tracing::info;
    use tracing::subscriber::DefaultGuard;

    use super::*;

    /// Longer than any line takes that comes at all.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Takes a line at a time, whenever the test reads one.
    struct Slow(mpsc::Sender<String>);

    impl Write for Slow {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8_lossy(line).into_owned();
            self.0.blocking_send(text).map_err(io::Error::other)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Scene {
        left_out: LeftOut,
        lines: mpsc::Receiver<String>,
        _guards: (DefaultGuard, WorkerGuard),
    }

    /// Lines that find a place: one that waits, one in the hand of the writing thread, one that it has written.
    const ROOM: usize = 3;

    /// A log that has no more room and has left out some lines.
    fn overflown() -> Scene {
        let (sender, lines) = mpsc::channel(1);
        let (writer, left_out, writing) = writer(Slow(sender), 1);
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish();
        let set = tracing::subscriber::set_default(log);
        let mut written = 0;
        while written - left_out.counter.dropped_lines() < ROOM {
            info!("line {written}");
            written += 1;
        }
        for _ in 0..10 {
            info!("one line too many");
        }
        Scene { left_out, lines, _guards: (set, writing) }
    }

    impl Scene {
        async fn next_line(&mut self) -> String {
            let line = tokio::time::timeout(PATIENCE, self.lines.recv()).await;
            line.expect("a line").expect("the log is open")
        }

        /// Reads the lines that were not left out, and says how many were.
        async fn catch_up(&mut self) -> usize {
            for _ in 0..ROOM {
                let line = self.next_line().await;
                assert!(line.contains(": line "), "{line}");
            }
            self.left_out.counter.dropped_lines()
        }
    }

    #[tokio::test]
    async fn lines_left_out_are_told_of_once() {
        let mut scene = overflown();
        let left_out = scene.catch_up().await;
        scene.left_out.tell();
        let line = scene.next_line().await;
        let expected = format!("{left_out} log lines left out since the start because the log could not be");
        assert!(line.contains("WARN") && line.contains(&expected), "{line}");

        scene.left_out.tell();
        info!("the next line");
        let line = scene.next_line().await;
        assert!(line.contains("the next line"), "told twice: {line}");
    }

    #[tokio::test]
    async fn what_could_not_be_told_is_told_when_there_is_room() {
        let mut scene = overflown();
        let watching = tokio::spawn(scene.left_out.clone().watch(Duration::from_millis(1)));
        // The line that says it is left out like the others.
        while scene.left_out.told.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        loop {
            let line = scene.next_line().await;
            if line.contains("log lines left out since the start") {
                break;
            }
        }
        watching.abort();
    }

    #[tokio::test]
    async fn a_log_that_ends_says_what_was_left_out_last() {
        let mut scene = overflown();
        let left_out = scene.catch_up().await;
        let (_, _, unused) = writer(io::sink(), 1);
        drop(Log { left_out: scene.left_out.clone(), _writing: unused });
        let line = scene.next_line().await;
        assert!(line.contains(&format!("{left_out} log lines left out")), "{line}");
    }
}
