//! What the tests of the providers share: a server that misbehaves, a clock of their own, damaged bodies.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use proptest::sample::Index;
use quotes::{Decimal, Timestamp};
use reqwest::Url;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::http::Response;
use super::limit::Said;
use super::{Answer, Asked, Provider};
use crate::clock::Clock;

/// Canonical symbols, as `provider` is asked for them.
pub(crate) fn asked(provider: &dyn Provider, symbols: &[&str]) -> Asked {
    Asked::new(provider, symbols.iter().copied())
}

/// A moment that a test names.
pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A column's value.
pub(crate) fn decimal(text: &str) -> Option<Decimal> {
    Some(text.parse().unwrap())
}

/// An answer with another status than 200.
pub(crate) fn refusal(status: u16, body: &str) -> Response {
    Response { status, limits: Said::default(), body: body.as_bytes().to_vec() }
}

/// Each symbol has one answer, in the order in which they were asked for.
pub(crate) fn assert_whole(answers: &[Answer], symbols: &[&str]) {
    assert_eq!(answers.iter().map(|answer| answer.symbol.as_str()).collect::<Vec<_>>(), symbols);
}

/// Something that is done to a body.
#[derive(Debug, Clone)]
pub(crate) enum Damage {
    /// It is another one.
    Replaced(Vec<u8>),
    /// It ends early.
    CutOff(Index),
    /// Bytes are others.
    Changed(Vec<(Index, u8)>),
    /// Values stand in place of others.
    Swapped(Vec<(Index, &'static str)>),
}

/// Values that JSON allows and no provider means.
const ODD: [&str; 16] = [
    "null",
    "true",
    "-1",
    "0",
    "0.0",
    "1e999",
    "-1e-999",
    "99999999999999999999",
    "1.7976931348623157e308",
    "\"\"",
    "\"NaN\"",
    "[]",
    "{}",
    "[[[]]]",
    "\"\\u0000\"",
    "-9223372036854775808",
];

/// Any damage at all.
pub(crate) fn any_damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..200).prop_map(Damage::Replaced),
        1 => any::<Index>().prop_map(Damage::CutOff),
        3 => prop::collection::vec((any::<Index>(), any::<u8>()), 1..6).prop_map(Damage::Changed),
        6 => prop::collection::vec((any::<Index>(), prop::sample::select(&ODD[..])), 1..6).prop_map(Damage::Swapped),
    ]
}

impl Damage {
    fn apply(&self, body: &str) -> Vec<u8> {
        let mut bytes = body.as_bytes().to_vec();
        match self {
            Self::Replaced(other) => bytes.clone_from(other),
            Self::CutOff(at) => bytes.truncate(at.index(bytes.len())),
            Self::Changed(changes) => changes.iter().for_each(|(at, byte)| {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }),
            Self::Swapped(swaps) => {
                for (at, odd) in swaps {
                    // A value begins behind a colon, and ends before a comma or a bracket.
                    let begins: Vec<_> = bytes.iter().enumerate().filter(|(_, byte)| **byte == b':').map(|(at, _)| at + 1).collect();
                    if begins.is_empty() {
                        break;
                    }
                    let begin = begins[at.index(begins.len())];
                    let length = bytes[begin..].iter().position(|byte| matches!(byte, b',' | b'}' | b']')).unwrap_or(0);
                    bytes.splice(begin..begin + length, odd.bytes());
                }
            }
        }
        bytes
    }
}

/// Reads a damaged body both as an answer and as a refusal. Nothing panics, and what counts as a
/// quote is one: of a symbol that was asked for, with a price above 0, as Kafka's readers check it.
pub(crate) fn parses_anything(provider: &dyn Provider, symbols: &[&str], body: &str, damage: &Damage) {
    let (asked, body) = (asked(provider, symbols), damage.apply(body));
    if let Ok(answers) = provider.read(&asked, &body, time("2026-11-23T15:02:36Z")) {
        assert_whole(&answers, symbols);
        for answer in answers {
            if let Ok(quote) = answer.quote {
                quotes::json::check(&quote).unwrap();
                assert!(quote.price.is_positive() && quote.symbol == answer.symbol && quote.event_time.nanos() > 0);
            }
        }
    }
    for status in [400, 401, 403, 404, 429, 500] {
        let _ = provider.fault(&asked, &Response { status, limits: Said::default(), body: body.clone() }).to_string();
    }
}

/// A clock that stands until somebody waits.
pub(crate) struct TestClock {
    now: AtomicI64,
    began: i64,
}

impl TestClock {
    /// Stands at `begin`.
    pub(crate) fn at(begin: &str) -> Arc<Self> {
        let began = time(begin).nanos();
        Arc::new(Self { now: AtomicI64::new(began), began })
    }

    /// Goes on to `moment`, unless it is past it already.
    pub(crate) fn advance_to(&self, moment: Timestamp) {
        self.now.fetch_max(moment.nanos(), Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.now.load(Ordering::SeqCst)).unwrap()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.now.load(Ordering::SeqCst) - self.began).unwrap())
    }

    async fn sleep_until(&self, until: Duration) {
        self.now.fetch_max(self.began + i64::try_from(until.as_nanos()).unwrap(), Ordering::SeqCst);
    }
}

/// What the server was asked.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Path and query, as they were sent.
    pub(crate) target: String,
    /// The headers, their names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

/// What the server does.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Answers with a status, more headers (each ending in CR LF) and a body.
    Answer(u16, String, String),
    /// Promises more of a body than it sends.
    CutOff(String),
    /// Resets the connection without reading the request.
    Reset,
    /// Says nothing until the client gives up.
    Silence,
}

impl Reply {
    /// 200 with a body.
    pub(crate) fn ok(body: &str) -> Self {
        Self::Answer(200, String::new(), body.to_owned())
    }

    /// Another status with a body.
    pub(crate) fn status(status: u16, body: &str) -> Self {
        Self::Answer(status, String::new(), body.to_owned())
    }
}

/// A provider's HTTP server that does what the test says. Stops when it is dropped.
pub(crate) struct Stub {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stub {
    /// Serves on a free port; `reply` is given each request with its number from 0.
    pub(crate) async fn start(reply: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (reply, all, count) = (Arc::new(reply), Arc::clone(&seen), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                open.spawn(serve(stream, Arc::clone(&reply), Arc::clone(&all)));
            }
        });
        Self { address, seen, connections, task }
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> Url {
        format!("http://{}", self.address).parse().unwrap()
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many connections it has had.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, reply: Arc<impl Fn(&Seen, usize) -> Reply>, all: Arc<Mutex<Vec<Seen>>>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        // Looked at before it is read: a socket that is closed with something unread resets.
        let head = loop {
            let length = stream.peek(&mut buffer).await.unwrap_or(0);
            if length == 0 {
                return;
            }
            if let Some(end) = buffer[..length].windows(4).position(|window| window == b"\r\n\r\n") {
                break String::from_utf8(buffer[..end + 4].to_vec()).unwrap();
            }
            tokio::task::yield_now().await;
        };
        let mut lines = head.lines();
        let target = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
        let headers = lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
        let seen = Seen { target, headers: headers.collect() };
        let number = {
            let mut all = all.lock().unwrap();
            all.push(seen.clone());
            all.len() - 1
        };
        let reply = reply(&seen, number);
        if matches!(reply, Reply::Reset) {
            return;
        }
        stream.read_exact(&mut buffer[..head.len()]).await.unwrap();
        let (text, goes_on) = match reply {
            Reply::Answer(status, headers, body) => {
                (format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()), true)
            }
            Reply::CutOff(body) => (format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len() + 100), false),
            Reply::Silence | Reply::Reset => {
                // Until the client closes.
                let _ = stream.read(&mut buffer).await;
                return;
            }
        };
        if stream.write_all(text.as_bytes()).await.is_err() || !goes_on {
            return;
        }
    }
}
