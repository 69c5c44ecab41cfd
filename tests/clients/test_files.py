"""The lake's files by themselves, read by what people have at hand, with nothing set."""

import decimal
import pathlib
import unittest
from typing import Optional

import duckdb
import pyarrow
import pyarrow.dataset
import pyarrow.parquet

from tests.clients import recording, stack


class Files(unittest.TestCase):
    """Every row, to the last digit."""

    folder: pathlib.Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = stack.shared().data / "s3" / stack.LAKE_BUCKET / "quotes"

    def quotes(self, table: pyarrow.Table) -> "list[recording.Quote]":
        rows = table.select(recording.Quote._fields).to_pylist()
        return sorted(recording.Quote(**row) for row in rows)

    def test_pyarrow_reads_a_table(self) -> None:
        table = pyarrow.parquet.read_table(self.folder)
        self.assertEqual(self.quotes(table), recording.expected())
        types = {name: table.schema.field(name).type for name in ("price", "event_time", "event_time_ns")}
        expected = {"price": pyarrow.decimal128(18, 6), "event_time": pyarrow.timestamp("ms", "UTC"), "event_time_ns": pyarrow.int64()}
        self.assertEqual(types, expected)

    def test_pyarrow_prunes_a_data_set_by_its_folders(self) -> None:
        quotes = pyarrow.dataset.dataset(self.folder, partitioning="hive")
        for day in recording.DAYS:
            day_only = pyarrow.dataset.field("dt") == day
            expected = [quote for quote in recording.expected() if quote.dt == day]
            self.assertEqual(self.quotes(quotes.to_table(filter=day_only)), expected)
            names = {pathlib.Path(fragment.path).parent.name for fragment in quotes.get_fragments(filter=day_only)}
            self.assertEqual(names, {f"dt={day}"})

    def test_duckdb_reads_the_folder(self) -> None:
        found = duckdb.sql(f"SELECT * FROM '{self.folder}/*/*.parquet'")
        types = dict(zip(found.columns, map(str, found.types)))
        wanted = {"price": "DECIMAL(18,6)", "event_time": "TIMESTAMP WITH TIME ZONE", "event_time_ns": "BIGINT"}
        self.assertEqual({name: types[name] for name in wanted}, wanted)
        self.assertIn("dt", types)
        # As text, which loses nothing and needs no time zone.
        columns = "symbol, price::VARCHAR, last_size::VARCHAR, epoch_ms(event_time), event_time_ns, conditions, bar_trades, dt::VARCHAR"
        rows = sorted(duckdb.sql(f"SELECT {columns} FROM found").fetchall(), key=repr)

        def text(value: Optional[decimal.Decimal]) -> Optional[str]:
            return None if value is None else format(value, "f")

        expected = [
            (
                quote.symbol,
                text(quote.price),
                text(quote.last_size),
                quote.event_time_ns // 10**6,
                quote.event_time_ns,
                quote.conditions,
                quote.bar_trades,
                quote.dt,
            )
            for quote in recording.expected()
        ]
        self.assertEqual(rows, sorted(expected, key=repr))
