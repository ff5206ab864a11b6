//! Runs the real store under the recorder, and opens what is left of it in a process of its own.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use super::disk::{self, Image};
use super::format::Record;
use super::inspect::Found;
use super::judge::Progress;

/// Where the program and the recorder are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// `store-run`.
    pub store_run: PathBuf,
    /// The library to preload.
    pub recorder: PathBuf,
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

/// What a run did to its disk.
pub struct Recording {
    /// In order.
    pub records: Vec<Record>,
    /// The disk at the end, as the program sees it.
    pub end: Image,
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
        Some(Programs { store_run, recorder: directory.join("libdisk_recorder.so") })
    }

    fn command(&self, root: &Path) -> Command {
        let mut command = Command::new(&self.store_run);
        command.env("LD_PRELOAD", &self.recorder).env("DISK_RECORDER_ROOT", root);
        command
    }

    /// Carries out the plan of a seed on a disk that holds `before`, and records it.
    pub fn record(&self, seed: u64, length: usize, before: &Image, failure: Option<Failure>) -> Recording {
        let scratch = scratch();
        let (root, log) = (scratch.path().join("disk"), scratch.path().join("recording"));
        disk::write(before, &root).expect("the disk can be made");
        let mut command = self.command(&root);
        command.env("DISK_RECORDER_LOG", &log);
        if let Some(Failure { syncs, from, errno }) = failure {
            let call = if syncs { "sync" } else { "write" };
            command.env("DISK_RECORDER_FAIL", format!("{call}:{from}:{errno}"));
        }
        let ended = command
            .args(["work", "--seed", &seed.to_string(), "--length", &length.to_string(), "--directory"])
            .arg(root.join("data"))
            .stdin(Stdio::null())
            .output()
            .expect("the program can be started");
        let said = String::from_utf8_lossy(&ended.stderr);
        let expected = if failure.is_some() { [0, 3] } else { [0, 0] };
        assert!(
            ended.status.code().is_some_and(|code| expected.contains(&code)),
            "seed {seed}, {failure:?}: the program ended with {}: {said}",
            ended.status
        );
        let bytes = std::fs::read(log).expect("there is a recording");
        let records = Record::read_all(&bytes).expect("the recording can be read");
        Recording { records, end: disk::read(&root).expect("the disk can be read") }
    }

    /// Starts a process that opens stores.
    pub fn inspector(&self) -> Inspector {
        Inspector { programs: self.clone(), scratch: scratch(), number: 0, process: None }
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
}

fn scratch() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
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
    scratch: TempDir,
    number: u64,
    process: Option<Process>,
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
        disk::write(image, &root).expect("the disk can be made");
        let found = self.ask(&root.join("data"));
        let after = disk::read(&root).expect("the disk can be read");
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
