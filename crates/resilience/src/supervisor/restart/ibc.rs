//! IBC's command server: a line over TCP, and a line back.
//!
//! It may greet with `INFO` lines and a prompt without a line end, both as the user of IBC has set it; the answer is `OK` or
//! `ERROR` and a text. It takes clients one after the other.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// For the connection, and for each line.
const PATIENCE: Duration = Duration::from_secs(10);
/// More is not an answer.
const LONGEST: u64 = 64 * 1024;

/// Why it can't be reached. Nobody is connected to: it takes one client at a time, and may start later.
pub(super) fn problem(host: &str, port: u16) -> Option<String> {
    match (host, port).to_socket_addrs().map(|mut addresses| addresses.next()) {
        Ok(Some(_)) => None,
        Ok(None) => Some(format!("IBC at {host}:{port}: the name has no address")),
        Err(error) => Some(format!("IBC at {host}:{port}: {error}")),
    }
}

/// Asks for a restart.
pub(super) fn restart(host: &str, port: u16) -> Result<String, String> {
    let failed = |what: &str, error: std::io::Error| format!("IBC at {host}:{port}: {what}: {error}");
    let mut stream = connect(host, port).map_err(|error| failed("can't connect", error))?;
    stream.write_all(b"RESTART\n").map_err(|error| failed("can't be written to", error))?;
    let mut lines = BufReader::new(Read::take(&stream, LONGEST));
    loop {
        let mut line = String::new();
        let length = lines.read_line(&mut line).map_err(|error| failed("did not answer", error))?;
        if length == 0 {
            return Err(format!("IBC at {host}:{port} closed the connection without an answer"));
        }
        if let Some(answer) = answer(line.trim()) {
            // A courtesy: the answer is there already.
            let _ = (&stream).write_all(b"EXIT\n");
            return answer.map(|text| format!("IBC: {text}")).map_err(|text| format!("IBC refused: {text}"));
        }
    }
}

fn connect(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::other("the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The answer in a line, which a prompt may precede.
fn answer(line: &str) -> Option<Result<String, String>> {
    let mut words = line.split_whitespace().skip_while(|word| !is_verdict(word));
    let verdict = words.next()?;
    let text = words.collect::<Vec<_>>().join(" ");
    let is_info = line.starts_with("INFO");
    (!is_info).then_some(if verdict.ends_with("OK") { Ok(text) } else { Err(text) })
}

fn is_verdict(word: &str) -> bool {
    word.ends_with("OK") || word.ends_with("ERROR")
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Serves one client with this text, and says what it was told.
    fn served(text: &'static str) -> (Result<String, String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut command = String::new();
            BufReader::new(client.try_clone().unwrap()).read_line(&mut command).unwrap();
            client.write_all(text.as_bytes()).unwrap();
            command
        });
        (restart("127.0.0.1", port), server.join().unwrap())
    }

    #[test]
    fn its_answer_is_the_outcome_whatever_comes_before_it() {
        for (text, outcome) in [
            ("OK Restarting\r\n", Ok("IBC: Restarting")),
            ("INFO IBC Command Server\nIBC> OK Restarting\n", Ok("IBC: Restarting")),
            ("IBC>OK \n", Ok("IBC: ")),
            ("ERROR Command invalid\n", Err("IBC refused: Command invalid")),
            ("", Err("closed the connection without an answer")),
        ] {
            let (got, command) = served(text);
            assert_eq!(command, "RESTART\n");
            match outcome {
                Ok(expected) => assert_eq!(got.as_deref(), Ok(expected), "{text}"),
                Err(part) => assert!(got.unwrap_err().contains(part), "{text}"),
            }
        }
    }

    #[test]
    fn nobody_there_is_said_so() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert!(restart("127.0.0.1", port).unwrap_err().contains("can't connect"));
    }
}
