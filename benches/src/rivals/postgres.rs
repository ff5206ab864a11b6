//! One PostgreSQL server on the loopback with its data below the measured directory, and seats in it.
//!
//! A checkout is what a careful programmer would write: the counter of the pool and a row that tells who has the seat
//! change in one transaction, sent as one statement in one round trip. The answer comes when the commit is on the disk of
//! this one server; unlike the triad and etcd there is no second copy.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use licensing_server::local_triad::free_ports;
use tokio::time::{Instant, sleep};
use tokio_postgres::{Config, NoTls};

use super::process::{Ending, Home, Process, children, find_program, last_lines};
use crate::work::seats::Seats;
use crate::work::triad::feature_name;

/// Connections for all clients together, as an application would pool them: a backend process for each of hundreds of
/// clients makes PostgreSQL slower, not faster.
const CONNECTIONS: usize = 32;

/// Where Debian puts the programs: `<version>/bin` below it, not on the PATH.
const DEBIAN: &str = "/usr/lib/postgresql";

/// PostgreSQL refuses to run as root; packages make this user for it.
const USER: &str = "postgres";

/// Name of the role and the database inside; `initdb` makes both.
const ROLE: &str = "postgres";

/// How long a start may take: many times the usual.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two tries to connect to a server that starts.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

const TABLES: &str = "
    create table pool (feature text primary key, used bigint not null, count bigint not null);
    create table checkout (
        id bigint generated always as identity primary key,
        feature text not null references pool, holder text not null
    );";

const CHECKOUT: &str = "
    with taken as (
        update pool set used = used + 1 where feature = $1 and used < count returning feature
    )
    insert into checkout (feature, holder) select feature, $2 from taken returning id";

const CHECKIN: &str = "
    with gone as (delete from checkout where id = $1 returning feature)
    update pool set used = used - 1 from gone where pool.feature = gone.feature";

/// The directory of the newest version's programs, when PostgreSQL is installed.
pub fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(DEBIAN).ok().into_iter().flatten().flatten();
    let installed = versions.filter_map(|version| {
        let number: u32 = version.file_name().to_str()?.parse().ok()?;
        let programs = version.path().join("bin");
        programs.join("postgres").is_file().then_some((number, programs))
    });
    let newest = installed.max_by_key(|(number, _)| *number).map(|(_, programs)| programs);
    newest.or_else(|| Some(find_program("postgres")?.parent()?.to_owned()))
}

/// Why it cannot be started here, and what helps.
pub fn missing() -> Option<String> {
    if programs().is_none() {
        return Some("PostgreSQL is not installed; on Debian: apt-get install postgresql".to_owned());
    }
    let root = rustix::process::geteuid().is_root();
    let nobody = if root { number_of(USER, "-u").err() } else { None };
    nobody.map(|problem| format!("{problem:#}; make one with useradd, or do not measure as root"))
}

/// One server; dropping ends it.
#[derive(Debug)]
pub struct PostgresServer {
    // Before the process: connections go first.
    pool: Pool,
    process: Process,
    version: String,
}

impl PostgresServer {
    /// Makes a database below this directory, starts its server, and makes the tables with so many seats of each
    /// feature.
    pub async fn start(
        programs: &Path,
        directory: &Path,
        features: usize,
        seats: usize,
    ) -> anyhow::Result<PostgresServer> {
        let home = home(directory)?;
        let data = home.directory.join("data");
        initialize(programs, &home, &data)?;
        let [(port, held)] = free_ports::<1>().context("cannot find a free port for PostgreSQL")?;
        drop(held);
        let mut command = home.command(&programs.join("postgres"), Ending::Quit);
        command.arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1"]);
        // Both are the defaults; they are what makes the comparison fair. A socket in the file system is not needed.
        for setting in ["fsync=on", "synchronous_commit=on", "unix_socket_directories="] {
            command.args(["-c", setting]);
        }
        let log = directory.join("postgres.log");
        let mut process = Process::start(command, Ending::Quit, log)?;
        let pool = pool(port)?;
        wait_until_ready(&pool, &mut process).await?;
        let mut server = PostgresServer { pool, process, version: String::new() };
        server.set_up(features, seats).await.context("cannot set up PostgreSQL's tables")?;
        Ok(server)
    }

    /// `15.18 (Debian 15.18-0+deb12u1)`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The server with the processes of its connections.
    pub fn processes(&self) -> Vec<(String, Vec<u32>)> {
        let mut all = children(self.process.id());
        all.push(self.process.id());
        vec![("postgres".to_owned(), all)]
    }

    /// So many clients, which share the pool's connections.
    pub fn seats(&self, clients: usize, features: usize) -> Vec<PostgresSeats> {
        let seats = (0..clients).map(|number| PostgresSeats {
            pool: self.pool.clone(),
            feature: feature_name(number % features.max(1)),
            holder: format!("user-{}", number + 1),
        });
        seats.collect()
    }

    async fn set_up(&mut self, features: usize, seats: usize) -> anyhow::Result<()> {
        let client = self.pool.get().await?;
        self.version = client.query_one("show server_version", &[]).await?.get(0);
        client.batch_execute(TABLES).await?;
        let seats = i64::try_from(seats.max(1)).context("too many seats")?;
        for number in 0..features {
            let feature = feature_name(number);
            client.execute("insert into pool values ($1, 0, $2)", &[&feature, &seats]).await?;
        }
        Ok(())
    }
}

/// A directory PostgreSQL accepts: it belongs to the user it runs as, who can reach it.
fn home(directory: &Path) -> anyhow::Result<Home> {
    let own = directory.join("postgres");
    std::fs::create_dir_all(&own).context("cannot make a directory for PostgreSQL")?;
    if !rustix::process::geteuid().is_root() {
        return Ok(Home { directory: own, user: None });
    }
    let about = || format!("cannot give {} to the user {USER}", own.display());
    chown(&own, Some(number_of(USER, "-u")?), Some(number_of(USER, "-g")?)).with_context(about)?;
    // A temporary directory is closed to others; they may now pass through, and still not look around.
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o711)).with_context(about)?;
    Ok(Home { directory: own, user: Some(USER.to_owned()) })
}

/// What `id` says of a user.
fn number_of(user: &str, which: &str) -> anyhow::Result<u32> {
    let answer = Command::new("id").args([which, user]).output().context("cannot run id")?;
    let number = String::from_utf8_lossy(&answer.stdout).trim().parse();
    number.with_context(|| format!("PostgreSQL does not run as root, and there is no user {user}"))
}

fn initialize(programs: &Path, home: &Home, data: &Path) -> anyhow::Result<()> {
    let mut command = home.command(&programs.join("initdb"), Ending::Kill);
    command.args(["--auth=trust", "--encoding=UTF8", "--no-locale", "--username", ROLE, "-D"]).arg(data);
    let made = command.output().context("cannot run initdb")?;
    if !made.status.success() {
        let text = String::from_utf8_lossy(&made.stderr).into_owned();
        let user = home.user.as_deref().unwrap_or("you");
        bail!(
            "initdb failed ({}): {}\nhint: {user} must be able to reach {}; --data names another directory",
            made.status,
            last_lines(&text, 3),
            data.display()
        );
    }
    Ok(())
}

fn pool(port: u16) -> anyhow::Result<Pool> {
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).user(ROLE).dbname(ROLE);
    let manager =
        Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
    Pool::builder(manager).max_size(CONNECTIONS).build().context("cannot make a pool of connections")
}

async fn wait_until_ready(pool: &Pool, process: &mut Process) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match pool.get().await {
            Ok(_) => return Ok(()),
            Err(problem) if Instant::now() >= deadline => {
                return Err(problem).with_context(|| {
                    format!("PostgreSQL is not ready after {} s:\n{}", PATIENCE.as_secs(), process.log_tail())
                });
            }
            Err(_) => process.check().context("PostgreSQL did not start")?,
        }
        sleep(LOOK_PAUSE).await;
    }
}

/// A client; it borrows a connection for each request.
#[derive(Debug, Clone)]
pub struct PostgresSeats {
    pool: Pool,
    feature: String,
    holder: String,
}

impl Seats for PostgresSeats {
    /// Number of the row that stands for the seat.
    type Seat = i64;

    async fn checkout(&mut self) -> anyhow::Result<i64> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(CHECKOUT).await?;
        let row = client.query_opt(&statement, &[&self.feature, &self.holder]).await?;
        Ok(row.context("all seats are taken")?.get(0))
    }

    async fn checkin(&mut self, seat: i64) -> anyhow::Result<()> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(CHECKIN).await?;
        if client.execute(&statement, &[&seat]).await? != 1 {
            bail!("the seat was gone");
        }
        Ok(())
    }

    /// The pool replaces broken connections.
    async fn recover(&mut self, _: &anyhow::Error) -> anyhow::Result<()> {
        Ok(())
    }
}
