//! Events of the mapping for Kafka, the same ones in every run.

use base64_simd::STANDARD;
use quotes::{Decimal, Quote, Timestamp, json};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// The largest event that the mapping delivers, in bytes.
pub const LARGEST: usize = 6 * 1024 * 1024;

/// 2026-11-23T15:00:00Z, a Monday morning in New York, in milliseconds.
const START: i64 = 1_795_446_000_000;

/// As many as one would follow; a poll brings one quote of each.
const SYMBOLS: usize = 500;

/// The id of the cluster that the records name in their header.
const CLUSTER: &[u8; 22] = b"L6g3nShT-eMCtK--X86sww";

/// Which fields the quotes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fields {
    /// Every field that a quote can have.
    All,
    /// Symbol, currency, price, size, time, time of the fetch and source.
    Few,
}

/// An event of `records` records of one partition, the first one at `first_offset`.
///
/// Offsets of the same number of digits give events of the same size.
pub fn of(records: usize, fields: Fields, first_offset: i64) -> String {
    Event::new(fields, first_offset).until(|event| event.records == records)
}

/// An event of as many records as fit into `bytes`.
pub fn of_size(bytes: usize, fields: Fields, first_offset: i64) -> String {
    Event::new(fields, first_offset).until(|event| event.text.len() + LONGEST_RECORD + TAIL.len() > bytes)
}

/// The quotes of such records themselves, every field given.
pub fn quotes(records: usize) -> Vec<Quote<'static>> {
    let mut market = Market::new();
    (0..records).map(|index| market.quote(index, Fields::All).0).collect()
}

const TAIL: &str = "]}}";

/// A record of all fields has about 1,700 bytes in the event.
const LONGEST_RECORD: usize = 2_000;

struct Event {
    text: String,
    records: usize,
    fields: Fields,
    first_offset: i64,
    market: Market,
}

impl Event {
    fn new(fields: Fields, first_offset: i64) -> Self {
        let text = r#"{"eventSource":"aws:SelfManagedKafka","bootstrapServers":"kafka.tickerlake.internal:9096","records":{"quotes-0":["#;
        Self { text: text.to_owned(), records: 0, fields, first_offset, market: Market::new() }
    }

    fn until(mut self, full: impl Fn(&Self) -> bool) -> String {
        while !full(&self) {
            self.push();
        }
        self.text + TAIL
    }

    fn push(&mut self) {
        let (quote, arrival) = self.market.quote(self.records, self.fields);
        let key = STANDARD.encode_to_string(quote.symbol.as_bytes());
        // A quote of this crate's own types cannot fail to be written.
        let value = STANDARD.encode_to_string(json::to_json(&quote).unwrap_or_default());
        let offset = self.first_offset + self.records as i64;
        let comma = if self.records == 0 { "" } else { "," };
        self.text += &format!(
            r#"{comma}{{"topic":"quotes","partition":0,"offset":{offset},"timestamp":{arrival},"timestampType":"LOG_APPEND_TIME","key":"{key}","value":"{value}","headers":[{{"kafka_cluster":{CLUSTER:?}}}]}}"#
        );
        self.records += 1;
    }
}

/// Prices that walk, sizes and volumes that vary: about as hard to compress as a real feed.
struct Market {
    random: StdRng,
    /// The prices, in hundredths of a cent.
    prices: Vec<i64>,
}

impl Market {
    fn new() -> Self {
        let mut random = StdRng::seed_from_u64(7);
        let prices = (0..SYMBOLS).map(|_| random.random_range(50_000..5_000_000)).collect();
        Self { random, prices }
    }

    /// The quote of the record `index`, and when it arrived in Kafka.
    fn quote(&mut self, index: usize, fields: Fields) -> (Quote<'static>, i64) {
        let symbol = index % SYMBOLS;
        let step = self.random.random_range(-40..=40);
        self.prices[symbol] = (self.prices[symbol] + step).max(10_000);
        let price = self.prices[symbol];
        let polled = START + (index / SYMBOLS) as i64 * 1_000;
        let fetched_at = polled + 20;
        let traded = polled * 1_000_000 - self.random.random_range(1_000_000..900_000_000);
        let mut quote = Quote::new(ticker(symbol), "USD", dollars(price), nanos(traded), nanos(fetched_at * 1_000_000), "alpaca");
        quote.last_size = Some(shares(self.random.random_range(1..500)));
        if fields == Fields::All {
            self.fill(&mut quote, price, polled);
        }
        (quote, fetched_at + self.random.random_range(5..40))
    }

    fn fill(&mut self, quote: &mut Quote<'_>, price: i64, polled: i64) {
        let mut random = |range: std::ops::Range<i64>| self.random.random_range(range);
        let cents = price / 100 * 100;
        quote.conditions = Some(["@", "@,I", "@,F,I", "@,T"][random(0..4) as usize].into());
        quote.exchange = Some(["V", "Q", "P", "K", "D"][random(0..5) as usize].into());
        quote.bid = Some(dollars(cents - random(1..4) * 100));
        quote.ask = Some(dollars(cents + random(1..4) * 100));
        quote.bid_size = Some(shares(random(1..20) * 100));
        quote.ask_size = Some(shares(random(1..20) * 100));
        quote.quote_time = Some(nanos(polled * 1_000_000 - random(1_000..500_000) * 1_000));
        quote.day_date = Timestamp::to_utc(quote.fetched_at).date_naive().into();
        quote.day_open = Some(dollars(cents - random(-90..90) * 100));
        quote.day_high = Some(dollars(cents + random(90..200) * 100));
        quote.day_low = Some(dollars(cents - random(90..200) * 100));
        quote.day_close = Some(dollars(price));
        quote.day_volume = Some(shares(random(100_000..90_000_000)));
        quote.day_vwap = Some(dollars(price + random(-300..300)));
        quote.day_trades = Some(random(1_000..900_000));
        quote.previous_close = Some(dollars(cents - random(-500..500) * 100));
        quote.bar_start = Some(nanos((polled / 60_000 - 1) * 60_000_000_000));
        quote.bar_seconds = Some(60);
        quote.bar_open = Some(dollars(cents - random(-20..20) * 100));
        quote.bar_high = Some(dollars(cents + random(20..60) * 100));
        quote.bar_low = Some(dollars(cents - random(20..60) * 100));
        quote.bar_close = Some(dollars(price));
        quote.bar_volume = Some(shares(random(100..400_000)));
        quote.bar_vwap = Some(dollars(price + random(-90..90)));
        quote.bar_trades = Some(random(1..4_000));
        quote.feed = Some("sip".into());
        quote.delay_seconds = Some(0);
    }
}

/// A ticker of four letters; neighbours are not alphabetical, as in a list that someone wrote.
fn ticker(index: usize) -> String {
    let mut number = index * 7_919 + 20_000;
    let mut letters = String::new();
    for _ in 0..4 {
        letters.push(char::from(b'A' + (number % 26) as u8));
        number /= 26;
    }
    letters
}

fn dollars(hundredths_of_cents: i64) -> Decimal {
    Decimal::from_millionths(hundredths_of_cents * 100).unwrap_or_default()
}

fn shares(count: i64) -> Decimal {
    Decimal::from_millionths(count * 1_000_000).unwrap_or_default()
}

fn nanos(nanos: i64) -> Timestamp {
    Timestamp::from(chrono::DateTime::from_timestamp_nanos(nanos))
}
