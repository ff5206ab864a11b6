//! Three real server processes on this machine, or a single one, for demonstrations, tests and benchmarks: started, killed, paused and
//! restarted at will, and gone with the last trace when the value is dropped.
//!
//! The property kept: no process outlives its [`LocalTriad`]. A drop kills and reaps; should this process itself be
//! killed, the end of the pipe on the servers' standard input ends them (`--exit-with-stdin`).

mod error;
mod options;
mod ports;
mod process;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use licensing_client::{SearchPath, ServerAddress};
use licensing_core::id::Role;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

pub use error::TriadError;
pub use options::{OwnOptions, Start, TriadOptions};
pub use ports::free_ports;

use error::{PATIENCE, not_running};
use process::Running;

/// Between two looks at something that is expected to change within milliseconds.
const LOOK_PAUSE: Duration = Duration::from_millis(2);

/// Tries with fresh ports before giving up.
const START_TRIES: usize = 5;

/// Three servers, or a single one. Roles name them; methods that change them take `&mut self`, so two tests cannot fight over one.
#[derive(Debug)]
pub struct LocalTriad {
    // Before the directory: processes go first.
    servers: [Option<Running>; 3],
    /// One for each role: servers of different versions form one triad.
    programs: [PathBuf; 3],
    options: TriadOptions,
    ports: [u16; 3],
    directory: TempDir,
}

impl LocalTriad {
    /// Starts servers of this program (`licensing-server`) and waits until all are ready, which is before they
    /// have a master: see [`LocalTriad::wait_for_master`].
    pub async fn start(program: impl Into<PathBuf>, options: TriadOptions) -> Result<LocalTriad, TriadError> {
        let program = program.into();
        let mut tries = 1;
        loop {
            match LocalTriad::try_start(program.clone(), options.clone()).await {
                Err(error) if error.is_port_in_use() && tries < START_TRIES => tries += 1,
                result => return result,
            }
        }
    }

    async fn try_start(program: PathBuf, options: TriadOptions) -> Result<LocalTriad, TriadError> {
        let directory = match &options.parent_directory {
            Some(parent) => tempfile::Builder::new().prefix("licensing-triad-").tempdir_in(parent),
            None => tempfile::Builder::new().prefix("licensing-triad-").tempdir(),
        };
        let directory = directory.map_err(TriadError::io("make a temporary directory"))?;
        let held = free_ports::<3>().map_err(TriadError::io("find free ports"))?;
        let ports = held.each_ref().map(|(port, _)| *port);
        let programs = std::array::from_fn(|_| program.clone());
        let mut triad = LocalTriad { servers: [const { None }; 3], programs, options, ports, directory };
        triad.write_license(&triad.options.features)?;
        drop(held);
        for role in triad.roles() {
            triad.spawn(*role)?;
        }
        for role in triad.roles() {
            triad.wait_until_ready(*role).await?;
        }
        Ok(triad)
    }

    /// Writes the license file all three read, with these FEATURE lines; a running master serves them after a reread.
    pub fn write_license(&self, features: &str) -> Result<(), TriadError> {
        let mut text = String::new();
        for (port, role) in self.public_ports().into_iter().zip(self.roles().iter().copied()) {
            text.push_str(&format!("SERVER 127.0.0.1 ANY {port}"));
            if role == Role::Primary {
                text.push_str(if self.options.primary_is_master { " PRIMARY_IS_MASTER" } else { "" });
                let interval = self.options.heartbeat_interval;
                text.extend(interval.map(|seconds| format!(" HEARTBEAT_INTERVAL={seconds}")));
            }
            text.push('\n');
        }
        text.push_str(&format!("VENDOR demo\n{features}"));
        fs::write(self.license_path(), text).map_err(TriadError::io("write the license file"))
    }

    /// The license file.
    pub fn license_path(&self) -> PathBuf {
        self.directory.path().join("triad.lic")
    }

    /// Where everything lies; goes away with this value.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The data directory of one server.
    pub fn data_directory(&self, role: Role) -> PathBuf {
        let own = &self.options.own[role.place()].data_directory;
        own.clone().unwrap_or_else(|| self.directory.path().join(role.name()))
    }

    /// Where one server listens.
    pub fn address(&self, role: Role) -> ServerAddress {
        ServerAddress::new("127.0.0.1", self.ports[role.place()])
    }

    /// The servers there are.
    pub fn roles(&self) -> &'static [Role] {
        if self.options.single { &Role::ALL[..1] } else { &Role::ALL }
    }

    /// What clients look in: what the SERVER lines say.
    pub fn search_path(&self) -> SearchPath {
        if self.options.single {
            return SearchPath::server(self.address(Role::Primary));
        }
        SearchPath::triad(self.public_ports().map(|port| ServerAddress::new("127.0.0.1", port)))
    }

    fn public_ports(&self) -> [u16; 3] {
        self.options.public_ports.unwrap_or(self.ports)
    }

    /// What a server has logged so far, over all its starts.
    pub fn log(&self, role: Role) -> String {
        fs::read_to_string(self.log_path(role)).unwrap_or_default()
    }

    /// Process id of a server; `None` when it is not running.
    pub fn process_id(&self, role: Role) -> Option<u32> {
        self.servers[role.place()].as_ref().map(|server| server.child.id())
    }

    /// Kills a server with SIGKILL, as a crash would, and reaps it.
    pub fn kill(&mut self, role: Role) {
        self.servers[role.place()] = None;
    }

    /// Stops a server with SIGTERM and waits until it has ended.
    pub async fn stop(&mut self, role: Role) -> Result<ExitStatus, TriadError> {
        self.signal(role, Signal::TERM)?;
        self.wait_for_exit(role).await
    }

    /// Waits until a server has ended by itself, because somebody told it to.
    pub async fn wait_for_exit(&mut self, role: Role) -> Result<ExitStatus, TriadError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Some(server) = &mut self.servers[role.place()] else {
                return Err(not_running(role));
            };
            let ended = server.child.try_wait().map_err(TriadError::io(format!("wait for the {role}")))?;
            match ended {
                Some(status) => {
                    self.servers[role.place()] = None;
                    return Ok(status);
                }
                None if Instant::now() >= deadline => {
                    let awaited = format!("the end of the {role}");
                    return Err(TriadError::NotReached { awaited, seen: self.log_tail(role) });
                }
                None => sleep(LOOK_PAUSE).await,
            }
        }
    }

    /// Gives a server another program, of another version perhaps: its next start is one of that.
    pub fn set_program(&mut self, role: Role, program: impl Into<PathBuf>) {
        self.programs[role.place()] = program.into();
    }

    /// Starts a server again, on the same port with the same data, and waits until it is ready. One that still runs
    /// is killed first.
    pub async fn restart(&mut self, role: Role) -> Result<(), TriadError> {
        self.kill(role);
        self.spawn(role)?;
        self.wait_until_ready(role).await
    }

    /// Starts all at the same time, as [`LocalTriad::restart`] does one, and waits until all are ready.
    pub async fn restart_all(&mut self) -> Result<(), TriadError> {
        for role in self.roles() {
            self.kill(*role);
            self.spawn(*role)?;
        }
        for role in self.roles() {
            self.wait_until_ready(*role).await?;
        }
        Ok(())
    }

    /// Stops the clock of a server (SIGSTOP): it keeps its connections and answers nothing. On return it stands still.
    pub fn pause(&mut self, role: Role) -> Result<(), TriadError> {
        self.signal(role, Signal::STOP)?;
        // The signal takes effect when a thread of the process gets a processor; on a busy machine the other threads
        // go on working for so long.
        let stopped = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let waiting = rustix::io::retry_on_intr(|| waitid(WaitId::Pid(self.pid(role)?), stopped));
        waiting.map_err(|error| TriadError::io(format!("wait for the {role} to stop"))(error.into()))?;
        self.set_paused(role, true);
        Ok(())
    }

    /// Lets a paused server go on (SIGCONT).
    pub fn resume(&mut self, role: Role) -> Result<(), TriadError> {
        self.signal(role, Signal::CONT)?;
        self.set_paused(role, false);
        Ok(())
    }

    /// Whether a server runs and is not paused.
    pub fn is_running(&self, role: Role) -> bool {
        self.servers[role.place()].as_ref().is_some_and(|server| !server.paused)
    }

    /// The answer of a server to `STATUS`, without its line end.
    pub async fn text_status(&self, role: Role) -> io::Result<String> {
        let asking = async {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.ports[role.place()])).await?;
            stream.write_all(b"STATUS\r\n").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok(answer.trim_end().to_owned())
        };
        // A paused server accepts connections and says nothing.
        timeout(Duration::from_secs(1), asking).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// Which server says that it is master.
    pub async fn master(&self) -> Option<Role> {
        for role in self.roles() {
            if self.is_running(*role)
                && let Ok(status) = self.text_status(*role).await
                && status.contains("(MASTER)")
            {
                return Some(*role);
            }
        }
        None
    }

    /// Waits until some server is master.
    pub async fn wait_for_master(&self) -> Result<Role, TriadError> {
        self.wait_until("a master", async || self.master().await).await
    }

    /// Waits until this server is master.
    pub async fn wait_until_master(&self, role: Role) -> Result<(), TriadError> {
        let is_master = async || (self.master().await == Some(role)).then_some(());
        self.wait_until(&format!("the {role} as master"), is_master).await
    }

    async fn wait_until<T>(
        &self,
        awaited: &str,
        mut look: impl AsyncFnMut() -> Option<T>,
    ) -> Result<T, TriadError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await {
                return Ok(found);
            }
            if Instant::now() >= deadline {
                let mut seen = String::new();
                for role in self.roles() {
                    seen.push_str(&format!("\n--- {role} ---\n{}", self.log_tail(*role)));
                }
                return Err(TriadError::NotReached { awaited: awaited.to_owned(), seen });
            }
            sleep(LOOK_PAUSE).await;
        }
    }

    fn spawn(&mut self, role: Role) -> Result<(), TriadError> {
        let program = &self.programs[role.place()];
        let failed = || TriadError::io(format!("start {}", program.display()));
        let log = File::options().create(true).append(true).open(self.log_path(role)).map_err(failed())?;
        let own = &self.options.own[role.place()];
        let start = Start { role, license: &self.license_path(), data: &self.data_directory(role) };
        let mut child = Command::new(program)
            .args(self.options.call.map_or_else(|| self.call_of_the_house(start), |call| call(start)))
            .args(self.options.arguments.iter().chain(&own.arguments))
            .envs(self.options.environment.iter().chain(&own.environment).map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(failed())?;
        let stdout = child.stdout.take().map(BufReader::new);
        self.servers[role.place()] = Some(Running { child, stdout, paused: false });
        Ok(())
    }

    /// How `licensing-server` is told what it is to be.
    fn call_of_the_house(&self, start: Start<'_>) -> Vec<OsString> {
        let words = ["serve", "--exit-with-stdin", "--role", start.role.name(), "--license"];
        let mut call: Vec<OsString> = words.map(OsString::from).into();
        call.extend([start.license.into(), "--data".into(), start.data.into()]);
        if self.options.public_ports.is_some() {
            call.extend(["--listen".into(), format!("127.0.0.1:{}", self.ports[start.role.place()]).into()]);
        }
        call
    }

    async fn wait_until_ready(&mut self, role: Role) -> Result<(), TriadError> {
        let Some(server) = &mut self.servers[role.place()] else { return Err(not_running(role)) };
        let Some(mut stdout) = server.stdout.take() else { return Ok(()) };
        // The thread ends at the latest when the server does.
        let reading = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            let read = stdout.read_line(&mut line);
            read.map(|_| (line, stdout))
        });
        let read = match timeout(PATIENCE, reading).await {
            Ok(Ok(read)) => read.map_err(TriadError::io(format!("read from the {role}")))?,
            _ => {
                let awaited = format!("the ready line of the {role}");
                return Err(TriadError::NotReached { awaited, seen: self.log_tail(role) });
            }
        };
        let (line, stdout) = read;
        if line.starts_with("ready ") {
            server.stdout = Some(stdout);
            return Ok(());
        }
        let status = self.wait_for_exit(role).await?.to_string();
        let port_is_taken = ports::is_taken(self.ports[role.place()]);
        Err(TriadError::NotStarted { role, status, log: self.log_tail(role), port_is_taken })
    }

    fn signal(&self, role: Role, signal: Signal) -> Result<(), TriadError> {
        let id = self.pid(role).map_err(|_| not_running(role))?;
        kill_process(id, signal).map_err(|error| TriadError::io(format!("signal the {role}"))(error.into()))
    }

    fn pid(&self, role: Role) -> rustix::io::Result<Pid> {
        let id = self.process_id(role).and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        id.ok_or(rustix::io::Errno::SRCH)
    }

    fn set_paused(&mut self, role: Role, paused: bool) {
        if let Some(server) = &mut self.servers[role.place()] {
            server.paused = paused;
        }
    }

    fn log_path(&self, role: Role) -> PathBuf {
        self.directory.path().join(format!("{role}.log"))
    }

    fn log_tail(&self, role: Role) -> String {
        let log = self.log(role);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}
