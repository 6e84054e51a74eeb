//! A DNS responder for the names of one run. It forwards nothing, so that no server waits for a name server outside.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{DNSClass, RData, Record, RecordType, rdata::A},
};
use samklang_verdict::{Problem, message};
use tokio::{net::UdpSocket, task::JoinHandle};

/// The zone of every run. RFC 6761, section 6.2, reserves it for tests.
const ZONE: &str = ".test";

/// How long an answer may be cached, in seconds. It is short, so that a server that moves is soon found again.
const TTL: u32 = 5;

/// The largest query that is read. A longer one is cut off and is then malformed.
const LARGEST_QUERY: usize = 4_096;

/// A DNS responder on UDP for one stage.
#[derive(Debug)]
pub struct DnsResponder {
    address: SocketAddr,
    zone: Arc<Zone>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Zone {
    gateway: Ipv4Addr,
    names: Mutex<BTreeMap<String, Ipv4Addr>>,
}

impl DnsResponder {
    /// Answers on `address`. Every name under `.test` has the address `gateway`.
    ///
    /// # Errors
    /// Fails if the port is taken or if this process lacks the rights for it. The stage then writes names into the
    /// servers' hosts files.
    pub async fn open(address: SocketAddr, gateway: Ipv4Addr) -> Result<Self, Problem> {
        let refused = |error: io::Error| match error.kind() {
            io::ErrorKind::PermissionDenied => {
                Problem::configuration(message!("dns.not-permitted", address = address))
            }
            io::ErrorKind::AddrInUse => Problem::configuration(message!("dns.port-taken", address = address)),
            _ => Problem::engine(message!("dns.not-opened", address = address, detail = error)),
        };
        let socket = UdpSocket::bind(address).await.map_err(refused)?;
        let address = socket.local_addr().map_err(refused)?;
        let zone = Arc::new(Zone { gateway, names: Mutex::default() });
        let task = tokio::spawn(answer_all(socket, Arc::clone(&zone)));
        Ok(Self { address, zone, task })
    }

    /// The address on which it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives `name` an address of its own, in place of the gateway's.
    pub fn set(&self, name: &str, address: Ipv4Addr) {
        lock(&self.zone.names).insert(plain(name), address);
    }

    /// Stops answering and frees the port.
    pub async fn close(mut self) {
        self.task.abort();
        // The task ends only by that abort.
        let _ = (&mut self.task).await;
    }
}

impl Drop for DnsResponder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer_all(socket: UdpSocket, zone: Arc<Zone>) {
    let mut buffer = [0; LARGEST_QUERY];
    loop {
        // An error here is about an earlier answer that did not arrive. The next query may still arrive.
        let Ok((length, asker)) = socket.recv_from(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        if let Some(answer) = zone.answer(&buffer[..length]) {
            let _ = socket.send_to(&answer, asker).await;
        }
    }
}

impl Zone {
    /// The response to one packet, or `None` if the packet is not a query.
    fn answer(&self, packet: &[u8]) -> Option<Vec<u8>> {
        let query = Message::from_vec(packet).ok()?;
        if query.message_type() != MessageType::Query {
            return None;
        }
        let mut answer = Message::new();
        answer
            .set_id(query.id())
            .set_message_type(MessageType::Response)
            .set_op_code(query.op_code())
            .set_recursion_desired(query.recursion_desired())
            .set_recursion_available(true)
            .set_authoritative(true)
            .add_queries(query.queries().to_vec());
        if query.extensions().is_some() {
            answer.set_edns(Edns::new());
        }
        let code = match query.queries() {
            _ if query.op_code() != OpCode::Query => ResponseCode::NotImp,
            [question] => self.look_up(question, &mut answer),
            _ => ResponseCode::FormErr,
        };
        answer.set_response_code(code).to_vec().ok()
    }

    fn look_up(&self, question: &Query, answer: &mut Message) -> ResponseCode {
        let name = plain(&question.name().to_ascii());
        let own = lock(&self.names).get(&name).copied();
        if own.is_none() && !name.ends_with(ZONE) {
            return ResponseCode::NXDomain;
        }
        // Service records have names of their own (`_matrix-fed._tcp.a.test`), and a run has none of them. Other record
        // types do not exist at names that do exist: the response "no such name" would deny the address as well (RFC
        // 2308).
        if question.query_type() == RecordType::SRV || name.starts_with('_') {
            return ResponseCode::NXDomain;
        }
        if question.query_class() == DNSClass::IN
            && matches!(question.query_type(), RecordType::A | RecordType::ANY)
        {
            let address = RData::A(A(own.unwrap_or(self.gateway)));
            answer.add_answer(Record::from_rdata(question.name().clone(), TTL, address));
        }
        ResponseCode::NoError
    }
}

fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, str::FromStr, time::Duration};

    use hickory_proto::rr::Name;

    use super::*;
    use crate::waiting::within;

    const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 24, 0, 1);
    const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    async fn ask(address: SocketAddr, name: &str, kind: RecordType) -> (ResponseCode, Vec<Ipv4Addr>) {
        let socket = UdpSocket::bind(ANY_PORT).await.unwrap();
        let mut query = Message::new();
        query.set_id(7).add_query(Query::query(Name::from_str(name).unwrap(), kind));
        // A malformed packet gets no response and does not stop the responder.
        for packet in [&b""[..], b"\x00", &[0xff; 600], &query.to_vec().unwrap()] {
            socket.send_to(packet, address).await.unwrap();
        }
        let mut buffer = [0; 512];
        let length = within(Duration::from_secs(5), socket.recv(&mut buffer)).await.unwrap().unwrap();
        let answer = Message::from_vec(&buffer[..length]).unwrap();
        assert_eq!((answer.id(), answer.message_type()), (7, MessageType::Response));
        let addresses = answer.answers().iter().filter_map(|record| record.data().as_a().map(|a| a.0));
        (answer.response_code(), addresses.collect())
    }

    #[tokio::test]
    async fn only_names_of_the_run_have_addresses() {
        let dns = DnsResponder::open(ANY_PORT, GATEWAY).await.unwrap();
        let own = Ipv4Addr::new(172, 24, 0, 9);
        dns.set("B.test", own);
        let at = dns.address();
        assert_eq!(ask(at, "mallory-17.test.", RecordType::A).await, (ResponseCode::NoError, vec![GATEWAY]));
        assert_eq!(ask(at, "b.TEST.", RecordType::A).await, (ResponseCode::NoError, vec![own]));
        assert_eq!(ask(at, "a.test.", RecordType::AAAA).await, (ResponseCode::NoError, vec![]));
        let srv = "_matrix-fed._tcp.a.test.";
        assert_eq!(ask(at, srv, RecordType::SRV).await, (ResponseCode::NXDomain, vec![]));
        assert_eq!(ask(at, "matrix.org.", RecordType::A).await, (ResponseCode::NXDomain, vec![]));
        assert_eq!(ask(at, "a.test.example.", RecordType::SRV).await, (ResponseCode::NXDomain, vec![]));
    }

    #[tokio::test]
    async fn a_taken_port_is_a_problem_and_closing_frees_it() {
        let dns = DnsResponder::open(ANY_PORT, GATEWAY).await.unwrap();
        let address = dns.address();
        let problem = DnsResponder::open(address, GATEWAY).await.unwrap_err();
        assert_eq!(problem.message.key, "dns.port-taken");
        assert!(problem.to_string().contains(&address.to_string()), "{problem}");
        dns.close().await;
        assert!(DnsResponder::open(address, GATEWAY).await.is_ok());
    }
}
