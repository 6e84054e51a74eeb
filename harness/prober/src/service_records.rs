//! Service records (RFC 2782), asked of one name server over UDP.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use hickory_proto::{
    op::{Message, MessageType, Query, ResponseCode},
    rr::{Name, RecordType},
};
use tokio::net::UdpSocket;

use super::{Settings, connection::Trouble};
use samklang_wire::waiting::within;

/// The file that names this machine's name servers.
const RESOLVERS: &str = "/etc/resolv.conf";
/// The largest answer over UDP without extensions (RFC 1035, section 2.3.4), with room to spare.
const LARGEST: usize = 4096;

/// Where a service is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServiceRecord {
    priority: u16,
    weight: u16,
    pub(super) target: String,
    pub(super) port: u16,
}

/// The records of `name`, those to be tried first in front; none where the name has none.
pub(super) async fn look_up(name: &str, settings: &Settings) -> Result<Vec<ServiceRecord>, Trouble> {
    let server = settings.name_server.or_else(own_name_server);
    let server = server.ok_or_else(|| Trouble::untold(format!("{RESOLVERS} names no name server")))?;
    let asked = within(settings.bound, ask(name, server)).await;
    asked.unwrap_or_else(|_| Err(Trouble::untold(format!("{server} did not answer in time"))))
}

fn own_name_server() -> Option<SocketAddr> {
    let text = fs::read_to_string(RESOLVERS).ok()?;
    let addresses = text.lines().filter_map(|line| line.strip_prefix("nameserver"));
    addresses.filter_map(|rest| rest.trim().parse::<IpAddr>().ok()).map(|address| (address, 53).into()).next()
}

async fn ask(name: &str, server: SocketAddr) -> Result<Vec<ServiceRecord>, Trouble> {
    let untold = |error: &dyn std::fmt::Display| Trouble::untold(error.to_string());
    let name = Name::from_str(&format!("{name}.")).map_err(|error| untold(&error))?;
    let question = Query::query(name, RecordType::SRV);
    let mut query = Message::new();
    let id = fastrand::u16(..);
    query.set_id(id).set_recursion_desired(true).add_query(question.clone());
    let query = query.to_vec().map_err(|error| untold(&error))?;
    let here = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(here).await.map_err(|error| untold(&error))?;
    socket.connect(server).await.map_err(|error| untold(&error))?;
    socket.send(&query).await.map_err(|error| untold(&error))?;
    let mut buffer = [0; LARGEST];
    loop {
        let length = socket.recv(&mut buffer).await.map_err(|error| untold(&error))?;
        // What answers another question is not ours.
        if let Ok(answer) = Message::from_vec(&buffer[..length])
            && answer.id() == id
            && answer.message_type() == MessageType::Response
            && answer.queries() == [question.clone()]
        {
            return read(&answer);
        }
    }
}

fn read(answer: &Message) -> Result<Vec<ServiceRecord>, Trouble> {
    match answer.response_code() {
        _ if answer.truncated() => Err(Trouble::untold("the answer does not fit into one packet")),
        ResponseCode::NoError | ResponseCode::NXDomain => {
            let records = answer.answers().iter().filter_map(|record| record.data().as_srv());
            let mut records: Vec<_> = records
                .map(|record| ServiceRecord {
                    priority: record.priority(),
                    weight: record.weight(),
                    target: record.target().to_ascii().trim_end_matches('.').to_owned(),
                    port: record.port(),
                })
                .collect();
            records.sort_by_key(|record| (record.priority, u16::MAX - record.weight));
            Ok(records)
        }
        code => Err(Trouble::untold(format!("the name server says {code}"))),
    }
}
