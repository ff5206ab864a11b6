//! The personality `lmutil`.

use std::process::Stdio;

use licensing_core::id::Role;
use licensing_tests::process::programs;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::support::{Holder, PATIENCE, command, ended, lmutil, triad};

#[tokio::test]
async fn lmutil_speaks_as_it_always_did() {
    let mut triad = triad().await;
    let mut holder = Holder::start(
        &triad,
        &[
            "checkout",
            "f1",
            "--count",
            "2",
            "--user",
            "ann",
            "--host",
            "ws-07",
            "--display",
            ":0",
            "--hold",
            "--json",
        ],
    );
    let handle = holder.event("granted").await["handle"].to_string();
    let port = |role| triad.address(role).port;
    let report = ended(&lmutil(&triad, &["lmstat", "-a"]).await, 0);
    let [first, second, third] = Role::ALL.map(port);
    for line in [
        &format!("License server status: {first}@127.0.0.1,{second}@127.0.0.1,{third}@127.0.0.1"),
        &format!("    License file(s) on 127.0.0.1: {}:", triad.license_path().display()),
        " 127.0.0.1: license server UP (MASTER) v0.1.0",
        " 127.0.0.1: license server UP v0.1.0",
        "Vendor daemon status (on 127.0.0.1):",
        "      demo: UP v0.1.0",
        "Users of f1:  (Total of 10 licenses issued;  Total of 2 licenses in use)",
        "  \"f1\" v1.0, vendor: demo, expiry: permanent(no expiration date)",
        "Users of f2:  (Total of 3 licenses issued;  Total of 0 licenses in use)",
    ] {
        assert!(report.lines().any(|found| found == line), "`{line}` is missing:\n{report}");
    }
    let user = report.lines().find(|line| line.contains(" ann ")).unwrap();
    assert!(
        user.starts_with(&format!("    ann ws-07 :0 (v0.000) (127.0.0.1/{first} {handle}), start ")),
        "{user}"
    );
    assert!(user.ends_with(", 2 licenses"), "{user}");

    let unknown = ended(&lmutil(&triad, &["lmstat", "-f", "f9"]).await, 0);
    assert!(
        unknown.ends_with("Users of f9: Cannot get users of f9: No such feature exists. (-5,222)\n"),
        "{unknown}"
    );
    ended(&lmutil(&triad, &["lmborrow"]).await, 2);
    assert!(ended(&lmutil(&triad, &["lmver"]).await, 0).contains("v0.1.0"));

    let path = triad.search_path().to_string();
    let mut asked = command(&programs().lmutil, &triad, &["lmdown", "-c", &path]);
    let mut asked = asked.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    asked.stdin.take().unwrap().write_all(b"n\n").await.unwrap();
    let kept = timeout(PATIENCE, asked.wait_with_output()).await.unwrap().unwrap();
    let kept = ended(&kept, 0);
    assert!(
        kept.contains(&format!("1) {path} demo \n")) && kept.ends_with("Are you sure (y/n)?  "),
        "{kept}"
    );

    let downed = ended(&lmutil(&triad, &["lmdown", "-q"]).await, 0);
    assert!(downed.ends_with("    3 FlexNet License Servers shut down\n"), "{downed}");
    for role in Role::ALL {
        assert!(triad.wait_for_exit(role).await.unwrap().success());
    }
    let nobody = ended(&lmutil(&triad, &["lmstat"]).await, 241);
    let refused = "Error getting status: Cannot connect to license server system. (-15,570:111 \"Connection refused\")\n";
    assert!(nobody.ends_with(refused), "{nobody}");
}
