"""The queries that people find saved in Athena are those that are tested, and none of them scans the lake by accident."""

import re
import unittest

from tests.template import named_queries
from tests.template.transformed import transformed

# What Athena takes: characters of a name and a description, bytes of a query.
LONGEST_NAME = 128
LONGEST_DESCRIPTION = 1024
LONGEST_QUERY = 262_144


class NamedQueries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = named_queries.files()
        resources = transformed()["Resources"].values()
        cls.declared = [resource["Properties"] for resource in resources if resource["Type"] == "AWS::Athena::NamedQuery"]

    def test_the_template_holds_the_files_verbatim(self):
        self.assertEqual({query["Name"]: query["QueryString"] for query in self.declared}, self.files, "run `make queries`")
        self.assertEqual(len(self.declared), len(self.files))
        for query in self.declared:
            self.assertEqual(query["Description"], named_queries.description(query["QueryString"]))

    def test_they_are_found_where_the_lake_is_queried(self):
        for query in self.declared:
            self.assertEqual((query["WorkGroup"], query["Database"]), ({"Ref": "LakeWorkGroup"}, {"Ref": "LakeDatabase"}), query["Name"])

    def test_athena_takes_them(self):
        for query in self.declared:
            self.assertLessEqual(len(query["Name"]), LONGEST_NAME)
            self.assertLessEqual(len(query["Description"]), LONGEST_DESCRIPTION)
            self.assertLessEqual(len(query["QueryString"].encode()), LONGEST_QUERY)

    def test_each_reads_the_table_once_and_only_the_days_of_its_marked_line(self):
        for name, sql in self.files.items():
            code = re.sub(r"--.*", "", sql)
            self.assertEqual(re.findall(r"\b(?:FROM|JOIN)\s+quotes\b", code), ["FROM quotes"], name)
            marked = re.findall(r"^    WHERE (dt .*) -- the days: or such as (dt .*)$", sql, re.MULTILINE)
            self.assertEqual(len(marked), 1, name)
            self.assertRegex(marked[0][0], r"^dt >= CAST\(current_date - INTERVAL '\d+' DAY AS varchar\)$", name)

    def test_each_says_what_it_answers(self):
        for name, sql in self.files.items():
            self.assertRegex(sql, r"\A-- [A-Z].*\.?\n--\n-- ", name)
            self.assertTrue(sql.endswith("\n") and not sql.rstrip().endswith(";"), name)


if __name__ == "__main__":
    unittest.main()
