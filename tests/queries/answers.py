"""What each named query must answer, computed from the rows of a recording with exact fractions and without SQL.

Written from what the queries' comments promise and not from their text. A value is what the CSV of `tickerlake query` shows, None
for NULL; each answer is a list of rows in the promised order.
"""

import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, Optional

from tests.queries.calendar import in_regular_session, new_york, place

SOURCE = "replay"

Row = dict[str, Any]
Answer = list[dict[str, Optional[str]]]

DECIMALS = {
    "price", "last_size", "bid", "ask", "bid_size", "ask_size", "day_open", "day_high", "day_low", "day_close", "day_volume", "day_vwap",
    "previous_close", "bar_open", "bar_high", "bar_low", "bar_close", "bar_volume", "bar_vwap",
}  # fmt: skip
TIMES = {"event_time", "quote_time", "bar_start", "fetched_at"}
NUMBERS = {"bar_seconds", "bar_trades", "day_trades", "delay_seconds"}


@dataclasses.dataclass(frozen=True)
class Asked:
    """The days that a query looks at, and the moment that latest-quotes-as-of looks back from."""

    first: str
    last: str
    moment: Optional[dt.datetime] = None


def parsed(recorded: "Iterable[dict[str, str]]") -> "list[Row]":
    """The rows of the lake, in the order of their offsets: a symbol's rows keep the recording's order."""
    rows = []
    for position, record in enumerate(recorded):
        row: Row = {column: None for column in DECIMALS | TIMES | NUMBERS | {"feed", "day_date"}}
        for column, text in record.items():
            if text:
                row[column] = _value(column, text)
        row["event_time_ns"] = _nanoseconds(record["event_time"])
        row["fetched_at"] = row["fetched_at"] or row["event_time"]
        row["currency"] = row.get("currency") or "USD"
        row["session"], row["trade_date"] = place(_exact(record["event_time"]))
        row["dt"] = str(new_york(row["fetched_at"]).date())
        row["offset"] = position
        rows.append(row)
    return rows


def _value(column: str, text: str) -> Any:
    if column in DECIMALS:
        return Fraction(text)
    if column in TIMES:
        moment = _exact(text)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    return int(text) if column in NUMBERS else text


def _exact(text: str) -> dt.datetime:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return dt.datetime.fromisoformat(whole).replace(microsecond=int(fraction[:6].ljust(6, "0")))


def _nanoseconds(text: str) -> int:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = int((dt.datetime.fromisoformat(whole) - dt.datetime(1970, 1, 1)).total_seconds())
    return seconds * 10**9 + int(fraction.ljust(9, "0"))


def shown(value: Any, digits: int = 6) -> Optional[str]:
    """A value as the CSV shows it; a fraction with so many digits, half up."""
    if value is None:
        return None
    if isinstance(value, Fraction):
        units = rounded(value, digits) * 10**digits
        sign, units = "-" if units < 0 else "", abs(int(units))
        return f"{sign}{units // 10**digits}.{units % 10**digits:0{digits}d}"
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03d}"
    return str(value)


def rounded(value: Fraction, digits: int = 6) -> Fraction:
    """Half up, which means away from zero on either side of it."""
    scaled = abs(value) * 10**digits
    units = int(scaled + Fraction(1, 2))
    return Fraction(units if value >= 0 else -units, 10**digits)


def _seconds(later: dt.datetime, earlier: dt.datetime) -> Fraction:
    return Fraction((later - earlier) // dt.timedelta(milliseconds=1), 1000)


def _in_order(rows: "Iterable[Row]", *columns: str) -> "list[Row]":
    """Sorted by these columns, missing values last."""
    return sorted(rows, key=lambda row: [(row[column] is None, row[column]) for column in columns])


def _grouped(rows: "Iterable[Row]", *columns: str) -> "dict[tuple[Any, ...], list[Row]]":
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[column] for column in columns)].append(row)
    return groups


def _newest(rows: "Iterable[Row]") -> Row:
    return max(rows, key=lambda row: (row["fetched_at"], row["offset"]))


def _days(rows: "list[Row]", asked: Asked) -> "list[Row]":
    return [row for row in rows if asked.first <= row["dt"] <= asked.last]


def _all_or_nothing(rows: "list[Row]", column: str, combine: "Callable[[list[Any]], Any]") -> Any:
    values = [row[column] for row in rows]
    return None if None in values else combine(values)


def _ratio(part: "Fraction | None", whole: "Fraction | int | None") -> "Fraction | None":
    return Fraction(part) / whole if part is not None and whole else None


LATEST = ("symbol", "source", "feed", "currency", "price", "last_size", "bid", "ask", "session", "trade_date", "event_time", "quote_time",
          "fetched_at", "delay_seconds")  # fmt: skip


def latest_quotes(rows: "list[Row]", asked: Asked) -> Answer:
    rows = [row for row in _days(rows, asked) if asked.moment is None or row["fetched_at"] <= asked.moment]
    newest = [_newest(group) for group in _grouped(rows, "symbol", "feed").values()]
    answer = []
    for row in _in_order(newest, "symbol", "feed"):
        age = _seconds(row["fetched_at"], row["event_time"]) - (row["delay_seconds"] or 0)
        answer.append({**{column: shown({**row, "source": SOURCE}[column]) for column in LATEST}, "market_age_seconds": shown(age, 3)})
    return answer


def _newest_bars(rows: "list[Row]", asked: Asked) -> "list[Row]":
    """The newest revision of each bar, with the moment at which it was fetched first."""
    bars = [row for row in _days(rows, asked) if row["bar_start"]]
    begin = min((row["dt"] for row in bars), default="")
    found = []
    for revisions in _grouped(bars, "symbol", "feed", "bar_seconds", "bar_start").values():
        newest = _newest(revisions)
        if str(new_york(newest["bar_start"]).date()) >= begin:
            found.append({**newest, "first_fetched_at": min(row["fetched_at"] for row in revisions)})
    return found


def _minute(moment: dt.datetime) -> dt.datetime:
    return moment.replace(second=0, microsecond=0)


def bars(rows: "list[Row]", asked: Asked) -> Answer:
    found = [{**row, "bar_minute": _minute(row["bar_start"])} for row in _newest_bars(rows, asked)]
    keys = ("symbol", "feed", "currency", "bar_seconds", "bar_minute")
    answer = []
    for key, group in _grouped(found, *keys).items():
        group.sort(key=lambda row: row["bar_start"])
        volume = _all_or_nothing(group, "bar_volume", sum)
        vwap = None
        if volume and _all_or_nothing(group, "bar_vwap", len):
            vwap = sum(row["bar_vwap"] * row["bar_volume"] for row in group) / volume
        answer.append(
            {
                **dict(zip(keys, key)),
                "bars": len(group),
                "bar_open": group[0]["bar_open"],
                "bar_high": _all_or_nothing(group, "bar_high", max),
                "bar_low": _all_or_nothing(group, "bar_low", min),
                "bar_close": group[-1]["bar_close"],
                "bar_volume": volume,
                "bar_vwap": vwap,
                "bar_trades": _all_or_nothing(group, "bar_trades", sum),
            }
        )
    return [_texts(row) for row in _in_order(answer, *keys)]


def _texts(row: Row) -> "dict[str, Optional[str]]":
    return {"source": SOURCE, **{column: shown(value) for column, value in row.items()}}


def sampled_bars(rows: "list[Row]", asked: Asked) -> Answer:
    polls = _days(rows, asked)
    begin = min((row["dt"] for row in polls), default="")
    polls = [{**row, "sampled_minute": _minute(row["event_time"])} for row in polls if str(new_york(row["event_time"]).date()) >= begin]
    keys = ("symbol", "feed", "currency", "sampled_minute")
    answer = []
    for key, group in _grouped(polls, *keys).items():
        group.sort(key=lambda row: (row["event_time_ns"], row["fetched_at"], row["offset"]))
        prices = [row["price"] for row in group]
        answer.append(
            {
                **dict(zip(keys, key)),
                "sampled_open": prices[0],
                "sampled_high": max(prices),
                "sampled_low": min(prices),
                "sampled_close": prices[-1],
                "polls": len(prices),
            }
        )
    return [_texts(row) for row in _in_order(answer, *keys)]


def movers(rows: "list[Row]", asked: Asked) -> Answer:
    rows = _days(rows, asked)
    today = max((row["trade_date"] for row in rows if row["session"] in ("pre", "regular", "post")), default="")
    rows = [row for row in rows if row["trade_date"] == today == row["day_date"]]
    answer = []
    for group in _grouped(rows, "symbol", "feed").values():
        row = _newest(group)
        before, session = row["previous_close"] or None, row["session"]
        regular = {"regular": row["price"], "post": row["day_close"] or None}.get(session)
        base = {"regular": None, "post": regular}.get(session, before)

        def change(price: "Fraction | None", since: "Fraction | None") -> "tuple[Fraction | None, Fraction | None]":
            if price is None or since is None:
                return None, None
            return price - since, rounded(100 * (price - since) / since)

        moved, percent = change(regular, before)
        added, added_percent = change(row["price"], base)
        columns = ("symbol", "feed", "currency", "session", "trade_date", "price", "day_volume", "event_time", "fetched_at")
        answer.append(
            {
                **{column: row[column] for column in columns},
                "previous_close": before,
                "regular_price": regular,
                "regular_change": moved,
                "regular_percent": percent,
                "extended_change": added,
                "extended_percent": added_percent,
            }
        )

    def order(row: Row) -> "tuple[Any, ...]":
        percent = row["regular_percent"] if row["regular_percent"] is not None else row["extended_percent"]
        return (percent is None, -abs(percent or 0), row["symbol"], row["feed"] is None, row["feed"])

    return [_texts(row) for row in sorted(answer, key=order)]


def spread(rows: "list[Row]", asked: Asked) -> Answer:
    quotes = []
    for row in _days(rows, asked):
        if row["bid"] and row["ask"]:
            quoted_at = row["quote_time"] or row["fetched_at"] - dt.timedelta(seconds=row["delay_seconds"] or 0)
            quotes.append({**row, "quoted_at": quoted_at, "quote_date": str(new_york(quoted_at).date())})
    once = [_newest(group) for group in _grouped(quotes, "symbol", "feed", "quoted_at").values()]
    once = [row for row in once if in_regular_session(row["quoted_at"])]
    keys = ("quote_date", "symbol", "feed", "currency")
    answer = []
    for key, group in _grouped(once, *keys).items():
        normal = [(row["bid"], row["ask"]) for row in group if row["ask"] > row["bid"]]
        points = [rounded(10_000 * (ask - bid) / ((ask + bid) / 2)) for bid, ask in normal]
        answer.append(
            {
                **dict(zip(keys, key)),
                "quotes": len(group),
                "locked": sum(row["bid"] == row["ask"] for row in group),
                "crossed": sum(row["bid"] > row["ask"] for row in group),
                "untimed": sum(row["quote_time"] is None for row in group),
                "average_spread": _ratio(sum((ask - bid for bid, ask in normal), Fraction()), len(normal)),
                "average_basis_points": _ratio(sum(points, Fraction()), len(normal)),
                "least_basis_points": min(points, default=None),
                "most_basis_points": max(points, default=None),
            }
        )
    return [_texts(row) for row in _in_order(answer, *keys)]


def freshness(rows: "list[Row]", asked: Asked) -> Answer:
    """Without asked_at and pipeline_seconds, which depend on when one asks."""
    newest = [_newest(group) for group in _grouped(_days(rows, asked), "symbol", "feed").values()]
    answer = []
    for row in _in_order(newest, "fetched_at", "symbol", "feed"):
        age = _seconds(row["fetched_at"], row["event_time"]) - (row["delay_seconds"] or 0)
        columns = ("symbol", "feed", "session", "event_time", "fetched_at", "delay_seconds")
        answer.append({**_texts({column: row[column] for column in columns}), "market_seconds": shown(age, 3)})
    return answer


def feeds_compared(rows: "list[Row]", asked: Asked) -> Answer:
    found = _grouped(_newest_bars(rows, asked), "symbol", "currency", "bar_seconds", "bar_start")
    pairs = []
    for (symbol, currency, seconds, _), same in found.items():
        for one in same:
            for other in same:
                if (one["feed"] or "") < (other["feed"] or ""):
                    pairs.append(
                        {"symbol": symbol, "currency": currency, "bar_seconds": seconds, "feed_1": one["feed"], "feed_2": other["feed"]}
                        | {"one": one, "other": other}
                    )
    keys = ("symbol", "currency", "bar_seconds", "feed_1", "feed_2")
    answer = []
    for key, group in _grouped([pair for pair in pairs if pair["bar_seconds"]], *keys).items():
        closes = [(pair["one"]["bar_close"], pair["other"]["bar_close"]) for pair in group]
        differences = [rounded(10_000 * (other - one) / one) for one, other in closes if one and other is not None]
        volumes = [(pair["one"]["bar_volume"], pair["other"]["bar_volume"]) for pair in group]
        volumes = [pair for pair in volumes if None not in pair]
        volume_1 = sum((one for one, _ in volumes), Fraction()) if volumes else None
        volume_2 = sum((other for _, other in volumes), Fraction()) if volumes else None
        later = [_seconds(pair["other"]["first_fetched_at"], pair["one"]["first_fetched_at"]) for pair in group]
        row = {
            **dict(zip(keys, key)),
            "source_1": SOURCE,
            "source_2": SOURCE,
            "bars": len(group),
            "equal_closes": sum(one == other for one, other in closes if None not in (one, other)),
            "average_difference": _ratio(sum(differences, Fraction()), len(differences)),
            "least_difference": min(differences, default=None),
            "most_difference": max(differences, default=None),
            "volume_1": volume_1,
            "volume_2": volume_2,
            "volume_2_percent": _ratio(None if volume_2 is None else 100 * volume_2, volume_1),
        }
        texts = {column: shown(value) for column, value in row.items()}
        texts["average_seconds_later"] = shown(sum(later, Fraction()) / len(later), 3)
        answer.append((row, texts))
    answer.sort(key=lambda pair: [(pair[0][column] is None, pair[0][column]) for column in keys])
    return [texts for _, texts in answer]


def quotes_by_day(rows: "list[Row]", asked: Asked) -> "dict[str, int]":
    """The rows of each day; files and bytes are known to the disk alone."""
    counts: "dict[str, int]" = defaultdict(int)
    for row in _days(rows, asked):
        counts[row["dt"]] += 1
    return dict(sorted(counts.items()))


ANSWERS: "dict[str, Callable[[list[Row], Asked], Answer]]" = {
    "latest-quotes": latest_quotes,
    "latest-quotes-as-of": latest_quotes,
    "bars": bars,
    "sampled-bars": sampled_bars,
    "movers": movers,
    "spread": spread,
    "freshness": freshness,
    "feeds-compared": feeds_compared,
}
