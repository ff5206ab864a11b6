//! The one-line answers for load balancers and for people with netcat: `STATUS` in, `license server UP …` out.
//!
//! `UP` only from the server that serves right now, so that a health check sends clients to the master and nowhere
//! else.

use licensing_client::ServerAddress;
use licensing_client::protocol::Whereabouts;

/// The answer to anything that is not `STATUS`.
const UNKNOWN: &str = "ERROR unknown request, try STATUS\r\n";

/// The answer to a line of text; its line end may be there or not.
pub(super) fn answer(line: &str, whereabouts: &Whereabouts, quorum: bool, version: &str) -> String {
    if !line.trim_end().eq_ignore_ascii_case("STATUS") {
        return UNKNOWN.to_owned();
    }
    let role = whereabouts.role;
    match &whereabouts.master {
        Some(master) if master.role == role => {
            format!("license server UP (MASTER) v{version} role={role}\r\n")
        }
        Some(master) => {
            let address = ServerAddress::new(&master.host, master.port).host_and_port();
            format!("license server DOWN (STANDBY) v{version} role={role} master={address}\r\n")
        }
        None if quorum => format!("license server DOWN (STANDBY) v{version} role={role} master=none\r\n"),
        None => format!("license server DOWN (NO QUORUM) v{version} role={role}\r\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use licensing_client::protocol::MasterAddress;
    use licensing_core::id::Role;

    #[test]
    fn only_the_serving_master_is_up() {
        let whereabouts = |role, master: Option<Role>| Whereabouts {
            role,
            master: master.map(|role| MasterAddress { role, host: "pat".to_owned(), port: 27001 }),
        };
        let primary = Some(Role::Primary);
        for (line, whereabouts, quorum, says) in [
            ("STATUS\r\n", whereabouts(Role::Primary, primary), true, "UP (MASTER) vV role=primary"),
            (
                "status\n",
                whereabouts(Role::Secondary, primary),
                true,
                "DOWN (STANDBY) vV role=secondary master=pat:27001",
            ),
            ("STATUS", whereabouts(Role::Primary, None), true, "DOWN (STANDBY) vV role=primary master=none"),
            ("STATUS", whereabouts(Role::Tertiary, None), false, "DOWN (NO QUORUM) vV role=tertiary"),
        ] {
            let says = format!("license server {}\r\n", says.replace("vV", "v1.2"));
            assert_eq!(answer(line, &whereabouts, quorum, "1.2"), says);
        }
        assert_eq!(answer("GET / HTTP/1.1\r\n", &whereabouts(Role::Primary, primary), true, "1.2"), UNKNOWN);
    }
}
