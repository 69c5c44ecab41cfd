"""What tells somebody that something is wrong, and that the metrics it watches are the ones that are written."""

from __future__ import annotations

import json
import pathlib
import re
import unittest
from typing import Any, Iterator

from tests.template.deployments import DEPLOYMENTS, EVERYTHING_ON
from tests.template.rendered import Rendered, as_list, references, render
from tests.template.sources import package, source_of
from tests.template.transformed import binaries

BROKER = pathlib.Path(__file__).parents[2] / "broker"

# Whose dead letters alone tell that it failed: it tries again by itself, and one failure needs nobody.
TOLD_BY_DEAD_LETTERS = {"CompactDayFunction"}

# A loss does not end.
NEVER_OK = {"OffsetsMissingAlarm", "OffsetsReusedAlarm"}


def metrics(alarm: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The metrics that an alarm looks at."""
    if "MetricName" in alarm:
        yield alarm
    for query in alarm.get("Metrics", []):
        if "MetricStat" in query:
            yield query["MetricStat"]["Metric"]


def watched(rendered: Rendered) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, alarm in rendered.of_type("AWS::CloudWatch::Alarm").items():
        for metric in metrics(alarm):
            yield name, metric


def under(part: Any, keys: set[str]) -> Iterator[Any]:
    """What stands under these keys, wherever they are."""
    if isinstance(part, dict):
        for key, value in part.items():
            yield from [value] if key in keys else under(value, keys)
    elif isinstance(part, list):
        for value in part:
            yield from under(value, keys)


def dimensions(metric: dict[str, Any]) -> dict[str, str]:
    return {dimension["Name"]: dimension["Value"] for dimension in metric.get("Dimensions", [])}


class Alarms(unittest.TestCase):
    def setUp(self) -> None:
        self.rendered = render(BrokerCount="3", AlarmEmail="somebody@example.com")

    def test_every_alarm_tells_the_topic_and_says_what_it_means(self) -> None:
        for name, alarm in self.rendered.of_type("AWS::CloudWatch::Alarm").items():
            self.assertEqual(alarm["AlarmActions"], ["${AlarmTopic}"], name)
            self.assertEqual(alarm.get("OKActions", []), [] if name in NEVER_OK else ["${AlarmTopic}"], name)
            self.assertIn("TreatMissingData", alarm, name)
            self.assertTrue(alarm["AlarmDescription"], name)

    def test_every_functions_failures_are_told(self) -> None:
        told = {dimensions(metric)["FunctionName"] for _, metric in watched(self.rendered) if metric["MetricName"] == "Errors"}
        self.assertEqual(told, {f"${{{name}}}" for name in set(binaries()) - TOLD_BY_DEAD_LETTERS})

    def test_every_functions_throttles_are_told(self) -> None:
        told = {dimensions(metric)["FunctionName"] for _, metric in watched(self.rendered) if metric["MetricName"] == "Throttles"}
        self.assertEqual(told, {f"${{{name}}}" for name in binaries()})

    def test_every_dead_letter_is_told(self) -> None:
        kept = references(list(under(self.rendered.resources, {"deadLetterTargetArn", "DeadLetterConfig", "OnFailure"})))
        queues = kept & set(self.rendered.of_type("AWS::SQS::Queue"))
        told = {
            queue
            for _, metric in watched(self.rendered)
            if metric["MetricName"] == "ApproximateNumberOfMessagesVisible"
            for queue in references(dimensions(metric)["QueueName"])
        }
        self.assertEqual(told, queues)
        self.assertLessEqual({f"{name.removesuffix('Function')}DeadLetterQueue" for name in TOLD_BY_DEAD_LETTERS}, told)

    def test_the_functions_write_the_metrics_that_are_watched(self) -> None:
        ours = [metric for _, metric in watched(self.rendered) if metric["Namespace"] == "tickerlake"]
        self.assertTrue(ours)
        for metric in ours:
            (function,) = references(dimensions(metric)["FunctionName"])
            text = source_of(package(binaries()[function]))
            self.assertIn('"tickerlake"', text)
            self.assertIn(f'"{metric["MetricName"]}"', text)

    def test_the_broker_writes_the_metrics_that_are_watched(self) -> None:
        text = "\n".join(path.read_text(encoding="utf-8") for path in BROKER.rglob("*.sh"))
        told: dict[str, set[str]] = {}
        for _, metric in watched(self.rendered):
            if metric["Namespace"] == "tickerlake/broker":
                self.assertRegex(text, rf"\b{metric['MetricName']}\b")
                self.assertEqual(dimensions(metric)["Stack"], "tickerlake")
                told.setdefault(metric["MetricName"], set()).add(dimensions(metric)["Node"])
        self.assertIn("--namespace tickerlake/broker", text)
        self.assertEqual(told, {name: {"1", "2", "3"} for name in ("Alive", "DiskUsedPercent", "CertificateDaysLeft")})

    def test_a_broker_that_says_nothing_is_down(self) -> None:
        for node in "123":
            alarm = self.rendered.resources[f"Broker{node}DownAlarm"]
            self.assertEqual(alarm["Properties"]["TreatMissingData"], "breaching")
            # Not before it was there for the first time.
            self.assertEqual(as_list(alarm["DependsOn"]), [f"Broker{node}"])

    def test_what_filters_look_for_is_what_write_quotes_says(self) -> None:
        text = source_of(package("write-quotes"))
        filters = self.rendered.of_type("AWS::Logs::MetricFilter")
        self.assertTrue(filters)
        for name, written in filters.items():
            self.assertIn(written["FilterPattern"].strip('"'), text, name)
            self.assertEqual(written["LogGroupName"], "${WriteQuotesLogGroup}")
            (metric,) = written["MetricTransformations"]
            self.assertIn((metric["MetricNamespace"], metric["MetricName"]), [(m["Namespace"], m["MetricName"]) for _, m in watched(self.rendered)])

    def test_what_is_known_of_the_table_is_told(self) -> None:
        names = {metric["MetricName"] for _, metric in watched(self.rendered) if metric["Namespace"] == "tickerlake"}
        self.assertLessEqual({"FreshnessSeconds", "SilentSymbols", "QuarantinedRecords", "CrawlsFailed"}, names)

    def test_the_mapping_is_behind_where_more_waits_than_a_quarter_of_an_hour_brought(self) -> None:
        behind, *used = self.rendered.properties("MappingLagAlarm")["Metrics"]
        expression = re.sub(r"FILL\((\w+), 0\)", r"\1", behind["Expression"])
        self.assertEqual({query["Id"]: query["MetricStat"]["Period"] for query in used}, {"lag": 900, "produced": 900})
        for lag, produced, is_told in ((0, 0, False), (8, 120, False), (121, 120, True), (1, 0, True)):
            # The least lag of the time: production a moment ago is nothing yet.
            self.assertEqual(eval(expression, {}, {"lag": lag, "produced": produced}) > 0, is_told)


class Told(unittest.TestCase):
    def test_only_this_accounts_services_tell_the_topic_and_only_over_tls(self) -> None:
        allow, deny = render().properties("AlarmTopicPolicy")["PolicyDocument"]["Statement"]
        self.assertEqual(set(allow["Principal"]["Service"]), {f"{name}.amazonaws.com" for name in ("cloudwatch", "budgets")})
        self.assertEqual(allow["Condition"], {"StringEquals": {"aws:SourceAccount": "123456789012"}})
        self.assertEqual((deny["Effect"], deny["Condition"]), ("Deny", {"Bool": {"aws:SecureTransport": "false"}}))

    def test_an_address_is_told_and_a_budget_watched_on_demand(self) -> None:
        self.assertFalse(render().of_type("AWS::SNS::Subscription") or render().of_type("AWS::Budgets::Budget"))
        rendered = render(**EVERYTHING_ON)
        (subscription,) = rendered.of_type("AWS::SNS::Subscription").values()
        self.assertEqual(subscription["Endpoint"], EVERYTHING_ON["AlarmEmail"])
        (budget,) = rendered.of_type("AWS::Budgets::Budget").values()
        self.assertEqual(budget["Budget"]["BudgetLimit"]["Amount"], "100")
        self.assertEqual(rendered.resources["MonthlyCostBudget"]["DependsOn"], "AlarmTopicPolicy")

    def test_the_dashboard_shows_what_there_is(self) -> None:
        for parameters in DEPLOYMENTS.values():
            rendered = render(**parameters)
            body = rendered.properties("Dashboard")["DashboardBody"]
            widgets = json.loads(body)["widgets"]
            places = {(widget["x"], widget["y"]) for widget in widgets}
            self.assertEqual(len(places), len(widgets))
            self.assertLessEqual(set(binaries()), references(body))


if __name__ == "__main__":
    unittest.main()
