"""A market made up for the tests: polls of a few symbols through three feeds, with everything that makes questions hard.

Two days in which New York's calendar matters: Wednesday 27 November 2013, and the half-day after Thanksgiving. Bars are sent
again and corrected, groups and single values are missing, quotes are locked, crossed, untimed and polled twice, the bar of the
day is yesterday's before the open, and some symbols are stale. The same numbers come out at each run.
"""

import csv
import datetime as dt
import pathlib
import random
from decimal import Decimal

COLUMNS = (
    "symbol", "currency", "price", "last_size", "event_time", "conditions", "bid", "ask", "bid_size", "ask_size", "quote_time",
    "day_date", "day_open", "day_high", "day_low", "day_close", "day_volume", "previous_close",
    "bar_start", "bar_seconds", "bar_open", "bar_high", "bar_low", "bar_close", "bar_volume", "bar_vwap", "bar_trades",
    "fetched_at", "feed", "delay_seconds",
)  # fmt: skip

WEDNESDAY = dt.date(2013, 11, 27)
HALF_DAY = dt.date(2013, 11, 29)
TUESDAY = dt.date(2013, 11, 26)

# New York in November is five hours behind UTC.
NEW_YORK = dt.timezone(dt.timedelta(hours=-5))

# Each symbol's price to begin with. Nobody trades IDLE after Tuesday.
SYMBOLS = {"SPY": "181.1234", "BRK.B": "116.5", "PNY": "0.031415", "IDLE": "42"}

# Name, declared delay, seconds of its bars. The last one has neither a name nor a delay nor a bar of the day.
FEEDS = (("iex", 0, 60), ("delayed_sip", 900, 60), ("", None, 5))

# From and to, in New York: around the open, around a half-day's close, around the close and around the roll of the trade date.
WINDOWS = {
    WEDNESDAY: (("08:00", "08:02"), ("09:26", "09:56"), ("12:58", "13:02"), ("15:57", "16:05"), ("19:58", "20:03")),
    HALF_DAY: (("08:00", "08:02"), ("09:26", "09:50"), ("12:55", "13:20")),
}

MILLIONTH = Decimal("0.000001")


def stamp(moment: dt.datetime, nanos: int = 0) -> str:
    """RFC 3339 in UTC, with nanoseconds below the moment's own microsecond."""
    utc = moment.astimezone(dt.timezone.utc)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.%f") + f"{nanos:03d}Z"


def new_york(day: dt.date, clock: str) -> dt.datetime:
    """A wall clock's time in New York."""
    return dt.datetime.combine(day, dt.time.fromisoformat(clock), NEW_YORK)


class Market:
    """The rows of the recording, made in the order in which they were fetched."""

    def __init__(self, seed: int = 1) -> None:
        self.chance = random.Random(seed)
        self.prices = {symbol: Decimal(price) for symbol, price in SYMBOLS.items()}
        self.last_quotes: dict[tuple[str, str], dict[str, str]] = {}
        self.bars: dict[tuple[str, str, dt.datetime], dict[str, str]] = {}

    def rows(self) -> list[dict[str, str]]:
        """All rows: two polls a minute of every symbol through every feed."""
        rows = []
        for day, windows in WINDOWS.items():
            for first, last in windows:
                minute = new_york(day, first)
                while minute < new_york(day, last):
                    for second in (5, 35):
                        fetched_at = minute + dt.timedelta(seconds=second, milliseconds=self.chance.randrange(900))
                        rows += [self.poll(symbol, feed, fetched_at) for feed in FEEDS for symbol in SYMBOLS]
                    minute += dt.timedelta(minutes=1)
        # The first trade after the half-day's regular session tells that it is over.
        bell = self.poll("SPY", FEEDS[0], new_york(HALF_DAY, "13:00:01"))
        bell["event_time"] = stamp(new_york(HALF_DAY, "13:00:00"))
        # The same poll once more with other numbers, in the same millisecond: the later offset counts.
        again = {**rows[-1], "price": "41.999999", "bid": "41.5", "ask": "42.5"}
        return sorted([*rows, bell], key=lambda row: row["fetched_at"]) + [again]

    def poll(self, symbol: str, feed: tuple[str, "int | None", int], fetched_at: dt.datetime) -> dict[str, str]:
        """What one feed says of one symbol."""
        name, delay, bar_seconds = feed
        market_time = fetched_at - dt.timedelta(seconds=delay or 0)
        row = dict.fromkeys(COLUMNS, "")
        row.update(symbol=symbol, feed=name, delay_seconds="" if delay is None else str(delay), fetched_at=stamp(fetched_at))
        row.update(currency="GBP" if symbol == "PNY" else "USD")
        row.update(self.trade(symbol, market_time))
        row.update(self.quote(symbol, name, market_time))
        if name:
            row.update(self.day_so_far(symbol, market_time, Decimal(row["price"])))
        if symbol != "IDLE" and self.chance.random() > 0.1:
            row.update(self.bar(symbol, name, market_time, bar_seconds))
        return row

    def step(self, symbol: str) -> Decimal:
        """The price's next value, to as many digits as the column holds."""
        price = self.prices[symbol]
        price += (price * self.chance.randrange(-900, 901) / 1_000_000).quantize(MILLIONTH)
        self.prices[symbol] = max(price, MILLIONTH)
        return self.prices[symbol]

    def trade(self, symbol: str, market_time: dt.datetime) -> dict[str, str]:
        if symbol == "IDLE":
            return {"price": "42", "event_time": stamp(new_york(TUESDAY, "15:59:30"))}
        age = dt.timedelta(milliseconds=self.chance.choice((3, 250, 4_000, 40_000)))
        size = self.chance.choice(("", "100", "0.5", "33.333333"))
        event_time = stamp(market_time - age, self.chance.randrange(1000))
        return {"price": str(self.step(symbol)), "last_size": size, "event_time": event_time, "conditions": self.chance.choice(("", "@,T"))}

    def quote(self, symbol: str, feed: str, market_time: dt.datetime) -> dict[str, str]:
        """The best quote; often the one of the poll before, sometimes corrected in place, sometimes without its time."""
        chance = self.chance.random()
        if chance < 0.1:
            return {}
        before = self.last_quotes.get((symbol, feed))
        if chance < 0.3 and before:
            return before
        price, tick = self.prices[symbol], MILLIONTH * self.chance.randrange(1, 20_000)
        half = min(tick, (price / 2).quantize(MILLIONTH))
        bid, ask = price - half, price + half
        if chance < 0.4:
            ask = bid
        elif chance < 0.45:
            bid, ask = ask, bid
        quote = {"bid": str(bid), "ask": str(ask), "bid_size": "100", "ask_size": self.chance.choice(("200", "0.25"))}
        if chance > 0.93 and before:
            quote["quote_time"] = before.get("quote_time", "")
        elif chance < 0.85:
            quote["quote_time"] = stamp(market_time - dt.timedelta(milliseconds=self.chance.randrange(1, 90_000)))
        if chance > 0.9:
            quote["ask" if chance > 0.95 else "bid"] = ""
        self.last_quotes[symbol, feed] = quote
        return quote

    def day_so_far(self, symbol: str, market_time: dt.datetime, price: Decimal) -> dict[str, str]:
        """The bar of the day: yesterday's until the open, and after the close no longer moved by trades."""
        local = market_time.astimezone(NEW_YORK)
        yesterday = TUESDAY if local.date() == WEDNESDAY else WEDNESDAY
        opened = local.time() >= dt.time(9, 30) and symbol != "IDLE"
        close = price
        if local.time() >= dt.time(13 if local.date() == HALF_DAY else 16):
            close = Decimal(SYMBOLS[symbol]) * Decimal("1.01")
        day = {
            "day_date": str(local.date() if opened else yesterday),
            "day_open": SYMBOLS[symbol],
            "day_close": str(close.quantize(MILLIONTH)),
            "day_volume": f"{self.chance.randrange(10**9)}.5",
            "previous_close": str((Decimal(SYMBOLS[symbol]) * Decimal("0.987654")).quantize(MILLIONTH)),
        }
        return {**day, **({"day_close": ""} if self.chance.random() < 0.05 else {})}

    def bar(self, symbol: str, feed: str, market_time: dt.datetime, seconds: int) -> dict[str, str]:
        """The latest complete bar, sent again by the next poll with more volume and a higher high."""
        ended = market_time.timestamp() // seconds * seconds
        start = dt.datetime.fromtimestamp(ended - seconds, dt.timezone.utc)
        bar = self.bars.get((symbol, feed, start))
        if bar:
            bar = {**bar, "bar_high": str(Decimal(bar["bar_high"]) + MILLIONTH), "bar_volume": str(Decimal(bar["bar_volume"] or 0) + 7)}
        else:
            values = [self.step(symbol) for _ in range(4)]
            other = self.bars.get((symbol, "iex", start)) if self.chance.random() < 0.5 else None
            values[3] = Decimal(other["bar_close"]) if other else values[3]
            bar = {
                "bar_start": stamp(start),
                "bar_seconds": str(seconds),
                "bar_open": str(values[0]),
                "bar_high": str(max(values)),
                "bar_low": str(min(values)),
                "bar_close": str(values[3]),
                "bar_volume": self.chance.choice(("", "1200", "0.123456", "987654321", *["31415.9265"] * 6)),
                "bar_vwap": self.chance.choice(("", *[str(values[1])] * 6)),
                "bar_trades": self.chance.choice(("", *["17"] * 6)),
            }
        self.bars[symbol, feed, start] = bar
        return bar


def write(path: pathlib.Path, rows: "list[dict[str, str]]") -> None:
    """Writes a recording of these rows."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
