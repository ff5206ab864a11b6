//! Command lines that cannot work: each with its error, in words that name the thing.

use std::process::Command;

#[test]
fn nobody_to_ask_is_said() {
    let output = Command::new(env!("CARGO_BIN_EXE_licensectl"))
        .arg("status")
        .env_remove("LM_LICENSE_FILE")
        .env_remove("RLM_LICENSE")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.starts_with("error: no license server is named"), "{error}");
    assert!(error.contains("\nhint: name the servers with -c "), "{error}");
}
