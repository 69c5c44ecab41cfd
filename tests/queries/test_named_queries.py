"""Every named query, asked as a person asks it of a lake that the real binaries filled, answers to the last digit."""

import datetime as dt
import pathlib
import shutil
import tempfile
import unittest

from tests.queries import market
from tests.queries.answers import ANSWERS, Asked, Row, parsed
from tests.queries.compare import NAMES, check, differences, flags
from tests.queries.lake import Lake, ROOT

BOTH = Asked(str(market.WEDNESDAY), str(market.HALF_DAY))
ONE = Asked(str(market.HALF_DAY), str(market.HALF_DAY))


class NamedQueries(unittest.TestCase):
    """One lake for all, since filling it takes longer than asking it."""

    lake: Lake
    rows: "list[Row]"

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        recorded = market.Market().rows()
        cls.rows = parsed(recorded)
        cls.lake = Lake(pathlib.Path(folder.name) / "data")
        # In two parts, the second of which begins on the half-day: so each log has three files at least.
        half = sum(row["dt"] == ONE.first for row in cls.rows) // 2
        for name, part in (("first.csv", recorded[:-half]), ("second.csv", recorded[-half:])):
            recording = pathlib.Path(folder.name) / name
            market.write(recording, part)
            cls.lake.replay(recording)

    def assert_answers(self, name: str, asked: Asked, flags_given: "list[str]") -> None:
        told = check(self.lake, self.rows, name, asked, flags_given)
        self.assertFalse(told, f"{name} {flags_given}: {len(told)} differences, the first ones: {told[:3]}")

    def test_every_query_is_compared(self) -> None:
        self.assertEqual(sorted(path.stem for path in (ROOT / "queries").glob("*.sql")), NAMES)

    def test_the_recording_has_what_makes_questions_hard(self) -> None:
        for name, answer in ANSWERS.items():
            rows = answer(self.rows, BOTH)
            self.assertTrue(rows, name)
            # Else a query that never tells NULL from 0, or never counts, would do.
            for column in {"bar_vwap", "bar_volume", "regular_percent", "locked", "crossed", "untimed", "equal_closes"} & set(rows[0]):
                self.assertGreater(len({row[column] for row in rows}), 1, f"{name}: {column}")
        self.assertGreater(len(ANSWERS["bars"](self.rows, BOTH)), len(ANSWERS["bars"](self.rows, ONE)) + 100)

    def test_days_that_are_named(self) -> None:
        for name in NAMES:
            with self.subTest(name):
                self.assert_answers(name, BOTH, flags(BOTH))

    def test_without_a_day_an_old_lake_answers_for_its_newest(self) -> None:
        for name in NAMES:
            with self.subTest(name):
                self.assert_answers(name, ONE, [])

    def test_a_moment(self) -> None:
        moment = dt.datetime(2013, 11, 27, 14, 30, 5, 500_000)
        asked = Asked(BOTH.first, BOTH.last, moment)
        self.assert_answers("latest-quotes-as-of", asked, flags(asked))
        self.assert_answers("latest-quotes-as-of", asked, ["--as-of", "2013-11-27T09:30:05.500-05:00"])

    def test_gaps_and_doubles(self) -> None:
        damaged = Lake(self.lake.data.parent / "damaged")
        shutil.copytree(self.lake.data, damaged.data)
        by_log: "dict[str, list[tuple[int, pathlib.Path]]]" = {}
        for day in (BOTH.first, BOTH.last):
            for file in damaged.files(day):
                log, first = file.stem.rsplit("-", 1)
                by_log.setdefault(log, []).append((int(first), file))
        log, files = max(by_log.items(), key=lambda entry: len(entry[1]))
        files.sort()
        (doubled, file), (lost, gone), (after, _) = files[0], files[1], files[2]
        cluster, partition = log.removeprefix("c-").rsplit("-quotes-", 1)
        day = [found.parent.name.removeprefix("dt=") for _, found in files[:3]]
        damaged.copy(file, "copy.parquet")
        damaged.remove(gone)
        place = {"kafka_cluster": cluster, "kafka_partition": str(int(partition))}
        expected = [
            {**place, "finding": "double", "first_offset": str(offset), "last_offset": str(offset), "offsets": "1", "copies": "2"}
            | {"first_day": day[0], "last_day": day[0]}
            for offset in range(doubled, lost)
        ]
        gap = {**place, "finding": "gap", "first_offset": str(lost), "last_offset": str(after - 1), "offsets": str(after - lost), "copies": "0"}
        expected.append({**gap, "first_day": day[0], "last_day": day[2]})
        self.assertFalse(differences(expected, damaged.ask("gaps-and-doubles", *flags(BOTH))))


if __name__ == "__main__":
    unittest.main()
