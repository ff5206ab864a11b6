//! What files from real life brought: each is read, with a word where something is odd, or refused with what to do.

use licensing_formats::License;

const SERVERS: &str = "SERVER a ANY 27000\nSERVER b ANY 27001\nSERVER c ANY 27002\n";
const LINE: &str = "INCREMENT solver acme 1.0 permanent 5 SIGN=0\n";

fn warnings(text: &str) -> Vec<String> {
    let license = License::parse(text).unwrap_or_else(|errors| panic!("{errors}\nin\n{text}"));
    license.warnings.iter().map(ToString::to_string).collect()
}

fn refused(text: &str) -> String {
    License::parse(text).expect_err("it is refused").to_string()
}

#[test]
fn the_older_spelling_of_the_interval_is_read() {
    for written in ["SERVER_TIMEOUT=10", "server_timeout=10"] {
        let text = format!("SERVER a ANY 27000 PRIMARY_IS_MASTER {written}\nVENDOR acme\n{LINE}");
        let license = License::parse(&text).unwrap();
        assert_eq!(license.heartbeat_interval().map(|interval| interval.seconds()), Some(10), "{written}");
        assert_eq!(
            warnings(&text),
            ["1:38: SERVER_TIMEOUT is the older spelling, read as HEARTBEAT_INTERVAL"]
        );
    }
    let twice = format!("SERVER a ANY 27000 SERVER_TIMEOUT=10 HEARTBEAT_INTERVAL=10\nVENDOR acme\n{LINE}");
    assert!(refused(&twice).contains("HEARTBEAT_INTERVAL stands twice on the line"), "{}", refused(&twice));
    let wrong = format!("SERVER a ANY 27000 SERVER_TIMEOUT=400\nVENDOR acme\n{LINE}");
    assert!(refused(&wrong).contains("more than 120"), "{}", refused(&wrong));
}

#[test]
fn addresses_in_brackets_are_read_without_them() {
    let license = License::parse(&format!("SERVER [2001:db8::7] ANY 27000\nVENDOR acme\n{LINE}")).unwrap();
    assert_eq!(license.servers[0].host, "2001:db8::7");
    let both =
        format!("SERVER [::1] ANY 27000\nSERVER ::1 ANY 27000\nSERVER c ANY 27000\nVENDOR acme\n{LINE}");
    assert!(refused(&both).contains("stands on line 1 already"), "{}", refused(&both));
    for host in ["[::1", "[alpha]", "[]", "[::1]]"] {
        let problem = refused(&format!("SERVER {host} ANY 27000\nVENDOR acme\n{LINE}"));
        assert!(problem.contains("is not an IPv6 address in brackets"), "{host}: {problem}");
    }
}

/// Whether the first digit is a letter must not decide what a word is.
#[test]
fn keys_of_any_length_are_keys_and_odd_lengths_are_told() {
    for (key, told) in [
        ("0123456789AB", None),
        ("BC9DE773A77D15AF", None),
        ("0123456789ABCDEF0123", None),
        ("4C9D3348561BE9E3B", Some(17)),
        ("BC9DE773A77D15AF8", Some(17)),
        ("BC9DE773A", Some(9)),
    ] {
        let text = format!("{SERVERS}VENDOR acme\nINCREMENT editor acme 18 01-sep-2030 1 {key} SIGN2=0\n");
        assert_eq!(License::parse(&text).unwrap().features[0].key.as_deref(), Some(key));
        let expected = told.map(|digits| {
            format!(
                "5:40: the license key has {digits} digits, keys have 12, 16 or 20: compare it with the publisher's file"
            )
        });
        assert_eq!(warnings(&text), Vec::from_iter(expected), "{key}");
    }
    // A publisher's own attribute may be made of such letters.
    let text = format!("{SERVERS}VENDOR acme\nINCREMENT editor acme 18 01-sep-2030 1 DEADBEEF SIGN=0\n");
    assert!(License::parse(&text).unwrap().features[0].attributes.contains_key("DEADBEEF"));
}

#[test]
fn a_line_that_a_mail_program_quoted_is_named() {
    for quoted in [
        "> INCREMENT mesher acme 1.0 permanent 4 SIGN=0",
        ">INCREMENT mesher acme 1.0 permanent 4 SIGN=0",
        ">> INCREMENT mesher acme 1.0 permanent 4 SIGN=0",
        "> > INCREMENT mesher acme 1.0 permanent 4 SIGN=0",
    ] {
        let told = warnings(&format!("{SERVERS}VENDOR acme\n{LINE}{quoted}\n"));
        let expected = "6:1: this INCREMENT line is not read: a mail program put > before it; remove the >, or start the \
                        line with #";
        assert_eq!(told, [expected], "{quoted}");
    }
    let told = warnings(&format!("{SERVERS}VENDOR acme\n{LINE}> with kind regards\n"));
    assert_eq!(told, ["6:1: text without a keyword taken for a comment; start the line with #"]);
}

#[test]
fn a_file_with_the_vendor_first_is_called_by_its_name() {
    let problem = refused(
        "SERVER alpha 0019d244e9fc 5053\nDAEMON acme\nFEATURE acme solver 3.0 permanent 4 sig=\"0\"\n",
    );
    assert!(problem.contains("as in RLM license files, which name the vendor first"), "{problem}");
    let other = refused(&format!("{SERVERS}VENDOR acme\nINCREMENT solver other 1.0 permanent 5 SIGN=0\n"));
    assert!(other.contains("the vendor `other` is not `acme` of the VENDOR line"), "{other}");
}

/// A license that was issued anew spells the same machine in another way.
#[test]
fn the_same_host_ids_are_the_same_servers_however_they_are_written() {
    let of = |id: &str| {
        let text = format!("SERVER alpha {id} 27000\nVENDOR acme\n{LINE}");
        License::parse(&text).unwrap().triad_identity()
    };
    for spelling in ["0019D244E9FC", "00-19-d2-44-e9-fc", "00:19:D2:44:E9:FC"] {
        assert_eq!(of(spelling), of("0019d244e9fc"), "{spelling}");
    }
    assert_ne!(of("0019d244e9fd"), of("0019d244e9fc"));
}
