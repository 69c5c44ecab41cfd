-- How far bid and ask lie apart in the regular session, by day and symbol: in money, and in basis points of the middle.
--
-- A best quote counts once, however often it was polled. It is placed by its own time, which may be hours from the last
-- trade's; one without a time (untimed) by the fetch's, less the feed's delay. Quotes with bid = ask (locked) or bid > ask
-- (crossed) are counted apart and are in no average. On a half-day the regular session ends where trades after it begin.
WITH asked AS (
    SELECT
        symbol, source, feed, currency, bid, ask, session, trade_date, event_time, quote_time, fetched_at,
        kafka_cluster, kafka_partition, kafka_offset,
        coalesce(quote_time, date_add('second', -coalesce(delay_seconds, 0), fetched_at)) AS quoted_at
    FROM quotes
    WHERE dt >= CAST(current_date - INTERVAL '4' DAY AS varchar) -- the days: or such as dt = '2026-11-20'
),
trading_days AS (
    SELECT trade_date, min(CASE WHEN session = 'post' THEN event_time END) AS post_began
    FROM asked
    WHERE session IN ('regular', 'post')
    GROUP BY trade_date
    HAVING count_if(session = 'regular') > 0
),
two_sided AS (
    SELECT
        symbol, source, feed, currency, bid, ask, quote_time, quoted_at,
        date_format(quoted_at AT TIME ZONE 'America/New_York', '%Y-%m-%d') AS quote_date,
        date_format(quoted_at AT TIME ZONE 'America/New_York', '%H:%i') AS quote_clock,
        row_number() OVER (
            PARTITION BY symbol, source, feed, quoted_at
            ORDER BY fetched_at DESC, kafka_offset DESC, kafka_cluster, kafka_partition
        ) AS age
    FROM asked
    WHERE bid > 0 AND ask > 0
),
counted AS (
    SELECT
        quote_date, symbol, source, feed, currency, bid, ask, quote_time,
        CASE WHEN ask > bid THEN ask - bid END AS spread,
        CASE WHEN ask > bid THEN 20000 * (ask - bid) / (ask + bid) END AS basis_points
    FROM two_sided
    JOIN trading_days ON quote_date = trading_days.trade_date
    WHERE age = 1
      AND quote_clock >= '09:30'
      AND quote_clock < '16:00'
      AND (post_began IS NULL OR quoted_at < post_began)
)
SELECT
    quote_date, symbol, source, feed, currency,
    count(*) AS quotes,
    count_if(bid = ask) AS locked,
    count_if(bid > ask) AS crossed,
    count_if(quote_time IS NULL) AS untimed,
    sum(spread) / nullif(count(spread), 0) AS average_spread,
    sum(basis_points) / nullif(count(spread), 0) AS average_basis_points,
    min(basis_points) AS least_basis_points,
    max(basis_points) AS most_basis_points
FROM counted
GROUP BY quote_date, symbol, source, feed, currency
ORDER BY quote_date, symbol, source, feed, currency
