-- The sources' own bars, gathered to the minute that they start in: open, high, low, close, volume, vwap.
--
-- A bar is sent again with each poll, and may be corrected: of its revisions the newest counts. Bars of different lengths,
-- sources, feeds or currencies are never mixed. What one of a minute's bars lacks, the minute lacks; so it has a vwap only if
-- each of its bars has one. bars is how many were gathered: 1 of 60 seconds, up to 60 of 1 second.
-- Before the open a source may still send the last bar of the day before. Of bars that began before the first of the days
-- that is all that was seen, so they are left out.
WITH asked AS (
    SELECT
        dt, symbol, source, feed, currency, bar_start, bar_seconds, bar_open, bar_high, bar_low, bar_close, bar_volume, bar_vwap, bar_trades,
        fetched_at, kafka_cluster, kafka_partition, kafka_offset
    FROM quotes
    WHERE dt >= CAST(current_date - INTERVAL '4' DAY AS varchar) -- the days: or such as dt = '2026-11-20'
      AND bar_start IS NOT NULL
),
ranked AS (
    SELECT
        symbol, source, feed, currency, bar_start, bar_seconds, bar_open, bar_high, bar_low, bar_close, bar_volume, bar_vwap, bar_trades,
        date_trunc('minute', bar_start) AS bar_minute,
        row_number() OVER (
            PARTITION BY symbol, source, feed, bar_seconds, bar_start
            ORDER BY fetched_at DESC, kafka_offset DESC, kafka_cluster, kafka_partition
        ) AS age
    FROM asked
    WHERE date_format(bar_start AT TIME ZONE 'America/New_York', '%Y-%m-%d') >= (SELECT min(dt) FROM asked)
)
SELECT
    symbol, source, feed, currency, bar_seconds, bar_minute,
    count(*) AS bars,
    min_by(bar_open, bar_start) AS bar_open,
    CASE WHEN count(bar_high) = count(*) THEN max(bar_high) END AS bar_high,
    CASE WHEN count(bar_low) = count(*) THEN min(bar_low) END AS bar_low,
    max_by(bar_close, bar_start) AS bar_close,
    CASE WHEN count(bar_volume) = count(*) THEN sum(bar_volume) END AS bar_volume,
    CASE WHEN count(bar_vwap) = count(*) AND count(bar_volume) = count(*)
        THEN CAST(sum(bar_vwap * bar_volume) / nullif(sum(bar_volume), 0) AS decimal(18, 6))
    END AS bar_vwap,
    CASE WHEN count(bar_trades) = count(*) THEN sum(bar_trades) END AS bar_trades
FROM ranked
WHERE age = 1
GROUP BY symbol, source, feed, currency, bar_seconds, bar_minute
ORDER BY symbol, source, feed, currency, bar_seconds, bar_minute
