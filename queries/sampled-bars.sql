-- Bars made of the polled prices, for sources that send no bars of their own. Where they do, ask for bars instead.
--
-- A poll sees one trade, the last one: polls once a minute miss most of the highs and lows, and nothing can be said of the
-- volume. polls is how many prices a bar is made of. A price belongs to the minute of its trade (event_time), not of the poll:
-- a price that is polled for an hour without a new trade makes one bar. Trades before the first of the days are left out.
WITH asked AS (
    SELECT
        dt, symbol, source, feed, currency, price, event_time, event_time_ns, fetched_at, kafka_cluster, kafka_partition, kafka_offset,
        date_trunc('minute', event_time) AS sampled_minute
    FROM quotes
    WHERE dt >= CAST(current_date - INTERVAL '4' DAY AS varchar) -- the days: or such as dt = '2026-11-20'
),
ranked AS (
    SELECT
        symbol, source, feed, currency, sampled_minute, price,
        row_number() OVER (
            PARTITION BY symbol, source, feed, currency, sampled_minute
            ORDER BY event_time_ns, fetched_at, kafka_offset, kafka_cluster, kafka_partition
        ) AS from_first,
        row_number() OVER (
            PARTITION BY symbol, source, feed, currency, sampled_minute
            ORDER BY event_time_ns DESC, fetched_at DESC, kafka_offset DESC, kafka_cluster DESC, kafka_partition DESC
        ) AS from_last
    FROM asked
    WHERE date_format(event_time AT TIME ZONE 'America/New_York', '%Y-%m-%d') >= (SELECT min(dt) FROM asked)
)
SELECT
    symbol, source, feed, currency, sampled_minute,
    max(CASE WHEN from_first = 1 THEN price END) AS sampled_open,
    max(price) AS sampled_high,
    min(price) AS sampled_low,
    max(CASE WHEN from_last = 1 THEN price END) AS sampled_close,
    count(*) AS polls
FROM ranked
GROUP BY symbol, source, feed, currency, sampled_minute
ORDER BY symbol, source, feed, currency, sampled_minute
