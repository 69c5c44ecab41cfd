-- Rows, files and bytes of each day in the lake: what there is, and whether a day needs compaction.
--
-- A file without rows, which write-quotes makes where a batch held nothing of its day, is not seen by SQL.
WITH files AS (
    SELECT dt, "$path" AS path, count(*) AS quotes, max("$file_size") AS bytes
    FROM quotes
    WHERE dt >= CAST(current_date - INTERVAL '30' DAY AS varchar) -- the days: or such as dt = '2026-11-20'
    GROUP BY dt, "$path"
)
SELECT dt, count(*) AS files, sum(quotes) AS quotes, sum(bytes) AS bytes, sum(bytes) / sum(quotes) AS bytes_a_quote
FROM files
GROUP BY dt
ORDER BY dt
