"""The function that write-quotes is measured against.

Does write-quotes' job the way one would otherwise write it: json, decimal, pyarrow and boto3, one
file for each partition of the batch. It has every column, sorts as the table wants it and sets
poison aside. It does without what write-quotes adds: it does not claim a file before writing it,
so a batch with other boundaries doubles rows; it does not know holidays; it checks less.
"""

import base64
import io
import json
import os
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

import boto3
import pyarrow as pa
import pyarrow.parquet as pq

NEW_YORK = ZoneInfo("America/New_York")

TEXT, BIGINT, INT = pa.string(), pa.int64(), pa.int32()
DECIMAL = pa.decimal128(18, 6)
TIMESTAMP = pa.timestamp("ms", tz="UTC")


def _always(name, kind):
    return pa.field(name, kind, nullable=False)


SCHEMA = pa.schema(
    [
        _always("symbol", TEXT),
        _always("currency", TEXT),
        _always("price", DECIMAL),
        ("last_size", DECIMAL),
        _always("event_time", TIMESTAMP),
        _always("event_time_ns", BIGINT),
        ("conditions", TEXT),
        ("exchange", TEXT),
        ("bid", DECIMAL),
        ("ask", DECIMAL),
        ("bid_size", DECIMAL),
        ("ask_size", DECIMAL),
        ("quote_time", TIMESTAMP),
        ("day_date", TEXT),
        ("day_open", DECIMAL),
        ("day_high", DECIMAL),
        ("day_low", DECIMAL),
        ("day_close", DECIMAL),
        ("day_volume", DECIMAL),
        ("day_vwap", DECIMAL),
        ("day_trades", BIGINT),
        ("previous_close", DECIMAL),
        ("bar_start", TIMESTAMP),
        ("bar_seconds", INT),
        ("bar_open", DECIMAL),
        ("bar_high", DECIMAL),
        ("bar_low", DECIMAL),
        ("bar_close", DECIMAL),
        ("bar_volume", DECIMAL),
        ("bar_vwap", DECIMAL),
        ("bar_trades", BIGINT),
        ("session", TEXT),
        ("trade_date", TEXT),
        _always("fetched_at", TIMESTAMP),
        _always("source", TEXT),
        ("feed", TEXT),
        ("delay_seconds", INT),
        _always("kafka_cluster", TEXT),
        _always("kafka_partition", INT),
        _always("kafka_offset", BIGINT),
    ]
)

# The seven columns of the short case: what a first version of such a function has.
SHORT_SCHEMA = pa.schema(
    [SCHEMA.field(name) for name in ("symbol", "currency", "price", "last_size", "event_time", "fetched_at", "source")]
)


def _names(schema, kind):
    return [field.name for field in schema if field.type == kind]


DECIMALS = {id(schema): _names(schema, DECIMAL) for schema in (SCHEMA, SHORT_SCHEMA)}
TIMES = {id(schema): _names(schema, TIMESTAMP) for schema in (SCHEMA, SHORT_SCHEMA)}


def nanoseconds(text):
    """An RFC 3339 time in UTC, which may have nine fractional digits: datetime keeps six."""
    seconds, _, fraction = text.rstrip("Z").partition(".")
    whole = int(datetime.fromisoformat(seconds).replace(tzinfo=timezone.utc).timestamp())
    return whole * 1_000_000_000 + (int(fraction.ljust(9, "0")) if fraction else 0)


def calendar(event_time_ns):
    """The session and the trade date, by the clock of New York."""
    local = datetime.fromtimestamp(event_time_ns // 1_000_000_000, NEW_YORK)
    clock = local.time()
    trade_date = local.date() + timedelta(days=1) if clock >= time(20) else local.date()
    if trade_date.weekday() >= 5:
        trade_date += timedelta(days=7 - trade_date.weekday())
        return "closed", trade_date.isoformat()
    if clock >= time(20) or clock < time(4):
        session = "overnight"
    elif clock < time(9, 30):
        session = "pre"
    elif clock < time(16):
        session = "regular"
    else:
        session = "post"
    return session, trade_date.isoformat()


def cluster_of(record):
    for header in record.get("headers") or []:
        if "kafka_cluster" in header:
            return bytes(header["kafka_cluster"]).decode()
    return "unknown"


def read(record, schema):
    """The record's quote as a row of the schema."""
    row = json.loads(base64.b64decode(record["value"]))
    if not row["symbol"]:
        raise ValueError("no symbol")
    for name in DECIMALS[id(schema)]:
        text = row.get(name)
        if text is not None:
            row[name] = Decimal(text)
    if row["price"] <= 0:
        raise ValueError("the price is not above 0")
    if schema is SCHEMA:
        row["event_time_ns"] = nanoseconds(row["event_time"])
        row["session"], row["trade_date"] = calendar(row["event_time_ns"])
        row["kafka_cluster"] = cluster_of(record)
        row["kafka_partition"] = record["partition"]
        row["kafka_offset"] = record["offset"]
    for name in TIMES[id(schema)]:
        text = row.get(name)
        if text is not None:
            row[name] = nanoseconds(text) // 1_000_000
    return row


def to_parquet(rows, schema):
    """The rows as the bytes of a Parquet file, sorted by symbol and time."""
    rows.sort(key=lambda row: (row["symbol"], row.get("event_time_ns", row["event_time"])))
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    table = pa.Table.from_arrays(columns, schema=schema)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", store_decimal_as_integer=True)
    return buffer.getvalue()


def convert(records, schema=SCHEMA):
    """The records of one partition as a Parquet file, and those that are no quotes."""
    rows, poison = [], []
    for record in records:
        try:
            rows.append(read(record, schema))
        except (KeyError, TypeError, ValueError, InvalidOperation) as error:
            poison.append((record, str(error)))
    return to_parquet(rows, schema), poison


s3 = None


def init():
    """What a function does outside of its handler."""
    global s3
    s3 = boto3.client("s3")


def handler(event, context=None):
    bucket = os.environ["LAKE_BUCKET"]
    written = []
    for name, records in event["records"].items():
        parquet, poison = convert(records)
        first = records[0]["offset"]
        day = datetime.fromtimestamp(records[0]["timestamp"] / 1000, NEW_YORK).date()
        key = f"quotes/dt={day}/{name}-{first:020}.parquet"
        s3.put_object(Bucket=bucket, Key=key, Body=parquet, ContentType="application/vnd.apache.parquet")
        for record, reason in poison:
            body = json.dumps({"record": record, "reason": reason})
            s3.put_object(Bucket=bucket, Key=f"quarantine/dt={day}/{name}-{record['offset']:020}.json", Body=body)
        written.append(key)
    return {"records": sum(len(records) for records in event["records"].values()), "files": written}
