-- Two feeds side by side, symbol by symbol: the same bars, as each of them built them.
--
-- Compared are bars of the same start, length and currency, the newest revision of each. The difference is the second feed's
-- close less the first's, in basis points of the first's. Volumes count where both feeds give one: a feed of one exchange has
-- few percent of the whole market's. average_seconds_later is how much later the second feed's bar was fetched first.
WITH asked AS (
    SELECT
        dt, symbol, source, feed, currency, bar_start, bar_seconds, bar_close, bar_volume,
        min(fetched_at) OVER (PARTITION BY symbol, source, feed, bar_seconds, bar_start) AS first_fetched_at,
        row_number() OVER (
            PARTITION BY symbol, source, feed, bar_seconds, bar_start
            ORDER BY fetched_at DESC, kafka_offset DESC, kafka_cluster, kafka_partition
        ) AS age
    FROM quotes
    WHERE dt >= CAST(current_date - INTERVAL '4' DAY AS varchar) -- the days: or such as dt = '2026-11-20'
      AND bar_start IS NOT NULL
),
newest AS (
    SELECT symbol, source, feed, currency, bar_start, bar_seconds, bar_close, bar_volume, first_fetched_at
    FROM asked
    WHERE age = 1
      AND date_format(bar_start AT TIME ZONE 'America/New_York', '%Y-%m-%d') >= (SELECT min(dt) FROM asked)
),
pairs AS (
    SELECT
        one.symbol, one.currency, one.bar_seconds,
        one.source AS source_1, one.feed AS feed_1, other.source AS source_2, other.feed AS feed_2,
        one.bar_close AS close_1, other.bar_close AS close_2,
        CASE WHEN other.bar_volume IS NOT NULL THEN one.bar_volume END AS volume_1,
        CASE WHEN one.bar_volume IS NOT NULL THEN other.bar_volume END AS volume_2,
        10000 * (other.bar_close - one.bar_close) / nullif(one.bar_close, 0) AS difference,
        date_diff('millisecond', one.first_fetched_at, other.first_fetched_at) AS later
    FROM newest AS one
    JOIN newest AS other
      ON one.symbol = other.symbol
     AND one.currency = other.currency
     AND one.bar_seconds = other.bar_seconds
     AND one.bar_start = other.bar_start
     AND (one.source < other.source OR (one.source = other.source AND coalesce(one.feed, '') < coalesce(other.feed, '')))
)
SELECT
    symbol, currency, bar_seconds, source_1, feed_1, source_2, feed_2,
    count(*) AS bars,
    count_if(close_1 = close_2) AS equal_closes,
    sum(difference) / nullif(count(difference), 0) AS average_difference,
    min(difference) AS least_difference,
    max(difference) AS most_difference,
    sum(volume_1) AS volume_1,
    sum(volume_2) AS volume_2,
    100 * sum(volume_2) / nullif(sum(volume_1), 0) AS volume_2_percent,
    CAST(sum(later) AS decimal(38, 3)) / (1000 * count(*)) AS average_seconds_later
FROM pairs
GROUP BY symbol, currency, bar_seconds, source_1, feed_1, source_2, feed_2
ORDER BY symbol, currency, bar_seconds, source_1, feed_1, source_2, feed_2
