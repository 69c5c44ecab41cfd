-- Offsets of Kafka that have no row between those that have one, and offsets that have several. None is as it should be.
--
-- A gap may be in quarantine, or its rows in a day that was not asked for: `tickerlake audit` compares Kafka, all days and the
-- quarantine. Offsets before the first and after the last row of the days are no gap here.
WITH offsets AS (
    SELECT kafka_cluster, kafka_partition, kafka_offset, count(*) AS copies, min(dt) AS first_day, max(dt) AS last_day
    FROM quotes
    WHERE dt >= CAST(current_date - INTERVAL '6' DAY AS varchar) -- the days: or such as dt = '2026-11-20'
    GROUP BY kafka_cluster, kafka_partition, kafka_offset
),
steps AS (
    SELECT
        kafka_cluster, kafka_partition, kafka_offset, copies, first_day, last_day,
        lag(kafka_offset) OVER (PARTITION BY kafka_cluster, kafka_partition ORDER BY kafka_offset) AS offset_before,
        lag(last_day) OVER (PARTITION BY kafka_cluster, kafka_partition ORDER BY kafka_offset) AS day_before
    FROM offsets
)
SELECT
    kafka_cluster, kafka_partition, finding,
    CASE finding WHEN 'gap' THEN offset_before + 1 ELSE kafka_offset END AS first_offset,
    CASE finding WHEN 'gap' THEN kafka_offset - 1 ELSE kafka_offset END AS last_offset,
    CASE finding WHEN 'gap' THEN kafka_offset - offset_before - 1 ELSE 1 END AS offsets,
    CASE finding WHEN 'gap' THEN 0 ELSE copies END AS copies,
    CASE finding WHEN 'gap' THEN day_before ELSE first_day END AS first_day,
    CASE finding WHEN 'gap' THEN first_day ELSE last_day END AS last_day
FROM steps
CROSS JOIN (VALUES ('gap'), ('double')) AS findings (finding)
WHERE (finding = 'gap' AND kafka_offset > offset_before + 1)
   OR (finding = 'double' AND copies > 1)
ORDER BY kafka_cluster, kafka_partition, first_offset, finding
