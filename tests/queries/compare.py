"""Compares every named query with an independent computation over the recording that filled the lake, to the last digit.

By hand, over recordings of one's own: python -m tests.queries.compare DAY.csv.gz ... [--data EMPTY_FOLDER]
"""

import argparse
import csv
import datetime as dt
import gzip
import pathlib
import tempfile

from tests.queries.answers import ANSWERS, Answer, Asked, Row, parsed, quotes_by_day, shown
from tests.queries.lake import Lake


def differences(expected: Answer, found: Answer) -> "list[str]":
    """What is not as it should be, in words; empty if every row and digit is."""
    told = []
    if len(found) != len(expected):
        told.append(f"{len(found)} rows instead of {len(expected)}")
    for position, (right, row) in enumerate(zip(expected, found)):
        if row.keys() != right.keys():
            told.append(f"row {position} has the columns {sorted(row)} instead of {sorted(right)}")
            continue
        told += [f"row {position}: {column} is {row[column]!r} instead of {right[column]!r} in {row}" for column in right if row[column] != right[column]]
    return told


def flags(asked: Asked) -> "list[str]":
    """How the command is asked for these days."""
    days = asked.first if asked.first == asked.last else f"{asked.first}..{asked.last}"
    moment = [] if asked.moment is None else ["--as-of", asked.moment.isoformat(timespec="milliseconds") + "Z"]
    return ["--day", days, *moment]


def check(lake: Lake, rows: "list[Row]", name: str, asked: Asked, flags_given: "list[str]") -> "list[str]":
    """The differences of one query's answer."""
    if name == "gaps-and-doubles":
        return differences([], lake.ask(name, *flags_given))
    if name == "lake-by-day":
        return differences(by_day(lake, rows, asked), lake.ask(name, *flags_given))
    earliest = dt.datetime.now(dt.timezone.utc).replace(tzinfo=None)
    found = lake.ask(name, *flags_given)
    if name != "freshness":
        return differences(ANSWERS[name](rows, asked), found)
    return differences(ANSWERS[name](rows, asked), [without_now(row, earliest) for row in found])


def without_now(row: "dict[str, str | None]", earliest: dt.datetime) -> "dict[str, str | None]":
    """A row of freshness without what depends on when one asks, once that is right."""
    row = dict(row)
    asked_at, fetched_at = (dt.datetime.fromisoformat(row[column] or "") for column in ("asked_at", "fetched_at"))
    latest = dt.datetime.now(dt.timezone.utc).replace(tzinfo=None)
    seconds = (asked_at - fetched_at) / dt.timedelta(milliseconds=1) / 1000
    if earliest - dt.timedelta(milliseconds=1) <= asked_at <= latest and row["pipeline_seconds"] == f"{seconds:.3f}":
        del row["asked_at"], row["pipeline_seconds"]
    return row


def by_day(lake: Lake, rows: "list[Row]", asked: Asked) -> Answer:
    """Rows by the recording, files and bytes by the disk."""
    answer = []
    for day, quotes in quotes_by_day(rows, asked).items():
        sizes = [file.stat().st_size for file in lake.files(day)]
        row = {"dt": day, "files": len(sizes), "quotes": quotes, "bytes": sum(sizes), "bytes_a_quote": sum(sizes) // quotes}
        answer.append({column: shown(value) for column, value in row.items()})
    return answer


NAMES = sorted([*ANSWERS, "gaps-and-doubles", "lake-by-day"])


def main() -> int:
    """Fills a lake with recordings and prints how each query compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="+", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path)
    arguments = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(arguments.data or pathlib.Path(folder) / "data")
        recorded = []
        for recording in arguments.recordings:
            lake.replay(recording.absolute())
            with gzip.open(recording, "rt", encoding="utf-8") if recording.suffix == ".gz" else recording.open(encoding="utf-8") as file:
                recorded += list(csv.DictReader(file))
        rows = parsed(recorded)
        asked = Asked(min(row["dt"] for row in rows), max(row["dt"] for row in rows))
        for name in NAMES:
            told = check(lake, rows, name, asked, flags(asked))
            failed += bool(told)
            count = len(ANSWERS[name](rows, asked)) if name in ANSWERS else "-"
            print(f"{name:20} {'the same' if not told else told[0]} ({count} rows)")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
