"""What the template must never lose, asserted on what CloudFormation is handed."""

import json
import unittest

from tests.template.transformed import source, transformed

# Who may send to a queue without a role of its own.
SENDERS = {
    "ObjectCreatedQueuePolicy": "s3.amazonaws.com",
    "CheckFreshnessDeadLetterQueuePolicy": "events.amazonaws.com",
}

FUNCTIONS = {
    "FetchQuotesFunction": "fetch-quotes",
    "WriteQuotesFunction": "write-quotes",
    "StartCrawlerFunction": "start-crawler",
    "CheckFreshnessFunction": "check-freshness",
    "CompactDayFunction": "compact-day",
}


def as_list(value):
    return value if isinstance(value, list) else [value]


def flatten_if(value):
    """Both branches of an Fn::If, without what the condition leaves out."""
    if isinstance(value, dict) and set(value) == {"Fn::If"}:
        return [branch for branch in value["Fn::If"][1:] if branch != {"Ref": "AWS::NoValue"}]
    return [value]


class TemplateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.resources = transformed()["Resources"]

    def of_type(self, resource_type):
        found = {name: r["Properties"] for name, r in self.resources.items() if r["Type"] == resource_type}
        self.assertTrue(found, f"no {resource_type}")
        return found

    def statements(self, role):
        """The statements of a role's own policies."""
        for entry in self.resources[role]["Properties"].get("Policies", []):
            for policy in flatten_if(entry):
                yield from as_list(policy["PolicyDocument"]["Statement"])


class Permissions(TemplateTest):
    def test_no_role_takes_a_managed_policy(self):
        for name, role in self.of_type("AWS::IAM::Role").items():
            self.assertEqual(role.get("ManagedPolicyArns", []), [], name)

    def test_queues_and_buckets_let_in_only_who_must_come_in(self):
        for name, policy in {**self.of_type("AWS::SQS::QueuePolicy"), **self.of_type("AWS::S3::BucketPolicy")}.items():
            for statement in policy["PolicyDocument"]["Statement"]:
                if statement["Effect"] == "Deny":
                    continue
                self.assertEqual(statement["Principal"], {"Service": SENDERS[name]}, name)
                self.assertEqual(statement["Action"], "sqs:SendMessage", name)
                self.assertIn("aws:SourceAccount", statement["Condition"]["StringEquals"], name)
                self.assertIn("aws:SourceArn", statement["Condition"]["ArnEquals"], name)

    def test_the_check_only_reads_and_only_where_rows_and_poison_lie(self):
        granted = {
            (action, json.dumps(resource))
            for statement in self.statements("CheckFreshnessRole")
            for action in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
            if action.split(":")[0] in ("athena", "glue", "s3")
        }
        self.assertFalse([action for action, _ in granted if action.startswith("glue:") and not action.startswith(("glue:Get", "glue:BatchGet"))])
        read = {resource for action, resource in granted if action == "s3:GetObject"}
        written = {resource for action, resource in granted if action == "s3:PutObject"}
        self.assertEqual(written, {json.dumps({"Fn::Sub": "${AthenaResultsBucket.Arn}/results/*"})})
        self.assertEqual(read - written, {json.dumps({"Fn::Sub": f"${{LakeBucket.Arn}}/{prefix}/*"}) for prefix in ("quotes", "compacted")})
        (workgroup,) = {resource for action, resource in granted if action.startswith("athena:")}
        self.assertTrue(workgroup.endswith(':workgroup/${LakeWorkGroup}"}'), workgroup)

    def test_objects_are_deleted_by_compaction_alone_and_only_where_it_is_asked_for(self):
        deleting = [
            (role, entry)
            for role in self.of_type("AWS::IAM::Role")
            for entry in self.resources[role]["Properties"].get("Policies", [])
            if "s3:Delete" in json.dumps(entry)
        ]
        ((role, entry),) = deleting
        self.assertEqual(role, "CompactDayRole")
        condition, policy, otherwise = entry["Fn::If"]
        self.assertEqual((condition, otherwise), ("RemovesCompacted", {"Ref": "AWS::NoValue"}))
        (delete,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Action"] == "s3:DeleteObject"]
        # Never a watermark, and never what is in quarantine.
        self.assertEqual(delete["Resource"], [{"Fn::Sub": f"${{LakeBucket.Arn}}/{prefix}/*"} for prefix in ("quotes", "compacted")])


class NothingIsDropped(TemplateTest):
    def test_the_kafka_mapping_never_gives_up_on_a_batch(self):
        mapping = self.resources["QuotesMapping"]["Properties"]
        for setting in (
            "DestinationConfig",
            "MaximumRetryAttempts",
            "MaximumRecordAgeInSeconds",
            "BisectBatchOnFunctionError",
            "FilterCriteria",
        ):
            self.assertNotIn(setting, mapping)
        self.assertEqual(mapping["StartingPosition"], "TRIM_HORIZON")
        self.assertEqual(mapping["BatchSize"], 10000)

    def test_what_is_worked_off_in_batches_of_messages_fails_message_by_message(self):
        mapping = self.resources["StartCrawlerFunctionObjectCreated"]["Properties"]
        self.assertEqual(mapping["FunctionResponseTypes"], ["ReportBatchItemFailures"])

    def test_every_queue_that_is_worked_off_has_dead_letters(self):
        queues = self.of_type("AWS::SQS::Queue")
        for mapping in self.of_type("AWS::Lambda::EventSourceMapping").values():
            if "EventSourceArn" not in mapping:
                continue
            queue, _ = mapping["EventSourceArn"]["Fn::GetAtt"]
            dead_letters, _ = queues[queue]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"]
            self.assertIn(dead_letters, queues)
            self.assertNotEqual(dead_letters, queue)
            # A message that waits for the end of a long crawl must not run out of tries.
            patience = queues[queue]["VisibilityTimeout"] * queues[queue]["RedrivePolicy"]["maxReceiveCount"]
            self.assertGreaterEqual(patience, 3600)
            # As long as anyone might take to look, and not shorter than the queue before it.
            self.assertEqual(queues[dead_letters]["MessageRetentionPeriod"], 1209600)

    def test_what_is_given_up_gets_its_reason_before_the_queue_moves_it_without_one(self):
        queues = self.of_type("AWS::SQS::Queue")
        variables = self.resources["StartCrawlerFunction"]["Properties"]["Environment"]["Variables"]
        redrive = queues["ObjectCreatedQueue"]["RedrivePolicy"]
        self.assertEqual(variables["MAX_RECEIVE_COUNT"], str(redrive["maxReceiveCount"]))
        self.assertEqual(variables["DEAD_LETTER_QUEUE_URL"], {"Ref": redrive["deadLetterTargetArn"]["Fn::GetAtt"][0]})

    def test_a_queue_hides_a_message_long_enough_for_its_function(self):
        for mapping in self.of_type("AWS::Lambda::EventSourceMapping").values():
            if "EventSourceArn" not in mapping:
                continue
            queue = self.resources[mapping["EventSourceArn"]["Fn::GetAtt"][0]]["Properties"]
            function = self.resources[mapping["FunctionName"]["Ref"]]["Properties"]
            self.assertGreaterEqual(
                queue["VisibilityTimeout"], 6 * function["Timeout"] + mapping["MaximumBatchingWindowInSeconds"]
            )

    def test_failed_fetches_are_kept(self):
        dead_letters = {"Fn::GetAtt": ["FetchQuotesDeadLetterQueue", "Arn"]}
        schedule = self.resources["FetchQuotesFunctionEveryMinute"]["Properties"]
        self.assertEqual(schedule["Target"]["DeadLetterConfig"]["Arn"], dead_letters)
        invoke = self.resources["FetchQuotesFunctionEventInvokeConfig"]["Properties"]
        self.assertEqual(invoke["DestinationConfig"]["OnFailure"]["Destination"], dead_letters)
        self.assertEqual((invoke["MaximumRetryAttempts"], invoke["MaximumEventAgeInSeconds"]), (0, 60))

    def test_failed_checks_are_kept(self):
        dead_letters = {"Fn::GetAtt": ["CheckFreshnessDeadLetterQueue", "Arn"]}
        schedule = self.resources["CheckFreshnessFunctionInMarketHours"]["Properties"]
        self.assertEqual(schedule["Target"]["DeadLetterConfig"]["Arn"], dead_letters)
        (target,) = self.resources["CheckFreshnessFunctionCrawlEnded"]["Properties"]["Targets"]
        self.assertEqual(target["DeadLetterConfig"]["Arn"], dead_letters)
        invoke = self.resources["CheckFreshnessFunctionEventInvokeConfig"]["Properties"]
        self.assertEqual(invoke["DestinationConfig"]["OnFailure"]["Destination"], dead_letters)
        self.assertEqual((invoke["MaximumRetryAttempts"], invoke["MaximumEventAgeInSeconds"]), (0, 300))

    def test_days_that_could_not_be_compacted_are_kept(self):
        dead_letters = {"Fn::GetAtt": ["CompactDayDeadLetterQueue", "Arn"]}
        schedule = self.resources["CompactDayFunctionEveryNight"]["Properties"]
        self.assertEqual(schedule["Target"]["DeadLetterConfig"]["Arn"], dead_letters)
        self.assertEqual(schedule["ScheduleExpressionTimezone"], "America/New_York")
        invoke = self.resources["CompactDayFunctionEventInvokeConfig"]["Properties"]
        self.assertEqual(invoke["DestinationConfig"]["OnFailure"]["Destination"], dead_letters)
        # Two runs of it may overlap, but the second one needs the first one's leftovers more than its absence.
        self.assertEqual(invoke["MaximumRetryAttempts"], 2)

    def test_the_lake_outlives_the_stack(self):
        lake = self.resources["LakeBucket"]
        self.assertEqual((lake["DeletionPolicy"], lake["UpdateReplacePolicy"]), ("RetainExceptOnCreate", "Retain"))
        for rule in lake["Properties"]["LifecycleConfiguration"]["Rules"]:
            self.assertFalse({"Expiration", "ExpirationInDays", "ExpirationDate", "Transitions"} & set(rule), rule["Id"])


class Buckets(TemplateTest):
    def test_no_bucket_is_public_or_plain(self):
        for name, bucket in self.of_type("AWS::S3::Bucket").items():
            self.assertEqual(
                bucket["PublicAccessBlockConfiguration"],
                {"BlockPublicAcls": True, "BlockPublicPolicy": True, "IgnorePublicAcls": True, "RestrictPublicBuckets": True},
                name,
            )
            self.assertIn("BucketEncryption", bucket, name)

    def test_every_bucket_refuses_plain_http(self):
        policies = {policy["Bucket"]["Ref"]: policy["PolicyDocument"] for policy in self.of_type("AWS::S3::BucketPolicy").values()}
        for name in self.of_type("AWS::S3::Bucket"):
            denials = [
                statement
                for statement in policies[name]["Statement"]
                if statement["Effect"] == "Deny"
                and statement["Action"] == "s3:*"
                and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
            ]
            self.assertEqual(len(denials), 1, name)
            self.assertEqual(len(denials[0]["Resource"]), 2, "the bucket and its objects")

    def test_only_data_files_are_notified_and_only_to_the_queue(self):
        notifications = self.resources["LakeBucket"]["Properties"]["NotificationConfiguration"]
        self.assertEqual(list(notifications), ["QueueConfigurations"])
        (queue,) = notifications["QueueConfigurations"]
        self.assertEqual(queue["Event"], "s3:ObjectCreated:*")
        self.assertEqual(queue["Queue"], {"Fn::GetAtt": ["ObjectCreatedQueue", "Arn"]})
        self.assertEqual(queue["Filter"]["S3Key"]["Rules"], [{"Name": "prefix", "Value": "quotes/"}])


class Functions(TemplateTest):
    def test_functions_are_built_and_run_alike(self):
        written = source()["Resources"]
        for name, binary in FUNCTIONS.items():
            function = self.resources[name]["Properties"]
            self.assertEqual(function["Runtime"], "provided.al2023", name)
            self.assertEqual(function["Architectures"], ["arm64"], name)
            self.assertEqual(function["TracingConfig"], {"Mode": "Active"}, name)
            self.assertEqual(function["LoggingConfig"]["LogFormat"], "JSON", name)
            self.assertEqual(written[name]["Properties"]["CodeUri"], f"functions/{binary}")
            metadata = written[name]["Metadata"]
            self.assertEqual((metadata["BuildMethod"], metadata["BuildProperties"]), ("rust-cargolambda", {"Binary": binary}))

    def test_every_log_group_ends_and_its_function_may_write_to_it(self):
        groups = self.of_type("AWS::Logs::LogGroup")
        self.assertEqual(len(groups), len(FUNCTIONS))
        for name in FUNCTIONS:
            function = self.resources[name]["Properties"]
            group = groups[function["LoggingConfig"]["LogGroup"]["Ref"]]
            self.assertEqual(group["RetentionInDays"], {"Ref": "LogRetentionDays"})
            written_to = [
                statement["Resource"]["Fn::Sub"]
                for statement in self.statements(function["Role"]["Fn::GetAtt"][0])
                if "logs:PutLogEvents" in as_list(statement["Action"])
            ]
            self.assertEqual(len(written_to), 1, name)
            self.assertTrue(written_to[0].endswith(":log-group:" + group["LogGroupName"]["Fn::Sub"] + ":*"), name)

    def test_one_run_of_the_schedule_ends_before_the_next(self):
        self.assertLess(self.resources["FetchQuotesFunction"]["Properties"]["Timeout"], 60)

    def test_a_second_stack_has_schedules_of_its_own(self):
        for name, schedule in self.of_type("AWS::Scheduler::Schedule").items():
            self.assertNotIn("Name", schedule, name)
            self.assertEqual(schedule["ScheduleExpressionTimezone"], "America/New_York", name)

    def test_a_crawls_end_is_checked_if_it_is_our_crawlers(self):
        rule = self.resources["CheckFreshnessFunctionCrawlEnded"]["Properties"]
        self.assertEqual(
            rule["EventPattern"],
            {
                "source": ["aws.glue"],
                "detail-type": ["Glue Crawler State Change"],
                "detail": {"crawlerName": [{"Ref": "QuotesCrawler"}], "state": ["Succeeded", "Failed"]},
            },
        )


class Catalog(TemplateTest):
    def test_the_crawler_reads_the_declared_table_and_changes_no_schema(self):
        crawler = self.resources["QuotesCrawler"]["Properties"]
        self.assertEqual(list(crawler["Targets"]), ["CatalogTargets"])
        self.assertEqual(crawler["Targets"]["CatalogTargets"][0]["Tables"], [{"Ref": "QuotesTable"}])
        self.assertEqual(crawler["SchemaChangePolicy"], {"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"})
        configuration = json.loads(crawler["Configuration"])
        self.assertEqual(configuration["Version"], 1.0)
        self.assertEqual(configuration["Grouping"], {"TableGroupingPolicy": "CombineCompatibleSchemas"})
        self.assertEqual(configuration["CrawlerOutput"], {"Partitions": {"AddOrUpdateBehavior": "InheritFromTable"}})

    def test_the_table_is_partitioned_by_day(self):
        table = self.resources["QuotesTable"]["Properties"]["TableInput"]
        self.assertEqual(table["Name"], "quotes")
        self.assertEqual([(key["Name"], key["Type"]) for key in table["PartitionKeys"]], [("dt", "string")])
        self.assertEqual(table["StorageDescriptor"]["Location"], {"Fn::Sub": "s3://${LakeBucket}/quotes/"})
        self.assertEqual(table["Parameters"]["parquet.compression"], "ZSTD")

    def test_a_client_cannot_change_the_workgroups_settings(self):
        configuration = self.resources["LakeWorkGroup"]["Properties"]["WorkGroupConfiguration"]
        self.assertIs(configuration["EnforceWorkGroupConfiguration"], True)
        self.assertEqual(configuration["EngineVersion"], {"SelectedEngineVersion": "Athena engine version 3"})
        self.assertIn("BytesScannedCutoffPerQuery", configuration)
        self.assertEqual(configuration["ResultConfiguration"]["EncryptionConfiguration"], {"EncryptionOption": "SSE_S3"})


if __name__ == "__main__":
    unittest.main()
