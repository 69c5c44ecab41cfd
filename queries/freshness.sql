-- How fresh the newest quote of each symbol, source and feed is, in two numbers.
--
-- pipeline_seconds is ours: from the fetch to now (asked_at). market_seconds is the market's: from the trade to the fetch, less
-- the delay that the feed declares (one that declares none has NULL there, and none is taken off). The least fresh come first.
-- A symbol that was not fetched in the last seven days does not appear.
WITH asked AS (
    SELECT
        symbol, source, feed, session, event_time, fetched_at, delay_seconds,
        CAST(current_timestamp AT TIME ZONE 'UTC' AS timestamp) AS asked_at,
        row_number() OVER (
            PARTITION BY symbol, source, feed
            ORDER BY fetched_at DESC, kafka_offset DESC, kafka_cluster, kafka_partition
        ) AS age
    FROM quotes
    WHERE dt >= CAST(current_date - INTERVAL '6' DAY AS varchar) -- the days: or such as dt = '2026-11-20'
)
SELECT
    symbol, source, feed, session, event_time, fetched_at, asked_at, delay_seconds,
    CAST(date_diff('millisecond', fetched_at, asked_at) AS decimal(18, 3)) / 1000 AS pipeline_seconds,
    CAST(date_diff('millisecond', event_time, fetched_at) AS decimal(18, 3)) / 1000 - coalesce(delay_seconds, 0) AS market_seconds
FROM asked
WHERE age = 1
ORDER BY fetched_at, symbol, source, feed
