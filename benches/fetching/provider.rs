//! A provider of this machine: it answers as Alpaca does, as late as one that is a few hundred kilometres away.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{SecondsFormat, Utc};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use crate::Result;

/// The running provider. Dropping it ends it.
pub(crate) struct Provider {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    _serving: AbortOnDropHandle<()>,
}

/// What the provider has seen since it was asked the last time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) connections: u32,
    pub(crate) requests: u32,
    /// From the first request's arrival until the last answer was given.
    pub(crate) answering: Duration,
    began: Option<Instant>,
}

impl Provider {
    /// Knows these symbols, and answers each request after `latency`.
    pub(crate) async fn start(symbols: &[String], latency: Duration) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let market: Arc<BTreeMap<_, _>> =
            Arc::new(symbols.iter().enumerate().map(|(index, symbol)| (symbol.clone(), snapshot(index))).collect());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let all = Arc::clone(&seen);
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                lock(&all).connections += 1;
                let (market, all) = (Arc::clone(&market), Arc::clone(&all));
                let answer = service_fn(move |request| answer(request, latency, Arc::clone(&market), Arc::clone(&all)));
                connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Ok(Self { address, seen, _serving: AbortOnDropHandle::new(serving) })
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has seen since the last time.
    pub(crate) fn take_seen(&self) -> Seen {
        std::mem::take(&mut *lock(&self.seen))
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    request: Request<Incoming>,
    latency: Duration,
    market: Arc<BTreeMap<String, String>>,
    seen: Arc<Mutex<Seen>>,
) -> std::result::Result<Response<String>, Infallible> {
    let began = {
        let mut seen = lock(&seen);
        seen.requests += 1;
        *seen.began.get_or_insert_with(Instant::now)
    };
    tokio::time::sleep(latency).await;
    let query = request.uri().query().unwrap_or_default().replace("%2C", ",");
    let symbols = query.split('&').find_map(|pair| pair.strip_prefix("symbols=")).unwrap_or_default();
    let entries: Vec<_> = symbols.split(',').filter_map(|symbol| Some(format!("\"{symbol}\":{}", market.get(symbol)?))).collect();
    let body = format!("{{{}}}", entries.join(","));
    lock(&seen).answering = began.elapsed();
    Ok(Response::new(body))
}

/// A snapshot with every field that Alpaca sends, of about its size.
fn snapshot(index: usize) -> String {
    let now = Utc::now();
    let time = now.to_rfc3339_opts(SecondsFormat::Nanos, true);
    let minute = (now - chrono::TimeDelta::minutes(2)).format("%Y-%m-%dT%H:%M:00Z");
    let (today, yesterday) = (now.format("%Y-%m-%dT05:00:00Z"), (now - chrono::TimeDelta::days(1)).format("%Y-%m-%dT05:00:00Z"));
    let price = |hundredths: usize| format!("{}.{:02}", 20 + (index * 37 + hundredths) % 900, (index * 53 + hundredths) % 100);
    let bar = |start: &dyn std::fmt::Display, volume: usize| {
        let [open, high, low, close] = [1, 40, 0, 7].map(price);
        format!(
            r#"{{"t":"{start}","o":{open},"h":{high},"l":{low},"c":{close},"v":{},"n":{},"vw":{}1234}}"#,
            volume + index * 101,
            volume / 90 + index,
            price(9)
        )
    };
    format!(
        r#"{{"dailyBar":{},"latestQuote":{{"ap":{},"as":300,"ax":"V","bp":{},"bs":200,"bx":"V","c":["R"],"t":"{time}","z":"C"}},"latestTrade":{{"c":["@","I"],"i":{},"p":{},"s":{},"t":"{time}","x":"V","z":"C"}},"minuteBar":{},"prevDailyBar":{}}}"#,
        bar(&today, 900_000),
        price(8),
        price(6),
        52_983_525_000 + index,
        price(7),
        1 + index % 300,
        bar(&minute, 4_000),
        bar(&yesterday, 1_200_000),
    )
}
