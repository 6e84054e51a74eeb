//! Ports of loopback for servers that are other programs. Such a port has to be free again when the server binds it.
//!
//! Seconds pass between releasing the port and the server's binding. Two parties could take the port in between: the
//! kernel, for an outgoing connection, and another run. Against the kernel, the port lies outside the range for
//! outgoing connections. Against other runs, the process holds a claim in the machine's abstract socket namespace. The
//! claim ends with the process, in any way that ends.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr as UnixAddr, UnixListener},
    },
};

use samklang_verdict::{Problem, message};

/// The lowest port that is claimed. Well-known services use ports below it.
const LOWEST: u16 = 20_000;
/// Linux's default for the first port of outgoing connections.
const OUTGOING: u16 = 32_768;
/// The number of ports that are tried before the claim fails.
const ATTEMPTS: u32 = 1000;

/// A port that is ours: no program listens there, and no other run takes it until this is dropped.
#[derive(Debug)]
pub(super) struct Port {
    number: u16,
    /// Holds the port itself until a server is about to take it.
    listener: Option<TcpListener>,
    _claim: UnixListener,
}

impl Port {
    /// Claims a free port.
    pub(super) fn claim() -> Result<Self, Problem> {
        let highest = first_outgoing();
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match Self::try_claim(fastrand::u16(LOWEST..highest)) {
                Ok(port) => return Ok(port),
                Err(error) => last = Some(error),
            }
        }
        let reason = last.map_or_else(String::new, |error| error.to_string());
        Err(Problem::configuration(message!("process.no-port", from = LOWEST, to = highest, reason = reason)))
    }

    /// Claims that very port.
    pub(super) fn this(number: u16) -> Result<Self, Problem> {
        Self::try_claim(number).map_err(|error| {
            Problem::configuration(message!("process.no-port", from = number, to = number, reason = error))
        })
    }

    fn try_claim(number: u16) -> io::Result<Self> {
        let name = UnixAddr::from_abstract_name(format!("samklang-port-{number}"))?;
        let claim = UnixListener::bind_addr(&name)?;
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, number)))?;
        Ok(Self { number, listener: Some(listener), _claim: claim })
    }

    /// Its number.
    pub(super) fn number(&self) -> u16 {
        self.number
    }

    /// Releases the port so that a server can bind it. The claim stays.
    pub(super) fn make_way(&mut self) {
        self.listener = None;
    }
}

/// The first port that the kernel gives to outgoing connections.
fn first_outgoing() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(OUTGOING);
    // A machine that uses nearly all its ports for outgoing connections leaves no room outside them.
    if first > LOWEST + 1000 { first } else { OUTGOING }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_port_stays_claimed_after_it_is_released_for_a_server() {
        let mut port = Port::claim().unwrap();
        let number = port.number();
        assert!((LOWEST..first_outgoing()).contains(&number));
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_err());
        port.make_way();
        assert!(Port::try_claim(number).is_err());
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok());
        drop(port);
        assert!(Port::try_claim(number).is_ok());
    }
}
