"""boto3's ordinary calls against the local endpoints."""

import unittest
import uuid

from botocore.exceptions import ClientError

from tests.clients import recording, stack
from tests.clients.stack import DATABASE, LAKE_BUCKET, WORK_GROUP, answer, client, execute


def setUpModule() -> None:
    stack.shared()


class Athena(unittest.TestCase):
    """Queries, their results and what is around them."""

    def test_rows_come_page_by_page_and_as_csv_with_its_metadata(self) -> None:
        rows = answer(f"SELECT {recording.SELECTED} FROM quotes ORDER BY symbol, event_time_ns")
        self.assertEqual(rows[0], recording.Quote._fields)
        self.assertEqual([(row[0], row[3], row[2]) for row in rows[1:]], [(q.symbol, f"{q.price:f}", str(q.event_time_ns)) for q in recording.expected()])
        execution = execute("SELECT symbol, price FROM quotes WHERE dt = '2013-10-08' ORDER BY symbol")
        bucket, _, key = execution["ResultConfiguration"]["OutputLocation"].removeprefix("s3://").partition("/")
        result = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        self.assertEqual(result, '"symbol","price"\n"AAPL","480.000001"\n"MSFT","33.300000"\n')
        metadata = client("s3").get_object(Bucket=bucket, Key=f"{key}.metadata")["Body"].read()
        self.assertIn(b"decimal", metadata)
        self.assertGreater(execution["Statistics"]["DataScannedInBytes"], 0)

    def test_a_token_starts_one_query_and_listed_queries_can_be_asked_for(self) -> None:
        athena, token = client("athena"), uuid.uuid4().hex
        asked = {"WorkGroup": WORK_GROUP, "ClientRequestToken": token}
        first = athena.start_query_execution(QueryString="SELECT 1", **asked)["QueryExecutionId"]
        self.assertEqual(athena.start_query_execution(QueryString="SELECT 1", **asked)["QueryExecutionId"], first)
        with self.assertRaisesRegex(ClientError, "Idempotent parameters do not match"):
            athena.start_query_execution(QueryString="SELECT 2", **asked)
        listed = athena.list_query_executions(WorkGroup=WORK_GROUP)["QueryExecutionIds"]
        self.assertIn(first, listed)
        found = athena.batch_get_query_execution(QueryExecutionIds=[first, str(uuid.uuid4())])
        self.assertEqual((len(found["QueryExecutions"]), len(found["UnprocessedQueryExecutionIds"])), (1, 1))

    def test_parameters_and_prepared_statements(self) -> None:
        athena, name = client("athena"), f"p_{uuid.uuid4().hex}"
        sql = "SELECT count(*) FROM quotes WHERE symbol = ? AND dt = ?"
        self.assertEqual(answer(sql, ExecutionParameters=["'AAPL'", "'2013-10-07'"])[1:], [("2",)])
        athena.create_prepared_statement(StatementName=name, WorkGroup=WORK_GROUP, QueryStatement=sql)
        self.assertEqual(answer(f"EXECUTE {name} USING 'MSFT', '2013-10-08'")[1:], [("1",)])
        athena.delete_prepared_statement(StatementName=name, WorkGroup=WORK_GROUP)
        with self.assertRaises(athena.exceptions.ResourceNotFoundException):
            athena.get_prepared_statement(StatementName=name, WorkGroup=WORK_GROUP)

    def test_what_is_wrong_is_told_as_athena_tells_it(self) -> None:
        athena = client("athena")
        with self.assertRaisesRegex(athena.exceptions.InvalidRequestException, "line 1:1"):
            execute("SELEC 1")
        status = execute("SELECT prize FROM quotes")["Status"]
        self.assertEqual(status["State"], "FAILED")
        self.assertRegex(status["StateChangeReason"], "^COLUMN_NOT_FOUND: line 1:8: Column 'prize' cannot be resolved")
        self.assertEqual(status["AthenaError"]["ErrorCategory"], 2)
        with self.assertRaises(athena.exceptions.InvalidRequestException):
            athena.get_query_results(QueryExecutionId=str(uuid.uuid4()))
        with self.assertRaises(athena.exceptions.InvalidRequestException):
            athena.get_work_group(WorkGroup="none")

    def test_work_groups_and_the_catalog(self) -> None:
        athena = client("athena")
        configuration = athena.get_work_group(WorkGroup=WORK_GROUP)["WorkGroup"]["Configuration"]
        self.assertTrue(configuration["EnforceWorkGroupConfiguration"])
        self.assertGreater(configuration["BytesScannedCutoffPerQuery"], 0)
        self.assertIn(WORK_GROUP, [group["Name"] for group in athena.list_work_groups()["WorkGroups"]])
        catalog = {"CatalogName": "AwsDataCatalog"}
        self.assertEqual(athena.list_data_catalogs()["DataCatalogsSummary"][0]["CatalogName"], "AwsDataCatalog")
        self.assertIn(DATABASE, [found["Name"] for found in athena.list_databases(**catalog)["DatabaseList"]])
        table = athena.get_table_metadata(DatabaseName=DATABASE, TableName="quotes", **catalog)["TableMetadata"]
        self.assertEqual(table["PartitionKeys"][0]["Name"], "dt")

    def test_partitions_dropped_come_back_by_repair(self) -> None:
        day = recording.DAYS[1]
        table = f"day_{uuid.uuid4().hex}"
        execute(f"CREATE TABLE {table} WITH (partitioned_by = ARRAY['dt']) AS SELECT symbol, price, dt FROM quotes")
        days = f"SELECT DISTINCT dt FROM {table} ORDER BY dt"
        self.assertEqual([row[0] for row in answer(days)[1:]], list(recording.DAYS))
        execute(f"ALTER TABLE {table} DROP PARTITION (dt = '{day}')")
        self.assertEqual([row[0] for row in answer(days)[1:]], [recording.DAYS[0]])
        self.assertEqual(answer(f"MSCK REPAIR TABLE {table}")[-1], (f"Repair: Added partition to metastore {table}:dt={day}",))
        self.assertEqual([row[0] for row in answer(days)[1:]], list(recording.DAYS))
        self.assertEqual(execute(f"DROP TABLE {table}")["Status"]["State"], "SUCCEEDED")


class Glue(unittest.TestCase):
    """The catalog and its crawler."""

    def test_databases_tables_and_partitions(self) -> None:
        glue = client("glue")
        names = [found["Name"] for page in glue.get_paginator("get_databases").paginate() for found in page["DatabaseList"]]
        self.assertIn(DATABASE, names)
        table = glue.get_table(DatabaseName=DATABASE, Name="quotes")["Table"]
        columns = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
        self.assertEqual((columns["price"], columns["event_time"]), ("decimal(18,6)", "timestamp"))
        pages = glue.get_paginator("get_partitions").paginate(DatabaseName=DATABASE, TableName="quotes")
        found = {part["Values"][0]: part["StorageDescriptor"]["Location"] for page in pages for part in page["Partitions"]}
        self.assertEqual(set(found), set(recording.DAYS))
        self.assertTrue(all(f"/quotes/dt={day}" in location for day, location in found.items()))
        with self.assertRaises(glue.exceptions.EntityNotFoundException):
            glue.get_table(DatabaseName=DATABASE, Name="none")

    def test_the_crawler_and_what_it_did(self) -> None:
        glue = client("glue")
        name = glue.get_crawlers()["Crawlers"][0]["Name"]
        self.assertIn(glue.get_crawler(Name=name)["Crawler"]["State"], ("READY", "RUNNING", "STOPPING"))
        self.assertEqual(glue.get_crawler_metrics(CrawlerNameList=[name])["CrawlerMetricsList"][0]["CrawlerName"], name)


class Sqs(unittest.TestCase):
    """Queues."""

    def test_a_message_is_sent_received_and_deleted(self) -> None:
        sqs = client("sqs")
        # One that nothing here works off.
        queue = next(url for url in sqs.list_queues()["QueueUrls"] if "fetch" in url.lower())
        sent = sqs.send_message(QueueUrl=queue, MessageBody="é", MessageAttributes={"why": {"DataType": "String", "StringValue": "test"}})
        received = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5, MessageAttributeNames=["All"])["Messages"]
        self.assertEqual([(message["MessageId"], message["Body"]) for message in received], [(sent["MessageId"], "é")])
        self.assertEqual(received[0]["MessageAttributes"]["why"]["StringValue"], "test")
        self.assertEqual(self.waiting(queue), (0, 1))
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=received[0]["ReceiptHandle"])
        self.assertEqual(self.waiting(queue), (0, 0))
        with self.assertRaises(sqs.exceptions.QueueDoesNotExist):
            sqs.get_queue_url(QueueName="none")

    def waiting(self, queue: str) -> "tuple[int, int]":
        """Messages that can be received, and that were."""
        found = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])


class S3(unittest.TestCase):
    """Objects."""

    def test_objects_are_written_listed_read_copied_and_removed(self) -> None:
        s3, prefix = client("s3"), f"mine/{uuid.uuid4().hex}/"
        body = bytes(range(256)) * 40
        put = s3.put_object(Bucket=LAKE_BUCKET, Key=f"{prefix}a b+c.bin", Body=body, Metadata={"made-by": "test"})
        s3.copy_object(Bucket=LAKE_BUCKET, Key=f"{prefix}copy", CopySource={"Bucket": LAKE_BUCKET, "Key": f"{prefix}a b+c.bin"})
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=LAKE_BUCKET, Prefix=prefix)
        listed = {found["Key"]: found["Size"] for page in pages for found in page["Contents"]}
        self.assertEqual(listed, {f"{prefix}a b+c.bin": len(body), f"{prefix}copy": len(body)})
        got = s3.get_object(Bucket=LAKE_BUCKET, Key=f"{prefix}a b+c.bin", Range="bytes=1-3")
        self.assertEqual((got["Body"].read(), got["Metadata"], got["ETag"]), (b"\x01\x02\x03", {"made-by": "test"}, put["ETag"]))
        with self.assertRaises(ClientError) as refused:
            s3.put_object(Bucket=LAKE_BUCKET, Key=f"{prefix}copy", Body=b"", IfNoneMatch="*")
        self.assertEqual(refused.exception.response["ResponseMetadata"]["HTTPStatusCode"], 412)
        s3.delete_objects(Bucket=LAKE_BUCKET, Delete={"Objects": [{"Key": key} for key in listed]})
        self.assertEqual(s3.list_objects_v2(Bucket=LAKE_BUCKET, Prefix=prefix)["KeyCount"], 0)
        with self.assertRaises(s3.exceptions.NoSuchKey):
            s3.get_object(Bucket=LAKE_BUCKET, Key=f"{prefix}copy")
