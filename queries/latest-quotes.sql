-- The newest quote of each symbol from each source and feed.
--
-- Newest by the moment of the fetch, then by the offset in Kafka. market_age_seconds is how old the trade was when it was
-- fetched, apart from the delay that the feed declares (one that declares none has NULL there, and none is taken off).
-- A symbol appears if it was fetched in the last seven days.
WITH asked AS (
    SELECT
        symbol, source, feed, currency, price, last_size, bid, ask, session, trade_date, event_time, quote_time, fetched_at, delay_seconds,
        row_number() OVER (
            PARTITION BY symbol, source, feed
            ORDER BY fetched_at DESC, kafka_offset DESC, kafka_cluster, kafka_partition
        ) AS age
    FROM quotes
    WHERE dt >= CAST(current_date - INTERVAL '6' DAY AS varchar) -- the days: or such as dt = '2026-11-20'
)
SELECT
    symbol, source, feed, currency, price, last_size, bid, ask, session, trade_date, event_time, quote_time, fetched_at, delay_seconds,
    CAST(date_diff('millisecond', event_time, fetched_at) AS decimal(18, 3)) / 1000 - coalesce(delay_seconds, 0) AS market_age_seconds
FROM asked
WHERE age = 1
ORDER BY symbol, source, feed
