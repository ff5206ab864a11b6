//! Whose data directory this is: locked while in use, refused when it is another server's or nobody's.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use licensing_core::id::Role;

use crate::error::StartError;
use crate::membership::standing::{Standing, StandingKeeper, TriadId};
use crate::store::files::{io_error, sync_directory};

/// Format of the data directory as a whole.
pub const FORMAT: u32 = 1;

/// The data directory of one server, locked while it is open.
pub(crate) struct DataDirectory {
    path: PathBuf,
    role: Role,
    triad: String,
    standing: Mutex<Standing>,
    lock: File,
}

impl DataDirectory {
    /// Opens or makes the directory. A directory with unknown content is refused: it is somebody's.
    pub(crate) fn open(path: &Path, role: Role, triad: &str) -> Result<DataDirectory, StartError> {
        make_directory(path).map_err(|source| io_error("make directory", path, source))?;
        let lock_path = path.join("lock");
        let stranger = || StartError::DataDirectory {
            path: path.to_owned(),
            problem: "it holds other files and none of a license server: give an empty directory".to_owned(),
        };
        let triad_path = path.join("triad");
        if !triad_path.exists() && !lock_path.exists() && !is_empty(path)? {
            return Err(stranger());
        }
        let lock = File::options().create(true).append(true).open(&lock_path);
        let lock = lock.map_err(|source| io_error("write", &lock_path, source))?;
        lock.try_lock().map_err(|_| StartError::DataDirectory {
            path: path.to_owned(),
            problem: "another server is running on it: stop that one first".to_owned(),
        })?;
        let standing = match fs::read_to_string(&triad_path) {
            Ok(text) => read_triad_file(path, &text, role, triad)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Standing::Unborn,
            Err(source) => return Err(io_error("read", &triad_path, source)),
        };
        let directory = DataDirectory {
            path: path.to_owned(),
            role,
            triad: triad.to_owned(),
            standing: Mutex::new(standing),
            lock,
        };
        directory.write(&standing).map_err(|source| io_error("write", &triad_path, source))?;
        Ok(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Moves log, vote, mark and snapshots into a directory of their own, out of the way but not lost.
    pub(crate) fn set_damaged_aside(&self) -> Result<PathBuf, StartError> {
        let aside =
            (1..).map(|number| self.path.join(format!("damaged-{number}"))).find(|path| !path.exists());
        let aside = aside.unwrap_or_else(|| self.path.join("damaged"));
        fs::create_dir(&aside).map_err(|source| io_error("make directory", &aside, source))?;
        let listing = fs::read_dir(&self.path).map_err(|source| io_error("list", &self.path, source))?;
        for file in listing.flatten() {
            let name = file.file_name();
            let text = name.to_string_lossy();
            if ["log", "vote", "mark"].contains(&&*text) || text.starts_with("snapshot-") {
                let from = file.path();
                fs::rename(&from, aside.join(&name)).map_err(|source| io_error("move", &from, source))?;
            }
        }
        sync_directory(&self.path).map_err(|source| io_error("sync", &self.path, source))?;
        Ok(aside)
    }

    fn text(&self, standing: &Standing) -> String {
        let mut text = format!(
            "format={FORMAT}\nrole={}\ntriad={}\nstanding={}\n",
            self.role,
            self.triad,
            standing.word()
        );
        if let Some(triad_id) = standing.triad_id() {
            text.push_str(&format!("triad_id={triad_id}\n"));
        }
        text
    }
}

impl StandingKeeper for DataDirectory {
    fn read(&self) -> Standing {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, standing: &Standing) -> io::Result<()> {
        let mut current = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let temporary = self.path.join("triad.new");
        let mut file = File::create(&temporary)?;
        file.write_all(self.text(standing).as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, self.path.join("triad"))?;
        sync_directory(&self.path)?;
        *current = *standing;
        Ok(())
    }

    fn release(&self) {
        // A lock that cannot be given up ends with the process at the latest.
        let _ = self.lock.unlock();
    }
}

/// Makes the directory, and its name durable: without that a power cut may take a new directory away with everything
/// that was synced inside it.
fn make_directory(path: &Path) -> io::Result<()> {
    let mut unsure: Vec<&Path> = path.ancestors().take_while(|path| !path.exists()).collect();
    // One that was made by hand, or by a start that came no further.
    if unsure.is_empty() && !path.join("triad").exists() {
        unsure.push(path);
    }
    fs::create_dir_all(path)?;
    for parent in unsure.into_iter().filter_map(Path::parent) {
        let here = Path::new(".");
        sync_directory(if parent.as_os_str().is_empty() { here } else { parent })?;
    }
    Ok(())
}

fn is_empty(path: &Path) -> Result<bool, StartError> {
    let mut listing = fs::read_dir(path).map_err(|source| io_error("list", path, source))?;
    // A file system of its own brings the first along; a power cut in the first start of all leaves the second.
    let harmless = ["lost+found", "triad.new"];
    Ok(listing.all(|file| file.is_ok_and(|file| harmless.iter().any(|name| file.file_name() == *name))))
}

fn read_triad_file(path: &Path, text: &str, role: Role, triad: &str) -> Result<Standing, StartError> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let broken = |what: &str| StartError::DataDirectory {
        path: path.join("triad"),
        problem: format!(
            "{what}: if the file was edited restore it, else move the whole directory away and start empty, \
             the server catches up from the others"
        ),
    };
    let format =
        value("format").and_then(|text| text.parse().ok()).ok_or_else(|| broken("it names no format"))?;
    if format > FORMAT {
        return Err(StartError::NewerFormat { path: path.to_owned(), found: format, known: FORMAT });
    }
    let found_role = value("role").ok_or_else(|| broken("it names no role"))?;
    let found_triad = value("triad").ok_or_else(|| broken("it names no triad"))?;
    if found_role != role.name() || found_triad != triad {
        return Err(StartError::ForeignDirectory {
            path: path.to_owned(),
            found_role: found_role.to_owned(),
            found_triad: found_triad.to_owned(),
            own_role: role,
            own_triad: triad.to_owned(),
        });
    }
    let triad_id = value("triad_id").and_then(TriadId::from_hex);
    value("standing")
        .and_then(|word| Standing::from_words(word, triad_id))
        .ok_or_else(|| broken("it names no standing this program knows"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIAD: &str = "demo ANY ANY ANY";

    fn open(path: &Path) -> Result<DataDirectory, StartError> {
        DataDirectory::open(path, Role::Primary, TRIAD)
    }

    #[test]
    fn a_standing_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(open(dir.path()).unwrap().read(), Standing::Unborn);
        let triad_id = TriadId([7; 16]);
        for standing in [
            Standing::Founding { triad_id },
            Standing::Member { triad_id },
            Standing::Joining { triad_id: Some(triad_id) },
            Standing::Joining { triad_id: None },
        ] {
            open(dir.path()).unwrap().write(&standing).unwrap();
            assert_eq!(open(dir.path()).unwrap().read(), standing);
        }
    }

    /// Every refusal names the directory and says what to do.
    fn check_refused(prepare: impl FnOnce(&Path), expected: &str) {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        let error = open(dir.path()).err().expect("must be refused").to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains(&dir.path().display().to_string()), "{error}");
    }

    #[test]
    fn somebody_elses_directory_is_refused() {
        check_refused(
            |path| fs::write(path.join("thesis.txt"), "chapter 1").unwrap(),
            "give an empty directory",
        );
        check_refused(
            |path| drop(DataDirectory::open(path, Role::Secondary, TRIAD).unwrap()),
            "belongs to the secondary of triad `demo ANY ANY ANY`",
        );
        check_refused(
            |path| drop(DataDirectory::open(path, Role::Primary, "acme ANY ANY ANY").unwrap()),
            "belongs to the primary of triad `acme ANY ANY ANY`",
        );
        check_refused(|path| fs::write(path.join("triad"), "format=2\n").unwrap(), "upgrade this server");
        check_refused(|path| fs::write(path.join("triad"), "nonsense").unwrap(), "it names no format");
    }

    #[test]
    fn a_directory_in_use_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let _running = open(dir.path()).unwrap();
        let error = open(dir.path()).err().expect("must be refused").to_string();
        assert!(error.contains("another server is running on it"), "{error}");
    }
}
