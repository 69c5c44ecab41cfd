-- The newest quote of each symbol, source and feed as it was known at a moment: what had been fetched by then.
--
-- The moment is yesterday's, this time of day: write another in its place, in UTC. The columns are those of latest-quotes.
WITH asked AS (
    SELECT
        symbol, source, feed, currency, price, last_size, bid, ask, session, trade_date, event_time, quote_time, fetched_at, delay_seconds,
        row_number() OVER (
            PARTITION BY symbol, source, feed
            ORDER BY fetched_at DESC, kafka_offset DESC, kafka_cluster, kafka_partition
        ) AS age
    FROM quotes
    WHERE dt >= CAST(current_date - INTERVAL '7' DAY AS varchar) -- the days: or such as dt BETWEEN '2026-11-14' AND '2026-11-20'
      AND fetched_at <= CAST(current_timestamp AT TIME ZONE 'UTC' AS timestamp) - INTERVAL '1' DAY -- the moment: or timestamp '2026-11-20 15:30:00'
)
SELECT
    symbol, source, feed, currency, price, last_size, bid, ask, session, trade_date, event_time, quote_time, fetched_at, delay_seconds,
    CAST(date_diff('millisecond', event_time, fetched_at) AS decimal(18, 3)) / 1000 - coalesce(delay_seconds, 0) AS market_age_seconds
FROM asked
WHERE age = 1
ORDER BY symbol, source, feed
