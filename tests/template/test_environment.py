"""Each function's variables: the template gives exactly what config.rs reads."""

from __future__ import annotations

import unittest

from tests.template.deployments import DEPLOYMENTS, EVERYTHING_ON
from tests.template.rendered import render
from tests.template.sources import variables
from tests.template.transformed import binaries

# What a function reads and a deployment does not set, and why.
LOCAL_ALONE = {
    "fetch-quotes": {
        # A user and an authority that lie in secrets here.
        "KAFKA_USERNAME",
        "KAFKA_PASSWORD",
        "KAFKA_CA_CERTIFICATE",
        "QUOTE_API_KEY",
        # Sources and settings of a machine with a person before it.
        "REPLAY_FILE",
        "REPLAY_SPEED",
        "SIMULATION_SEED",
    },
}


class Environment(unittest.TestCase):
    def test_each_function_is_given_what_it_reads_and_nothing_else(self) -> None:
        for name, binary in binaries().items():
            with self.subTest(binary):
                given = set(render().properties(name)["Environment"]["Variables"])
                self.assertEqual(variables(binary) - LOCAL_ALONE.get(binary, set()), given)

    def test_what_is_given_does_not_depend_on_how_it_is_deployed(self) -> None:
        for parameters in [*DEPLOYMENTS.values(), EVERYTHING_ON]:
            for name in binaries():
                given = set(render(**parameters).properties(name)["Environment"]["Variables"])
                self.assertEqual(given, set(render().properties(name)["Environment"]["Variables"]), name)

    def test_what_is_local_alone_is_read(self) -> None:
        for binary, alone in LOCAL_ALONE.items():
            self.assertLessEqual(alone, variables(binary), binary)

    def test_lambda_takes_the_variables(self) -> None:
        for name in binaries():
            given = render(**EVERYTHING_ON).properties(name)["Environment"]["Variables"]
            # All of them together are 4 KB at most.
            self.assertLess(sum(len(key) + len(str(value)) for key, value in given.items()), 4096 - 1024, name)


if __name__ == "__main__":
    unittest.main()
