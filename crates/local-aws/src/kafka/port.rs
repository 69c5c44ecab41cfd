//! Ports of nodes on 127.0.0.1.

use std::net::{Ipv4Addr, TcpListener};

use uuid::Uuid;

use super::error::Error;

/// Below the ports that the system gives to outgoing connections: a node that is down must find its own port free again.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;
const TRIES: usize = 100;

/// This port, if nobody listens there; any such one for 0, and none of those `taken`.
pub(super) fn free(wanted: u16, taken: &[u16]) -> Result<u16, Error> {
    if wanted != 0 {
        return if is_free(wanted) { Ok(wanted) } else { Err(Error::PortBusy { port: wanted }) };
    }
    let random = || {
        let [high, low, ..] = Uuid::new_v4().into_bytes();
        FIRST + u16::from_be_bytes([high, low]) % COUNT
    };
    let mut tried = std::iter::repeat_with(random).take(TRIES);
    tried.find(|port| !taken.contains(port) && is_free(*port)).ok_or(Error::NoPort)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_busy_port_is_refused() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(matches!(free(port, &[]), Err(Error::PortBusy { .. })));
        assert_ne!(free(0, &[]).unwrap(), 0);
    }
}
