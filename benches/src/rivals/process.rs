//! One process of a rival: found, started, watched, ended.
//!
//! The property kept: no process outlives the program that measures. A drop ends and reaps it; should this program be
//! killed, the system ends it, because `setpriv` asked for a signal at the death of its parent before it became the
//! rival. That parent is the *thread* that started it, so [`Process::start`] is called on threads that live as long as
//! the program: the main task's, never a pool's.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Says what is wrong with the start of a process by the end of what it wrote; so many lines tell it.
const LOG_LINES: usize = 12;

/// What is given to rivals of their environment: they find programs, and nothing of the caller's settings changes them.
const PATH: (&str, &str) = ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");

/// Changes privileges and asks for the signal; part of util-linux, which every Linux distribution has.
pub const SETPRIV: &str = "setpriv";

/// A running process; dropping ends it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    ending: Ending,
    log: PathBuf,
}

/// The signal that ends a rival at once, and nothing of it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// For those that leave nothing behind.
    Kill,
    /// SIGQUIT: PostgreSQL's word for "immediately", with its shared memory and its children.
    Quit,
}

impl Ending {
    /// As `setpriv --pdeathsig` wants it.
    fn word(self) -> &'static str {
        match self {
            Ending::Kill => "KILL",
            Ending::Quit => "QUIT",
        }
    }

    fn signal(self) -> Signal {
        match self {
            Ending::Kill => Signal::KILL,
            Ending::Quit => Signal::QUIT,
        }
    }
}

/// Where and as whom a rival's programs run.
#[derive(Debug, Clone)]
pub struct Home {
    /// Of its data and its log.
    pub directory: PathBuf,
    /// Another user than this program's.
    pub user: Option<String>,
}

impl Home {
    /// The command line that becomes `program`, ends with this program, and knows nothing of its environment.
    pub fn command(&self, program: &Path, ending: Ending) -> Command {
        let mut command = Command::new(SETPRIV);
        if let Some(user) = &self.user {
            command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
        }
        command.args(["--pdeathsig", ending.word(), "--"]).arg(program);
        command.env_clear().env(PATH.0, PATH.1);
        command.current_dir(&self.directory).stdin(Stdio::null());
        command
    }
}

impl Process {
    /// Starts a command made by [`Home::command`]; what it writes is appended to `log`.
    pub fn start(mut command: Command, ending: Ending, log: PathBuf) -> anyhow::Result<Process> {
        let about = || format!("cannot start {command:?}");
        let file = File::options().create(true).append(true).open(&log).with_context(about)?;
        let both = file.try_clone().with_context(about)?;
        let child = command.stdout(both).stderr(file).spawn();
        let child = child.with_context(|| format!("cannot start {command:?}"))?;
        Ok(Process { child, ending, log })
    }

    /// An error with the end of its log when it has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait().context("cannot look after a rival's process")? {
            bail!("it ended ({status}):\n{}", self.log_tail());
        }
        Ok(())
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The last lines it wrote.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        last_lines(&text, LOG_LINES)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // Both fail only for a process that is gone and reaped already.
        let _ = id.map(|id| kill_process(id, self.ending.signal()));
        let _ = self.child.wait();
    }
}

/// The processes this one has started and that still run: PostgreSQL has one for each connection.
pub fn children(id: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// The file a shell would run.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// The end of a text.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_nowhere_is_not_found() {
        assert!(find_program("sh").is_some());
        assert_eq!(find_program("no-such-program-anywhere"), None);
    }

    #[test]
    fn the_end_of_a_text_may_be_all_of_it() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
    }

    #[test]
    fn another_user_is_asked_for_before_the_program() {
        let home = Home { directory: "/tmp".into(), user: Some("postgres".to_owned()) };
        let command = home.command(Path::new("/bin/true"), Ending::Quit);
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        assert_eq!(
            words.join(" "),
            "--reuid postgres --regid postgres --clear-groups --pdeathsig QUIT -- /bin/true"
        );
    }
}
