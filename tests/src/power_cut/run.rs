//! Runs the real store under the recorder, and opens what is left of it in a process of its own.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use super::format::Record;
use super::image::{self, Image};
use super::inspect::Found;
use super::judge::Progress;
use super::outline::Outline;

/// Where the program and the recorder are, and where they may write.
#[derive(Debug, Clone)]
pub struct Programs {
    /// `store-run`.
    pub store_run: PathBuf,
    /// The library to preload.
    pub recorder: PathBuf,
    /// For what nobody needs afterwards.
    scratch: PathBuf,
    /// For recordings that somebody should look at.
    kept: PathBuf,
}

/// Which calls of a run fail, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Syncs fail; otherwise writes.
    pub syncs: bool,
    /// From this one on.
    pub from: u64,
    /// With this error of the system.
    pub errno: i32,
}

/// What a run did to its disk. It is in memory only, until somebody keeps it: a good run leaves nothing behind. One that a
/// panic drops is kept, because nobody has said that it is good.
pub struct Recording {
    /// The plan that was carried out.
    pub outline: Outline,
    /// In order.
    pub records: Vec<Record>,
    /// The disk at the end, as the program sees it.
    pub end: Image,
    kept: PathBuf,
}

impl Programs {
    /// Builds the recorder next to `store_run`, the program of this package that cargo has built for the tests.
    ///
    /// `None`, and a word on standard error: this platform cannot preload a library, so the tests cannot be run.
    pub fn find(store_run: &str) -> Option<Programs> {
        if !cfg!(all(target_os = "linux", target_env = "gnu")) {
            eprintln!(
                "SKIPPED: recording what a program does to its disk needs Linux with the GNU C library"
            );
            return None;
        }
        let store_run = PathBuf::from(store_run);
        let directory = store_run.parent().expect("a program lies in a directory").to_owned();
        let target = directory.parent().expect("target/debug has a parent");
        let profile = match directory.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "disk-recorder", "--profile", profile, "--target-dir"])
            .arg(target)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .status()
            .expect("cargo can be started");
        assert!(built.success(), "cargo build of the recorder ended with {built}");
        let (scratch, kept) = (std::env::temp_dir(), target.join("tmp"));
        Some(Programs { store_run, recorder: directory.join("libdisk_recorder.so"), scratch, kept })
    }

    /// The same programs, which write below this directory only.
    #[must_use]
    pub fn within(self, directory: &Path) -> Programs {
        Programs { scratch: directory.to_owned(), kept: directory.to_owned(), ..self }
    }

    fn command(&self, root: &Path) -> Command {
        let mut command = Command::new(&self.store_run);
        command.env("LD_PRELOAD", &self.recorder).env("DISK_RECORDER_ROOT", root);
        command
    }

    /// Carries out a plan on a disk that holds `before`, and records it.
    pub fn record(&self, outline: Outline, before: &Image, failure: Option<Failure>) -> Recording {
        let scratch = self.scratch();
        let (root, log) = (scratch.path().join("disk"), scratch.path().join("recording"));
        image::write(before, &root).expect("the disk can be made");
        let mut command = self.command(&root);
        command.env("DISK_RECORDER_LOG", &log);
        if let Some(Failure { syncs, from, errno }) = failure {
            let call = if syncs { "sync" } else { "write" };
            command.env("DISK_RECORDER_FAIL", format!("{call}:{from}:{errno}"));
        }
        let ended = command
            .args(["work", "--plan", &outline.to_string(), "--directory"])
            .arg(root.join("data"))
            .stdin(Stdio::null())
            .output()
            .expect("the program can be started");
        let bytes = std::fs::read(log).unwrap_or_default();
        let records = Record::read_all(&bytes).expect("the recording can be read");
        let end = image::read(&root).expect("the disk can be read");
        let recording = Recording { outline, records, end, kept: self.kept.clone() };
        let expected = if failure.is_some() { [0, 3] } else { [0, 0] };
        assert!(
            ended.status.code().is_some_and(|code| expected.contains(&code)),
            "plan {outline}, {failure:?}: the program ended with {}: {}",
            ended.status,
            String::from_utf8_lossy(&ended.stderr)
        );
        recording
    }

    fn scratch(&self) -> TempDir {
        tempfile::tempdir_in(&self.scratch).expect("a temporary directory")
    }

    /// Starts a process that opens stores.
    pub fn inspector(&self) -> Inspector {
        Inspector { programs: self.clone(), process: None, scratch: self.scratch(), number: 0 }
    }
}

impl Recording {
    /// What the program had said by the end.
    pub fn progress(&self) -> Progress {
        let mut progress = Progress::default();
        self.records.iter().for_each(|record| progress.hear(record));
        progress
    }

    /// How many calls of a kind the program made.
    pub fn count(&self, which: impl Fn(&Record) -> bool) -> u64 {
        self.records.iter().filter(|record| which(record)).count() as u64
    }

    /// Writes it to a file of its own, and returns its path, or why there is none.
    pub fn keep(&self) -> String {
        // The same plan may be recorded several times, by several tests at once.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let plan = self.outline.to_string().replace(':', "-");
        let path = self.kept.join(format!("recording-{plan}-{}-{number}", std::process::id()));
        let bytes: Vec<u8> = self.records.iter().flat_map(Record::to_bytes).collect();
        let kept = std::fs::create_dir_all(&self.kept).and_then(|()| std::fs::write(&path, bytes));
        kept.map_or_else(|error| format!("not kept: {error}"), |()| path.display().to_string())
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the recording of plan {} is kept: {}", self.outline, self.keep());
        }
    }
}

struct Process {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Opens stores, one after the other, in a process that is started again when one has ended it.
pub struct Inspector {
    programs: Programs,
    /// Given up before the directory it works in, so that it leaves nothing there.
    process: Option<Process>,
    scratch: TempDir,
    number: u64,
}

impl Inspector {
    /// What a server finds on this disk.
    ///
    /// # Errors
    ///
    /// Opening it ended the process, or never came to an end.
    pub fn inspect(&mut self, image: &Image) -> Result<Found, String> {
        self.inspect_and_keep(image).map(|(found, _)| found)
    }

    /// As [`Inspector::inspect`], and the disk as it is after that.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn inspect_and_keep(&mut self, image: &Image) -> Result<(Found, Image), String> {
        self.number += 1;
        let root = self.scratch.path().join(self.number.to_string());
        image::write(image, &root).expect("the disk can be made");
        let found = self.ask(&root.join("data"));
        let after = image::read(&root).expect("the disk can be read");
        std::fs::remove_dir_all(&root).expect("the disk can be removed");
        match found {
            Ok(found) => Ok((found, after)),
            Err(error) => {
                self.process = None;
                Err(format!("opening it ended the process: {error}"))
            }
        }
    }

    fn ask(&mut self, directory: &Path) -> io::Result<Found> {
        let mut process = match self.process.take() {
            Some(process) => process,
            None => self.start()?,
        };
        writeln!(process.questions, "{}", directory.display())?;
        process.questions.flush()?;
        let mut answer = String::new();
        if process.answers.read_line(&mut answer)? == 0 {
            return Err(io::Error::other(format!("{}", process.child.wait()?)));
        }
        self.process = Some(process);
        serde_json::from_str(&answer).map_err(io::Error::other)
    }

    fn start(&self) -> io::Result<Process> {
        let mut child = self
            .programs
            .command(self.scratch.path())
            .arg("inspect")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // sled tells its panics there, which are expected of damaged files.
            .stderr(Stdio::null())
            .spawn()?;
        let (questions, answers) = (child.stdin.take(), child.stdout.take());
        let pipe = || io::Error::other("no pipe to the program");
        let answers = BufReader::new(answers.ok_or_else(pipe)?);
        Ok(Process { child, questions: questions.ok_or_else(pipe)?, answers })
    }
}
