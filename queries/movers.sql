-- What moved most on the newest trading day: change since the close before it, in the regular session and outside of it.
--
-- regular_change is up to the last trade, or to the day's close once the regular session is over. extended_change is what
-- the trades before it (since the close before) or after it (since the day's close) added. Percent of what they changed from.
-- Before the open a source may still send yesterday's bar of the day: only quotes count whose bar of the day is of their
-- trade's date. A symbol that has not traded on the newest trading day is left out; overnight trades do not begin one.
WITH asked AS (
    SELECT
        symbol, source, feed, currency, session, trade_date, day_date, price, day_close, day_volume, previous_close, event_time, fetched_at,
        kafka_cluster, kafka_partition, kafka_offset
    FROM quotes
    WHERE dt >= CAST(current_date - INTERVAL '4' DAY AS varchar) -- the days: or such as dt = '2026-11-20'
),
ranked AS (
    SELECT
        symbol, source, feed, currency, session, trade_date, price, day_close, day_volume, previous_close, event_time, fetched_at,
        row_number() OVER (
            PARTITION BY symbol, source, feed
            ORDER BY fetched_at DESC, kafka_offset DESC, kafka_cluster, kafka_partition
        ) AS age
    FROM asked
    WHERE trade_date = (SELECT max(trade_date) FROM asked WHERE session IN ('pre', 'regular', 'post'))
      AND day_date = trade_date
),
priced AS (
    SELECT
        symbol, source, feed, currency, session, trade_date, price, day_volume, event_time, fetched_at,
        nullif(previous_close, 0) AS previous_close,
        CASE session WHEN 'regular' THEN price WHEN 'post' THEN nullif(day_close, 0) END AS regular_price
    FROM ranked
    WHERE age = 1
),
changed AS (
    SELECT
        symbol, source, feed, currency, session, trade_date, price, day_volume, event_time, fetched_at, previous_close, regular_price,
        regular_price - previous_close AS regular_change,
        100 * (regular_price - previous_close) / previous_close AS regular_percent,
        CASE WHEN session = 'post' THEN price - regular_price WHEN session <> 'regular' THEN price - previous_close END AS extended_change,
        CASE
            WHEN session = 'post' THEN 100 * (price - regular_price) / regular_price
            WHEN session <> 'regular' THEN 100 * (price - previous_close) / previous_close
        END AS extended_percent
    FROM priced
),
sized AS (
    SELECT
        symbol, source, feed, currency, session, trade_date, price, previous_close, regular_price,
        regular_change, regular_percent, extended_change, extended_percent, day_volume, event_time, fetched_at,
        abs(coalesce(regular_percent, extended_percent)) AS size
    FROM changed
)
SELECT
    symbol, source, feed, currency, session, trade_date, price, previous_close, regular_price,
    regular_change, regular_percent, extended_change, extended_percent, day_volume, event_time, fetched_at
FROM sized
ORDER BY size DESC, symbol, source, feed
