"""Times the Python function from an event's bytes to a Parquet file's: the counterpart of `decode`.

    decode.py EVENT PARQUET ITERATIONS [full|short]
    decode.py --same ONE.parquet OTHER.parquet
"""

import json
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq

import handler


def measure(event, parquet, iterations, columns):
    schema = handler.SHORT_SCHEMA if columns == "short" else handler.SCHEMA
    body = Path(event).read_bytes()
    times = []
    for iteration in range(iterations + 1):
        begin = time.perf_counter()
        (records,) = json.loads(body)["records"].values()
        file, poison = handler.convert(records, schema)
        times.append(time.perf_counter() - begin)
        assert not poison, poison[0]
    Path(parquet).write_bytes(file)
    # The shortest, as in `decode`: what the machine's other work has lengthened least.
    print(json.dumps({"records": len(records), "bytes": len(file), "decode_ms": min(times) * 1000}))


def compare(one, other):
    one, other = (pq.read_table(path) for path in (one, other))
    differ = [name for name in one.column_names if one[name] != other[name]]
    print(json.dumps({"rows": len(one), "same": one.schema.names == other.schema.names and not differ, "differ": differ}))


if sys.argv[1] == "--same":
    compare(*sys.argv[2:])
else:
    measure(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
