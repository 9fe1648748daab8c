//! How a Gateway that is stuck can be restarted.

/// What to do to restart the Gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayRestart {
    /// Run this program with these arguments, without a shell.
    Command(Vec<String>),
    /// Send `RESTART` to the command server of IBC.
    Ibc {
        /// Its host.
        host: String,
        /// Its port, 7462 unless IBC's `CommandServerPort` says otherwise.
        port: u16,
    },
}

/// Reads `off`, `ibc:HOST:PORT` or a command line.
pub(super) fn gateway_restart(text: &str) -> Result<Option<GatewayRestart>, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    if let Some(address) = text.strip_prefix("ibc:") {
        return ibc(address).map(Some);
    }
    let words = shell_words::split(text).map_err(|error| format!("expected a command line: {error}"))?;
    match words.first() {
        Some(program) if !program.is_empty() => Ok(Some(GatewayRestart::Command(words))),
        _ => Err("expected off, a command line, or ibc:HOST:PORT".to_owned()),
    }
}

fn ibc(address: &str) -> Result<GatewayRestart, String> {
    let expected = || "expected ibc:HOST:PORT, e.g. ibc:127.0.0.1:7462".to_owned();
    let (host, port) = address.rsplit_once(':').ok_or_else(expected)?;
    let (Ok(host), Ok(port)) = (super::parse::host(host), super::parse::port(port)) else {
        return Err(expected());
    };
    Ok(GatewayRestart::Ibc { host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_as_a_shell_would_and_run_by_none() {
        let command = |words: &[&str]| {
            Ok(Some(GatewayRestart::Command(words.iter().map(|&word| word.to_owned()).collect())))
        };
        assert_eq!(
            gateway_restart("systemctl restart 'ib gateway'"),
            command(&["systemctl", "restart", "ib gateway"])
        );
        assert_eq!(gateway_restart("restart $HOME && x"), command(&["restart", "$HOME", "&&", "x"]));
    }

    #[test]
    fn an_address_of_ibc_has_a_host_and_a_port() {
        let ibc = |host: &str| Ok(Some(GatewayRestart::Ibc { host: host.to_owned(), port: 7462 }));
        assert_eq!(gateway_restart("ibc:127.0.0.1:7462"), ibc("127.0.0.1"));
        assert_eq!(gateway_restart("ibc:[::1]:7462"), ibc("::1"));
        for wrong in ["ibc:", "ibc:localhost", "ibc:7462", "ibc::7462", "ibc:localhost:0", "ibc:a b:1"] {
            assert!(gateway_restart(wrong).unwrap_err().contains("ibc:HOST:PORT"), "{wrong}");
        }
    }

    #[test]
    fn off_and_nonsense() {
        assert_eq!(gateway_restart(" OFF "), Ok(None));
        assert!(gateway_restart("restart 'it").unwrap_err().contains("missing closing quote"));
        assert!(gateway_restart("'' x").is_err());
    }
}
