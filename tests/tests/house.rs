//! The house stays clear while it grows: files of a size that can be read, folders that read like a table of contents, and no
//! circle between the files of a crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Longest file, in lines.
const LONGEST: usize = 450;

/// Most files beside each other.
const MOST_FILES: usize = 16;

const CRATES: [&str; 9] = [
    "licensing-formats",
    "licensing-core",
    "licensing-raft",
    "licensing-client",
    "licensing-daemon",
    "licensing-admin",
    "licensing-server",
    "benches",
    "tests",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above this crate")
}

/// All files of Rust below a directory, and all directories with their number of files.
fn walk(directory: &Path, files: &mut Vec<PathBuf>, rooms: &mut Vec<(PathBuf, usize)>) {
    let mut count = 0;
    for entry in fs::read_dir(directory).expect("a directory of the workspace") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !matches!(name.as_str(), "target" | "snapshots") {
            walk(&path, files, rooms);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            // What only says what is there is no room.
            count += usize::from(!matches!(name.as_str(), "lib.rs" | "mod.rs"));
            files.push(path);
        }
    }
    rooms.push((directory.to_owned(), count));
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn files_can_be_read_and_folders_looked_through() {
    let (mut files, mut rooms) = (Vec::new(), Vec::new());
    for name in CRATES {
        walk(&root().join(name), &mut files, &mut rooms);
    }
    assert!(files.len() > 300, "only {} files were found", files.len());
    let long = files.iter().filter_map(|path| {
        let lines = fs::read_to_string(path).expect("a text").lines().count();
        (lines > LONGEST).then(|| format!("{} has {lines} lines, at most {LONGEST}", shown(path)))
    });
    // Each file directly in it is a test of its own, a list without an order.
    let is_list = |path: &Path| path.ends_with("tests") && path.join("../Cargo.toml").exists();
    let full = rooms.iter().filter(|(path, count)| *count > MOST_FILES && !is_list(path));
    let full = full.map(|(path, count)| format!("{} has {count} files, at most {MOST_FILES}", shown(path)));
    let found: Vec<String> = long.chain(full).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A simulation lets the clock of a host run fast or slow, and every timer of its server with it.
#[test]
fn nodes_and_daemons_read_the_monotonic_clock_through_one_door() {
    /// The door, and what belongs to a simulation and not to a host.
    const OUTSIDE: [&str; 3] = ["time", "engine::tasks", "store::memory"];
    let of_tokio =
        ["Instant", "sleep", "timeout", "interval", "{"].map(|name| format!("tokio::time::{name}"));
    let mut inside = 0;
    for name in ["licensing-raft", "licensing-daemon"] {
        for (module, text) in modules(&root().join(name).join("src")) {
            inside += usize::from(text.contains("time::sleep") || text.contains("time::{"));
            let own = of_tokio.iter().find(|own| text.contains(own.as_str()));
            if !OUTSIDE.contains(&module.as_str()) {
                assert_eq!(own, None, "{name}, {module}: use `licensing_raft::time`");
            }
        }
    }
    assert!(inside > 10, "only {inside} modules were found to wait");
}

/// The modules of a crate by their path (`mastership::pin`), each with its text.
fn modules(source: &Path) -> BTreeMap<String, String> {
    let (mut files, mut rooms) = (Vec::new(), Vec::new());
    walk(source, &mut files, &mut rooms);
    let named = files.into_iter().filter_map(|path| {
        let inside = path.strip_prefix(source).ok()?.with_extension("");
        let mut parts: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if parts.last().is_some_and(|last| last == "mod") {
            parts.pop();
        }
        let is_test = parts.iter().any(|part| part.ends_with("tests") || part == "tests_support");
        // Programs have a crate each, and what is called `lib` names the others.
        let is_root = parts.is_empty() || parts[0] == "bin" || parts == ["lib"];
        let text = fs::read_to_string(&path).expect("a text");
        (!is_test && !is_root).then(|| (parts.join("::"), product_of(&text)))
    });
    named.collect()
}

/// A file without its comments, its tests, and what it passes on.
fn product_of(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// What follows `crate::`, `super::` or `self::` in a text, with braces written out: `a::b`, `a::{b, c::d}`.
fn paths(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in text.match_indices(start) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|before| before.is_alphanumeric() || matches!(before, '_' | ':')) {
                continue;
            }
            written_out(&text[at..], "", &mut found);
        }
    }
    found
}

/// Takes a path from the beginning of a text, and returns what is behind it.
fn written_out<'t>(text: &'t str, before: &str, found: &mut Vec<String>) -> &'t str {
    let text = text.trim_start();
    if let Some(mut inside) = text.strip_prefix('{') {
        loop {
            inside = written_out(inside, before, found).trim_start();
            match inside.strip_prefix(',') {
                Some(rest) if !rest.trim_start().starts_with('}') => inside = rest,
                Some(rest) => return rest.trim_start().strip_prefix('}').unwrap_or(rest),
                None => return inside.strip_prefix('}').unwrap_or(inside),
            }
        }
    }
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '#');
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    let path = if before.is_empty() { name.to_owned() } else { format!("{before}::{name}") };
    match rest.strip_prefix("::") {
        Some(rest)
            if rest.starts_with(|letter: char| letter.is_alphabetic() || letter == '_' || letter == '{') =>
        {
            written_out(rest, &path, found)
        }
        _ => {
            found.push(path);
            // `as` and a glob end a part of a group, too.
            rest.find([',', '}', ';']).map_or("", |end| &rest[end..])
        }
    }
}

/// The module a path leads to, seen from another one; the longest one that there is.
fn target<'m>(from: &str, path: &str, modules: &'m BTreeMap<String, String>) -> Option<&'m str> {
    let mut place: Vec<&str> = from.split("::").collect();
    let mut parts = path.split("::").peekable();
    match parts.next()? {
        "crate" => place.clear(),
        "super" => {
            place.pop();
        }
        _ => {}
    }
    while parts.next_if_eq(&"super").is_some() {
        place.pop();
    }
    place.extend(parts);
    (1..=place.len()).rev().find_map(|length| {
        let name = place[..length].join("::");
        modules.get_key_value(&name).map(|(name, _)| name.as_str())
    })
}

/// Which modules each one uses. A folder's `mod.rs` may use what is in it, and what is in it may use the folder's own things;
/// both at once is a circle.
fn arrows(modules: &BTreeMap<String, String>) -> BTreeMap<&str, BTreeSet<&str>> {
    let uses = modules.iter().map(|(from, text)| {
        let text = passed_on(text);
        let named = paths(&text).into_iter().filter_map(|path| target(from, &path, modules));
        let children =
            modules.keys().map(String::as_str).filter(|name| is_child(from, name) && calls(&text, name));
        (from.as_str(), named.chain(children).filter(|to| to != from).collect())
    });
    uses.collect()
}

fn is_child(folder: &str, name: &str) -> bool {
    name.rsplit_once("::").is_some_and(|(above, _)| above == folder)
}

/// Whether a folder's text says `child::something`.
fn calls(text: &str, child: &str) -> bool {
    let start = format!("{}::", child.rsplit("::").next().unwrap_or(child));
    text.match_indices(&start).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric() && !matches!(before, '_' | ':'))
    })
}

/// A text without its `pub use`, which names and does not use.
fn passed_on(text: &str) -> String {
    let mut kept = String::new();
    let mut inside = false;
    for line in text.lines() {
        let trimmed = line.trim_start();
        inside |= trimmed.starts_with("pub use ") || trimmed.starts_with("pub(crate) use ");
        if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
        inside &= !line.contains(';');
    }
    kept
}

/// The modules that lead back to themselves: whoever uses only what is gone, or is used only by what is gone, goes, until
/// nobody can.
fn in_circles<'m>(arrows: &BTreeMap<&'m str, BTreeSet<&'m str>>) -> BTreeSet<&'m str> {
    let mut left: BTreeSet<&str> = arrows.keys().copied().collect();
    loop {
        let before = left.len();
        let uses = |name: &str| arrows[name].iter().any(|to| left.contains(to));
        let used = |name: &str| left.iter().any(|from| arrows[from].contains(name));
        let stays: BTreeSet<&str> = left.iter().copied().filter(|name| uses(name) && used(name)).collect();
        left = stays;
        if left.len() == before {
            return left;
        }
    }
}

#[test]
fn no_files_of_a_crate_use_each_other_in_a_circle() {
    let mut found = Vec::new();
    for name in CRATES {
        let modules = modules(&root().join(name).join("src"));
        let arrows = arrows(&modules);
        assert!(arrows.values().any(|used| !used.is_empty()), "{name} has no file that uses another");
        let circles = in_circles(&arrows);
        for from in &circles {
            let to: Vec<_> = arrows[from].intersection(&circles).copied().collect();
            found.push(format!("{name}: {from} uses {}", to.join(", ")));
        }
    }
    assert!(found.is_empty(), "a circle is among these:\n{}", found.join("\n"));
}

#[test]
fn a_circle_is_found() {
    let text = |text: &str| product_of(text);
    let modules = BTreeMap::from([
        ("a".to_owned(), text("use crate::b::{\n    self, c::Deep,\n};\n")),
        ("b".to_owned(), text("mod c;\npub use c::Deep;\n")),
        ("b::c".to_owned(), text("fn f() -> super::super::d::Thing {}\n")),
        ("d".to_owned(), text("// crate::a in a comment\nfn f() { crate::a::g(); }\n")),
        ("e".to_owned(), text("use crate::a::g;\n#[cfg(test)]\nmod tests { use crate::f::F; }\n")),
        ("f".to_owned(), text("use super::e::E;\n")),
        ("g".to_owned(), text("mod h;\npub const ONE: u8 = 1;\nfn f() { h::f(); }\n")),
        ("g::h".to_owned(), text("use super::ONE;\n")),
    ]);
    let arrows = arrows(&modules);
    assert_eq!(arrows["a"], BTreeSet::from(["b", "b::c"]));
    assert_eq!(in_circles(&arrows), BTreeSet::from(["a", "b::c", "d", "g", "g::h"]));
}

/// Whoever matches on an error of the house must go on compiling when there is one more.
#[test]
fn public_errors_may_grow() {
    let mut found = Vec::new();
    for name in CRATES.iter().filter(|name| name.starts_with("licensing-")) {
        let (mut files, mut rooms) = (Vec::new(), Vec::new());
        walk(&root().join(name).join("src"), &mut files, &mut rooms);
        for path in files {
            let text = fs::read_to_string(&path).expect("a text");
            let lines: Vec<&str> = text.lines().collect();
            for (place, line) in lines.iter().enumerate() {
                let Some(rest) = line.strip_prefix("pub enum ") else { continue };
                let what = rest.split([' ', '<']).next().unwrap_or_default();
                let before = lines[..place]
                    .iter()
                    .rev()
                    .take_while(|line| line.starts_with("#[") || line.ends_with(")]"));
                let may_grow = before.into_iter().any(|line| line.contains("non_exhaustive"));
                if what.ends_with("Error") && !may_grow {
                    found.push(format!("{}:{}: {what} is not #[non_exhaustive]", shown(&path), place + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A document that sends somebody to a file of the source sends them to one that is there.
#[test]
fn documents_name_files_that_are_there() {
    let mut found = Vec::new();
    let documents =
        ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "tests/README.md", "benches/README.md"];
    for document in documents {
        let text = fs::read_to_string(root().join(document)).expect("a document");
        for name in text.split(|letter: char| letter.is_whitespace() || "`()[],;:\"".contains(letter)) {
            let is_source =
                name.ends_with(".rs") && name.contains('/') && !name.contains(['{', '}', '*', '<']);
            let above = root().join(document);
            let above = above.parent().expect("a directory");
            let places = CRATES.iter().flat_map(|name| [root().join(name), root().join(name).join("src")]);
            let places = places.chain([root().to_owned(), above.to_owned()]);
            let in_short = root().join(format!("licensing-{name}"));
            let there = in_short.exists() || places.into_iter().any(|place| place.join(name).exists());
            if is_source && !there {
                found.push(format!("{document} names {name}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
