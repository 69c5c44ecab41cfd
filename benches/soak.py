#!/usr/bin/env python3
"""Runs the pipeline over real Apache Kafka at the highest rate that the machine holds, killing parts of it at random.

Files of made-up quotes are replayed one after another through `tickerlake local --kafka real`. Meanwhile, at random
moments, the function write-quotes, the whole stack with its mapping, or the broker is killed with SIGKILL; whatever has
ended is started again. When the time is over, the file under way is finished, and `tickerlake audit` and a count of all
rows say whether anything was lost or doubled. Exits 0 only if nothing was.
"""

import argparse
import csv
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

SYMBOLS = [f"{a}{b}" for a in "ABCDEFGHIJ" for b in "KLMNOPQRST"]


def record(path, number, rows):
    """Writes file `number`: a day of its own, so that no two files are the same."""
    day = datetime(2013, 1, 7) + timedelta(days=number)
    noise = random.Random(number)
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow("symbol event_time fetched_at price bid ask bid_size ask_size bar_start bar_seconds bar_volume".split())
    for row in range(rows):
        moment = day + timedelta(hours=14, milliseconds=row * (7 * 3_600_000 // rows))
        stamp = moment.isoformat(timespec="milliseconds") + "Z"
        price = 50 + noise.randrange(10_000) / 100
        out.writerow([SYMBOLS[row % len(SYMBOLS)], stamp, stamp, f"{price:.2f}", f"{price - 0.01:.2f}", f"{price + 0.01:.2f}",
                      noise.randrange(1, 90) * 100, noise.randrange(1, 90) * 100, stamp, 1, noise.randrange(100_000)])
    path.write_text(text.getvalue())


def children(pid):
    """The processes that `pid` has started, and those that they have: by number, with the names of their programs."""
    try:
        found = [int(child) for task in os.listdir(f"/proc/{pid}/task")
                 for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
        return [(child, Path(f"/proc/{child}/comm").read_text().strip()) for child in found] + \
            [below for child in found for below in children(child)]
    except OSError:
        return []


def resident(pid):
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS:")), 0)
    except OSError:
        return 0


class Soak:
    def __init__(self, options):
        self.options = options
        self.data = Path(options.data)
        self.killed = {"write-quotes": 0, "the stack and its mapping": 0, "the broker": 0}
        self.memory = []  # (seconds since the start, MB) of write-quotes
        self.started = time.monotonic()
        self.next_kill = self.started + random.uniform(*options.kill_after)

    def elapsed(self):
        return time.monotonic() - self.started

    def tickerlake(self, *arguments, **options):
        return subprocess.run([self.options.tickerlake, *arguments, "--data", str(self.data)], text=True, **options)

    def stack(self, file, log):
        command = [self.options.tickerlake, "local", "--kafka", self.options.kafka, "--port", "0", "--kafka-port", "0", "--source",
                   "replay", "--replay-file", str(file), "--speed", "max", "--until-drained", "--every", "100ms", "--data", str(self.data)]
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def kill(self, stack):
        """Kills one part with SIGKILL; the broker's end is the stack's too."""
        part = random.choice(list(self.killed))
        below = children(stack.pid)
        victims = {
            "write-quotes": [pid for pid, name in below if name == "write-quotes"],
            "the stack and its mapping": [stack.pid],
            "the broker": [pid for pid, name in below if name == "java"],
        }[part]
        for victim in victims:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                return
        self.killed[part] += bool(victims)
        if part == "the broker" and victims:
            # Whatever the stack makes of it: it is killed too, and both begin again on what is on the disk.
            time.sleep(random.uniform(0, 2))
            stack.kill()

    def replay(self, file):
        """Replays a file to its end, however often something is killed."""
        path = self.data.parent / "soak.log"
        with open(path, "a") as log:
            while True:
                kills = sum(self.killed.values())
                stack = self.stack(file, log)
                while stack.poll() is None:
                    time.sleep(0.25)
                    used = [resident(pid) for pid, name in children(stack.pid) if name == "write-quotes"]
                    self.memory.extend((self.elapsed(), megabytes) for megabytes in used if megabytes)
                    if time.monotonic() >= self.next_kill and self.elapsed() < self.options.minutes * 60:
                        self.kill(stack)
                        self.next_kill = time.monotonic() + random.uniform(*self.options.kill_after)
                if stack.returncode == 0:
                    return
                if kills == sum(self.killed.values()):
                    sys.exit(f"the stack ended by itself with {stack.returncode}: see {path}")

    def run(self):
        expected = 0
        number = 0
        while self.elapsed() < self.options.minutes * 60:
            with tempfile.NamedTemporaryFile(suffix=".csv", dir=self.data.parent) as file:
                record(Path(file.name), number, self.options.rows)
                self.replay(Path(file.name))
            number += 1
            expected += self.options.rows
            print(f"{self.elapsed():6.0f} s  {expected} rows, {expected / self.elapsed():.0f} a second, killed {self.killed}", flush=True)
        took = self.elapsed()

        counted = self.tickerlake("query", "--format", "json", "SELECT count(*) AS n FROM quotes", stdout=subprocess.PIPE)
        found = int(json.loads(counted.stdout)["n"]) if counted.returncode == 0 else -1
        audit = self.tickerlake("audit")
        minutes = {}
        for second, megabytes in self.memory:
            minute = int(second // 60)
            minutes[minute] = max(minutes.get(minute, 0), megabytes)
        print(f"took {took:.0f} s, {expected} rows replayed, {found} found, {expected / took:.0f} a second; killed {self.killed}")
        print("largest resident set of write-quotes by minute, MB:", " ".join(str(minutes[minute]) for minute in sorted(minutes)))
        return audit.returncode == 0 and found == expected


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tickerlake", help="the command; the functions' binaries lie beside it")
    parser.add_argument("--minutes", type=float, default=20, help="how long (default 20)")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of a file (default 200,000)")
    parser.add_argument("--kill-after", type=float, nargs=2, default=(15, 60), metavar=("LEAST", "MOST"), help="seconds from one kill to the next")
    parser.add_argument("--kafka", default="real", help="as `tickerlake local` takes it (default real)")
    parser.add_argument("--seed", type=int, default=1, help="of what is killed when")
    parser.add_argument("--data", help="an empty folder to keep (default: a temporary one)")
    options = parser.parse_args()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        options.data = options.data or os.path.join(folder, "lake")
        sys.exit(0 if Soak(options).run() else 1)


if __name__ == "__main__":
    main()
