//! Bugs that are planted as patches: `tests/mutants/*.patch`. Each is applied to a copy of the workspace, built there,
//! and the command that it names must fail with the words that it names. The product's own files are never touched.
//!
//! `tests/mutants/README.md` says how to write one. `tests/tests/patches.rs` looks at all of them on every change and
//! runs them for `make mutants`.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The lines that a patch begins with, `Bug: …` and so on, in this order.
const FIELDS: [&str; 5] = ["Bug", "Noticed by", "Build", "Run", "Says"];

/// A wrapper of the compiler that changes nothing. Not for `sh`: some drop variables whose names are none of theirs, and
/// cargo tells a test by such a one where a program with a hyphen in its name is.
const WRAPPER: &[u8] = b"#!/usr/bin/env bash\nexec \"$@\"\n";

/// A planted bug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Its file.
    pub path: PathBuf,
    /// What is wrong then.
    pub bug: String,
    /// Who must notice it, for readers.
    pub noticed_by: String,
    /// Must succeed: a bug that does not compile is none.
    pub build: String,
    /// Must fail.
    pub run: String,
    /// Must stand in what the failed command prints: it failed because it noticed, not for another reason.
    pub says: String,
}

impl Patch {
    /// Reads a patch with its header.
    ///
    /// # Errors
    ///
    /// When a line of the header is missing, or a command is not one of cargo.
    pub fn read(path: &Path) -> Result<Patch, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Patch::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Patch, String> {
        let head = text.lines().take_while(|line| !line.starts_with("diff ") && !line.starts_with("--- "));
        let head: Vec<&str> = head.collect();
        let field = |name: &str| {
            let values = head.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            let value = values.map(str::trim).find(|value| !value.is_empty());
            value.map(str::to_owned).ok_or_else(|| {
                format!("{}: no line `{name}: …` before the patch, which needs {FIELDS:?}", path.display())
            })
        };
        let command = |name| {
            let command = field(name)?;
            if command.starts_with("cargo ") {
                return Ok(command);
            }
            Err(format!("{}: {name}: `{command}` is not a command of cargo", path.display()))
        };
        Ok(Patch {
            path: path.to_owned(),
            bug: field("Bug")?,
            noticed_by: field("Noticed by")?,
            build: command("Build")?,
            run: command("Run")?,
            says: field("Says")?,
        })
    }

    /// What it is called: its file's name, without the ending.
    pub fn name(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Whether it fits the files as they are.
    ///
    /// # Errors
    ///
    /// What does not fit.
    pub fn applies(&self) -> Result<(), String> {
        git_apply(&self.path, &root(), &["--check"])
    }
}

/// All there are, by name, or what is wrong with them.
///
/// # Errors
///
/// All that cannot be read.
pub fn all() -> Result<Vec<Patch>, Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mutants");
    let listed = fs::read_dir(&folder).map_err(|error| vec![format!("{}: {error}", folder.display())])?;
    let mut paths: Vec<PathBuf> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "patch"));
    paths.sort();
    let (read, wrong): (Vec<_>, Vec<_>) = paths.iter().map(|path| Patch::read(path)).partition(Result::is_ok);
    let wrong: Vec<String> = wrong.into_iter().filter_map(Result::err).collect();
    if wrong.is_empty() { Ok(read.into_iter().filter_map(Result::ok).collect()) } else { Err(wrong) }
}

/// A copy of the workspace in which bugs are planted one after the other.
///
/// It shares the compiled dependencies with the ordinary build and nothing else: cargo keeps what it compiles with a
/// wrapper of the compiler under names of its own. Without one the copy's packages would have the names of the real ones.
#[derive(Debug)]
pub struct Copy {
    source: PathBuf,
    wrapper: PathBuf,
    build: PathBuf,
    programs: PathBuf,
}

impl Copy {
    /// Copies what git would commit, and what else lies there and is not ignored, into a folder of the target directory.
    ///
    /// # Errors
    ///
    /// Of files and of git.
    pub fn new(target: &Path) -> io::Result<Copy> {
        let folder = target.join("patches");
        let copy = Copy {
            source: folder.join("source"),
            wrapper: folder.join("rustc"),
            build: target.to_owned(),
            programs: folder.join("target"),
        };
        fs::create_dir_all(&copy.source)?;
        write_if_other(&copy.wrapper, WRAPPER)?;
        fs::set_permissions(&copy.wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        Ok(copy)
    }

    /// Plants the bug and says what noticed it.
    ///
    /// # Errors
    ///
    /// That nothing noticed it, or that it could not be tried.
    pub fn judge(&self, patch: &Patch) -> Result<String, String> {
        self.refresh().map_err(|error| format!("cannot copy the workspace: {error}"))?;
        git_apply(&patch.path, &self.source, &[])?;
        let built = self.cargo(&patch.build)?;
        if !built.status.success() {
            return Err(format!("`{}` fails with the bug in place:\n{}", patch.build, printed(&built)));
        }
        let run = self.cargo(&patch.run)?;
        let printed = printed(&run);
        if run.status.success() {
            return Err(format!("`{}` did not notice: {}", patch.run, patch.bug));
        }
        let noticed = printed.lines().find(|line| line.contains(&patch.says));
        noticed
            .map(|line| line.trim().to_owned())
            .ok_or_else(|| format!("`{}` fails, but does not say `{}`:\n{printed}", patch.run, patch.says))
    }

    /// Makes the copy equal to the workspace again. Files that are equal keep their time, so that cargo builds what has
    /// changed and no more.
    fn refresh(&self) -> io::Result<()> {
        let root = root();
        let asked = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
        let listed = Command::new("git").args(asked).current_dir(&root).output()?;
        if !listed.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&listed.stderr).into_owned()));
        }
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        // A file that was deleted and not yet committed is listed too.
        let wanted: BTreeSet<PathBuf> = listed
            .split('\0')
            .map(PathBuf::from)
            .filter(|name| !name.as_os_str().is_empty() && root.join(name).is_file())
            .collect();
        for name in &wanted {
            let place = self.source.join(name);
            if let Some(folder) = place.parent() {
                fs::create_dir_all(folder)?;
            }
            write_if_other(&place, &fs::read(root.join(name))?)?;
        }
        for path in files(&self.source)? {
            if !path.strip_prefix(&self.source).is_ok_and(|name| wanted.contains(name)) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn cargo(&self, command: &str) -> Result<Output, String> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(command.split_whitespace().skip(1)).current_dir(&self.source).stdin(Stdio::null());
        cargo.env("RUSTC_WORKSPACE_WRAPPER", &self.wrapper);
        cargo.env("CARGO_BUILD_BUILD_DIR", &self.build).env("CARGO_TARGET_DIR", &self.programs);
        cargo.output().map_err(|error| format!("cannot start cargo: {error}"))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn git_apply(patch: &Path, folder: &Path, options: &[&str]) -> Result<(), String> {
    let mut git = Command::new("git");
    git.arg("apply").args(options).arg(patch).current_dir(folder);
    if options.is_empty() {
        // Not in the checkout that the copy lies in: there git would leave out what is not below the copy's folder.
        git.env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap_or(folder));
    }
    let done = git.output().map_err(|error| format!("cannot start git: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&done.stderr).into_owned();
    Err(format!("{} no longer fits, move it to where its code is now: {why}", patch.display()))
}

fn write_if_other(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    fs::write(path, bytes)
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let list = if entry.file_type()?.is_dir() { &mut open } else { &mut found };
            list.push(entry.path());
        }
    }
    Ok(found)
}

fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Bug: one is two.\nNoticed by: arithmetic\nBuild: cargo build\nRun: cargo test\nSays: one\n\
                        diff --git a/one b/one\n";

    #[test]
    fn a_header_needs_all_its_lines_and_commands_of_cargo() {
        let path = Path::new("one.patch");
        assert_eq!(Patch::parse(path, GOOD).map(|patch| patch.name()), Ok("one".to_owned()));
        for field in FIELDS {
            let text: Vec<&str> = GOOD.lines().filter(|line| !line.starts_with(field)).collect();
            let error = Patch::parse(path, &text.join("\n")).unwrap_err();
            assert!(error.contains(&format!("one.patch: no line `{field}: …`")), "{error}");
        }
        let shell = GOOD.replace("cargo test", "rm -r /");
        assert_eq!(
            Patch::parse(path, &shell),
            Err("one.patch: Run: `rm -r /` is not a command of cargo".to_owned())
        );
        // A line of the patch itself is no header.
        let late = GOOD.replace("Says: one\n", "") + "+Says: one\n Says: one\n";
        assert!(Patch::parse(path, &late).is_err());
    }

    /// It once did not, and no bug could be planted that a suite of the store's should notice.
    #[test]
    fn the_compiler_hears_of_programs_with_a_hyphen_in_their_names() {
        let target = tempfile::tempdir().unwrap();
        let copy = Copy::new(target.path()).unwrap();
        let told =
            Command::new(&copy.wrapper).arg("env").env("CARGO_BIN_EXE_store-run", "there").output().unwrap();
        assert!(printed(&told).lines().any(|line| line == "CARGO_BIN_EXE_store-run=there"), "{told:?}");
    }
}
