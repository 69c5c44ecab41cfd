"""awswrangler, as data people use it."""

import datetime
import unittest
import uuid
import warnings

import awswrangler as wr
import pandas

from tests.clients import recording, stack
from tests.clients.stack import DATABASE, LAKE_BUCKET, WORK_GROUP

SQL = f"SELECT {recording.SELECTED} FROM quotes"


def setUpModule() -> None:
    stack.shared()
    # How awswrangler uses pandas is its own affair.
    warnings.simplefilter("ignore", pandas.errors.Pandas4Warning)
    wr.config.athena_query_wait_polling_delay = 0.02


def quotes(frame: pandas.DataFrame) -> "list[recording.Quote]":
    """A frame's rows, in Python's types."""
    return sorted(recording.Quote(**{name: value(row[name]) for name in recording.Quote._fields}) for row in frame.to_dict("records"))


def value(cell: object) -> object:
    """A cell in Python's types. Times without a zone are UTC."""
    if pandas.isna(cell):
        return None
    if isinstance(cell, pandas.Timestamp):
        cell = cell.to_pydatetime()
        return cell if cell.tzinfo else cell.replace(tzinfo=datetime.timezone.utc)
    return cell


class Reading(unittest.TestCase):
    """One query, by each of the ways to its rows."""

    def test_through_csv(self) -> None:
        frame = wr.athena.read_sql_query(SQL, database=DATABASE, workgroup=WORK_GROUP, ctas_approach=False)
        self.assertEqual(quotes(frame), recording.expected())
        self.assertEqual(frame["event_time_ns"].dtype, "Int64")

    def test_through_a_table_of_its_own(self) -> None:
        frame = wr.athena.read_sql_query(SQL, database=DATABASE, workgroup=WORK_GROUP, ctas_approach=True)
        self.assertEqual(quotes(frame), recording.expected())
        self.assertEqual([table for table in wr.catalog.tables(database=DATABASE)["Table"] if table.startswith("temp_table")], [])

    def test_through_unload(self) -> None:
        # Where its manifest goes: awswrangler reads no manifest that leads to another bucket.
        configuration = stack.client("athena").get_work_group(WorkGroup=WORK_GROUP)["WorkGroup"]["Configuration"]
        path = f"{configuration['ResultConfiguration']['OutputLocation']}unloaded/{uuid.uuid4().hex}/"
        frame = wr.athena.read_sql_query(
            SQL, database=DATABASE, workgroup=WORK_GROUP, ctas_approach=False, unload_approach=True, s3_output=path
        )
        self.assertEqual(quotes(frame), recording.expected())

    def test_in_chunks_and_with_parameters(self) -> None:
        chunks = wr.athena.read_sql_query(
            f"{SQL} WHERE symbol = ?", database=DATABASE, workgroup=WORK_GROUP, ctas_approach=False, chunksize=1, params=["'AAPL'"],
            paramstyle="qmark",
        )
        found = sorted(quote for chunk in chunks for quote in quotes(chunk))
        self.assertEqual(found, [quote for quote in recording.expected() if quote.symbol == "AAPL"])

    def test_a_query_that_fails_says_why(self) -> None:
        with self.assertRaisesRegex(wr.exceptions.QueryFailed, "Column 'prize' cannot be resolved"):
            wr.athena.read_sql_query("SELECT prize FROM quotes", database=DATABASE, workgroup=WORK_GROUP, ctas_approach=False)

    def test_the_files_themselves(self) -> None:
        frame = wr.s3.read_parquet(f"s3://{LAKE_BUCKET}/quotes/", dataset=True)
        self.assertEqual(quotes(frame), recording.expected())
        day = wr.s3.read_parquet(f"s3://{LAKE_BUCKET}/quotes/", dataset=True, partition_filter=lambda part: part["dt"] == recording.DAYS[1])
        self.assertEqual(quotes(day), [quote for quote in recording.expected() if quote.dt == recording.DAYS[1]])


class Catalog(unittest.TestCase):
    """What there is."""

    def test_databases_tables_columns_and_partitions(self) -> None:
        self.assertIn(DATABASE, list(wr.catalog.databases()["Database"]))
        self.assertTrue(wr.catalog.does_table_exist(DATABASE, "quotes"))
        self.assertFalse(wr.catalog.does_table_exist(DATABASE, "none"))
        types = wr.catalog.get_table_types(DATABASE, "quotes")
        self.assertEqual((types["price"], types["event_time_ns"], types["dt"]), ("decimal(18,6)", "bigint", "string"))
        partitions = wr.catalog.get_partitions(DATABASE, "quotes")
        self.assertEqual(sorted(values[0] for values in partitions.values()), list(recording.DAYS))
        self.assertTrue(wr.catalog.get_table_location(DATABASE, "quotes").startswith(f"s3://{LAKE_BUCKET}/quotes"))

    def test_statements_about_a_table(self) -> None:
        described = wr.athena.describe_table("quotes", database=DATABASE, workgroup=WORK_GROUP).set_index("Column Name")
        self.assertEqual((described.loc["price", "Type"], bool(described.loc["dt", "Partition"])), ("decimal(18,6)", True))
        created = wr.athena.show_create_table("quotes", database=DATABASE, workgroup=WORK_GROUP)
        self.assertIn("PARTITIONED BY", created)
        self.assertEqual(wr.athena.repair_table("quotes", database=DATABASE, workgroup=WORK_GROUP), "SUCCEEDED")

    def test_a_frame_becomes_a_table_that_sql_reads(self) -> None:
        table, path = f"mine_{uuid.uuid4().hex}", f"s3://{LAKE_BUCKET}/mine/{uuid.uuid4().hex}/"
        frame = pandas.DataFrame({"symbol": ["A", "B"], "n": [1, 2**53 + 1], "day": ["2013-10-07", "2013-10-08"]})
        wr.s3.to_parquet(frame, path=path, dataset=True, database=DATABASE, table=table, partition_cols=["day"])
        found = wr.athena.read_sql_query(f"SELECT * FROM {table} ORDER BY n", database=DATABASE, workgroup=WORK_GROUP, ctas_approach=False)
        self.assertEqual(found.astype(object).values.tolist(), frame.astype(object).values.tolist())
        self.assertTrue(wr.catalog.delete_table_if_exists(DATABASE, table))
