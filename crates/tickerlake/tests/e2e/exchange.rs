//! A provider's server that does what the test says, and remembers what it was asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// What the server is asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The path and the query, as they were sent.
    pub(crate) target: String,
    /// By their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// When it was asked.
    pub(crate) at: Instant,
}

impl Asked {
    /// A parameter of the query, decoded as far as these tests need it.
    pub(crate) fn parameter(&self, name: &str) -> String {
        let (_, query) = self.target.split_once('?').unwrap();
        let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("{name} is not in {}", self.target)).replace("%2C", ",")
    }
}

/// What the server says.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// One more header, as a line.
    pub(crate) header: &'static str,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, header: "", body: body.into() }
    }
}

/// The running server. It stops when it is dropped; its connections end with their clients.
pub(crate) struct Exchange {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    is_over: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl Exchange {
    /// Serves on a free port. `reply` is given each request with its number from 0; one at a time, so that it may count.
    pub(crate) fn start(reply: impl FnMut(&Asked, usize) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, is_over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (all, over, reply) = (Arc::clone(&asked), Arc::clone(&is_over), Arc::new(Mutex::new(reply)));
        let listener = thread::spawn(move || {
            while let (Ok((stream, _)), false) = (listener.accept(), over.load(Ordering::SeqCst)) {
                let (all, reply) = (Arc::clone(&all), Arc::clone(&reply));
                thread::spawn(move || serve(stream, &all, &reply));
            }
        });
        Self { address, asked, is_over, listener: Some(listener) }
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the listener.
        drop(TcpStream::connect(self.address));
        let _ = self.listener.take().map(JoinHandle::join);
    }
}

/// Answers the requests of one connection until its client closes it.
fn serve(stream: TcpStream, all: &Mutex<Vec<Asked>>, reply: &Mutex<impl FnMut(&Asked, usize) -> Reply>) -> Option<()> {
    let mut out = stream.try_clone().ok()?;
    let mut lines = BufReader::new(stream).lines();
    loop {
        let first = lines.next()?.ok()?;
        let target = first.split(' ').nth(1)?.to_owned();
        let mut headers = BTreeMap::new();
        while let Some((name, value)) = lines.next()?.ok()?.split_once(':') {
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        let asked = Asked { target, headers, at: Instant::now() };
        let number = {
            let mut all = all.lock().unwrap();
            all.push(asked.clone());
            all.len() - 1
        };
        let Reply { status, header, body } = (reply.lock().unwrap())(&asked, number);
        let end = if header.is_empty() { "" } else { "\r\n" };
        write!(out, "HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n{header}{end}\r\n{body}", body.len()).ok()?;
    }
}
