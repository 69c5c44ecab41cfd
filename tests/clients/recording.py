"""A small recording whose values are the hard ones, and what the lake must say of it."""

import csv
import datetime
import decimal
import pathlib
from typing import NamedTuple, Optional

COLUMNS = (
    "symbol",
    "event_time",
    "fetched_at",
    "price",
    "last_size",
    "conditions",
    "bid",
    "ask",
    "quote_time",
    "bar_start",
    "bar_seconds",
    "bar_close",
    "bar_trades",
)

# The second line's nanoseconds would round up into the next minute; the third one's price has every digit that the
# column holds; the last two are a second day's. What is empty is unknown.
LINES = '''\
AAPL,2013-10-07T13:30:00.000000001Z,2013-10-07T13:30:01.000Z,487.750000,100,"@, ""T""",487.74,487.76,2013-10-07T13:29:59.999Z,2013-10-07T13:30:00Z,60,487.75,9007199254740993
AAPL,2013-10-07T19:59:59.999999999Z,2013-10-07T20:00:00.250Z,487.75,,,,,,,,,
BRK.B,2013-10-07T13:30:00.5Z,2013-10-07T13:30:01.000Z,999999999999.999999,0.000001,,114.1,114.100001,,2013-10-07T13:30:00Z,1,114.1,0
MSFT,2013-10-08T13:30:00.123456789Z,2013-10-08T13:30:01.001Z,33.3,200,é,33.29,33.31,2013-10-08T13:30:00.123Z,,,,
AAPL,2013-10-08T13:30:00.123456789Z,2013-10-08T13:30:01.001Z,480.000001,,,480,480.01,,2013-10-08T13:30:00Z,60,480,7
'''

DAYS = ("2013-10-07", "2013-10-08")

UTC = datetime.timezone.utc


class Quote(NamedTuple):
    """What is compared, in the columns' own types."""

    symbol: str
    event_time: datetime.datetime
    event_time_ns: int
    price: decimal.Decimal
    last_size: Optional[decimal.Decimal]
    conditions: Optional[str]
    ask: Optional[decimal.Decimal]
    quote_time: Optional[datetime.datetime]
    bar_seconds: Optional[int]
    bar_trades: Optional[int]
    fetched_at: datetime.datetime
    dt: str


# As SQL selects it.
SELECTED = ", ".join(Quote._fields)


def write(path: pathlib.Path) -> None:
    """Writes the recording as a replay file."""
    path.write_text(",".join(COLUMNS) + "\n" + LINES, encoding="utf-8")


def expected() -> "list[Quote]":
    """The recording's rows, sorted."""
    rows = csv.DictReader(LINES.splitlines(), COLUMNS)
    return sorted(quote(row) for row in rows)


def quote(row: "dict[str, str]") -> Quote:
    """A line of the recording as the lake has it."""
    nanoseconds = nanoseconds_of(row["event_time"])
    fetched_at = time_of(row["fetched_at"])
    return Quote(
        symbol=row["symbol"],
        # Cut off, not rounded: 19:59:59.999999999 belongs to its own minute.
        event_time=datetime.datetime.fromtimestamp(nanoseconds // 10**9, UTC).replace(microsecond=nanoseconds % 10**9 // 10**6 * 1000),
        event_time_ns=nanoseconds,
        price=decimal_of(row["price"]) or decimal.Decimal(0),
        last_size=decimal_of(row["last_size"]),
        conditions=row["conditions"] or None,
        ask=decimal_of(row["ask"]),
        quote_time=time_of(row["quote_time"]) if row["quote_time"] else None,
        bar_seconds=int(row["bar_seconds"]) if row["bar_seconds"] else None,
        bar_trades=int(row["bar_trades"]) if row["bar_trades"] else None,
        fetched_at=fetched_at,
        # All of it lies in New York's day of the same date.
        dt=fetched_at.date().isoformat(),
    )


def decimal_of(text: str) -> Optional[decimal.Decimal]:
    """The column's six digits after the point."""
    return decimal.Decimal(text).quantize(decimal.Decimal("0.000001"), context=decimal.Context(prec=38)) if text else None


def nanoseconds_of(text: str) -> int:
    """An instant exactly, which datetime cannot hold."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0") or 0)


def time_of(text: str) -> datetime.datetime:
    """An instant of whole milliseconds."""
    milliseconds = nanoseconds_of(text) // 10**6
    return datetime.datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000)
