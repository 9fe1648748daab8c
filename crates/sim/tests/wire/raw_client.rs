//! A raw client: plain blocking sockets and hand-written bytes, sharing nothing with the simulator.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use ibkr_connect_sim::{Fault, SimOptions, Simulator};

/// Longer than anything here takes, so that a test that hits it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long silence must last to count as silence.
pub(crate) const A_WHILE: Duration = Duration::from_millis(150);

pub(crate) struct RawClient {
    pub(crate) stream: TcpStream,
}

pub(crate) fn simulator(faults: &[&str]) -> Simulator {
    Simulator::start(SimOptions { faults: parse(faults), ..SimOptions::default() }).unwrap()
}

pub(crate) fn parse(faults: &[&str]) -> Vec<Fault> {
    faults.iter().map(|fault| fault.parse().unwrap()).collect()
}

impl RawClient {
    pub(crate) fn connect(simulator: &Simulator) -> Self {
        let stream = TcpStream::connect(simulator.addr()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    /// A client whose handshake is complete.
    pub(crate) fn handshaken(simulator: &Simulator, client_id: u8) -> Self {
        let mut client = Self::started(simulator, client_id);
        client.frames_until(9);
        client
    }

    /// A client that has sent startApi and read nothing after the acknowledgement.
    pub(crate) fn started(simulator: &Simulator, client_id: u8) -> Self {
        let mut client = Self::acknowledged(simulator);
        client.start_api(client_id);
        client
    }

    /// A client in mid-handshake: acknowledged, and yet to send startApi.
    pub(crate) fn acknowledged(simulator: &Simulator) -> Self {
        let mut client = Self::connect(simulator);
        client.greet();
        assert!(client.acknowledgement().starts_with("226\0"));
        client
    }

    pub(crate) fn greet(&mut self) {
        self.write(b"API\0\x00\x00\x00\x09v213..226");
    }

    pub(crate) fn start_api(&mut self, client_id: u8) {
        self.request(71, &[8, client_id]);
    }

    pub(crate) fn request(&mut self, id: u32, body: &[u8]) {
        let length = u32::try_from(body.len() + 4).unwrap();
        self.write(&[&length.to_be_bytes(), &(id + 200).to_be_bytes(), body].concat());
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub(crate) fn acknowledgement(&mut self) -> String {
        String::from_utf8(self.payload().unwrap()).unwrap()
    }

    /// The id and body of the next frame.
    pub(crate) fn frame(&mut self) -> io::Result<(u32, Vec<u8>)> {
        let payload = self.payload()?;
        let (id, body) = payload.split_at(4);
        Ok((u32::from_be_bytes(id.try_into().unwrap()) - 200, body.to_vec()))
    }

    /// All frames up to and including the first with this id.
    pub(crate) fn frames_until(&mut self, id: u32) -> Vec<(u32, Vec<u8>)> {
        let mut frames = Vec::new();
        while frames.last().is_none_or(|(last, _)| *last != id) {
            frames.push(self.frame().unwrap());
        }
        frames
    }

    fn payload(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut payload = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut payload)?;
        Ok(payload)
    }

    /// Asserts that nothing comes, and that the connection stays.
    pub(crate) fn assert_silence(&mut self) {
        self.stream.set_read_timeout(Some(A_WHILE)).unwrap();
        let result = self.stream.read(&mut [0; 64]);
        assert!(matches!(&result, Err(error) if error.kind() == ErrorKind::WouldBlock), "{result:?}");
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    }

    /// Asserts that the next thing is FIN.
    pub(crate) fn assert_closed(&mut self) {
        assert_eq!(self.stream.read(&mut [0; 64]).unwrap(), 0);
    }

    /// Asserts that the next thing is RST.
    pub(crate) fn assert_reset(&mut self) {
        assert_eq!(self.stream.read(&mut [0; 64]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    /// Sends FIN and keeps reading.
    pub(crate) fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Leaves with RST.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}
