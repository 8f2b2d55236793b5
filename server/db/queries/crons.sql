-- insert: on a thread only where the tenant has it
INSERT INTO crons (tenant_id, cron_id, assistant_id, thread_id, schedule, timezone, end_time, payload, metadata,
    on_run_completed, enabled, next_run_date, created_at, updated_at)
SELECT %(tenant_id)s, %(cron_id)s, %(assistant_id)s, %(thread_id)s, %(schedule)s, %(timezone)s, %(end_time)s,
    %(payload)s, %(metadata)s, %(on_run_completed)s, %(enabled)s, %(next_run_date)s, %(now)s, %(now)s
WHERE %(thread_id)s::uuid IS NULL
    OR EXISTS (SELECT 1 FROM threads WHERE tenant_id = %(tenant_id)s AND thread_id = %(thread_id)s)
RETURNING *

-- get: one
SELECT * FROM crons WHERE tenant_id = %(tenant_id)s AND cron_id = %(cron_id)s

-- lock: one, for a change
SELECT * FROM crons WHERE tenant_id = %(tenant_id)s AND cron_id = %(cron_id)s FOR UPDATE

-- replace: everything that a change may change
UPDATE crons
SET schedule = %(schedule)s, timezone = %(timezone)s, end_time = %(end_time)s, payload = %(payload)s,
    metadata = %(metadata)s, on_run_completed = %(on_run_completed)s, enabled = %(enabled)s,
    next_run_date = %(next_run_date)s, updated_at = %(updated_at)s
WHERE tenant_id = %(tenant_id)s AND cron_id = %(cron_id)s
RETURNING *

-- delete: one
DELETE FROM crons WHERE tenant_id = %(tenant_id)s AND cron_id = %(cron_id)s RETURNING cron_id

-- search: those that match, sorted by one column
SELECT found.* FROM (
    SELECT *,
        CASE %(sort_by)s
            WHEN 'cron_id' THEN cron_id::text
            WHEN 'assistant_id' THEN assistant_id::text
            WHEN 'thread_id' THEN thread_id::text
            WHEN 'next_run_date' THEN to_char(next_run_date AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS')
            WHEN 'end_time' THEN to_char(end_time AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS')
            WHEN 'updated_at' THEN to_char(updated_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS')
            ELSE to_char(created_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS')
        END COLLATE "C" AS sort_key
    FROM crons
    WHERE tenant_id = %(tenant_id)s
        AND metadata @> %(metadata)s
        AND (%(assistant_id)s::uuid IS NULL OR assistant_id = %(assistant_id)s)
        AND (%(thread_id)s::uuid IS NULL OR thread_id = %(thread_id)s)
        AND (%(enabled)s::boolean IS NULL OR enabled = %(enabled)s)
) AS found
ORDER BY
    CASE WHEN NOT %(descending)s THEN sort_key END NULLS LAST,
    CASE WHEN %(descending)s THEN sort_key END DESC NULLS LAST,
    cron_id DESC
LIMIT %(limit)s OFFSET %(offset)s

-- count: those that match
SELECT count(*) AS found FROM crons
WHERE tenant_id = %(tenant_id)s
    AND metadata @> %(metadata)s
    AND (%(assistant_id)s::uuid IS NULL OR assistant_id = %(assistant_id)s)
    AND (%(thread_id)s::uuid IS NULL OR thread_id = %(thread_id)s)

-- due: of any tenant, those whose time has come, latest last; what came after its end is not due
SELECT * FROM crons
WHERE enabled AND next_run_date <= %(now)s AND (end_time IS NULL OR next_run_date <= end_time)
ORDER BY next_run_date LIMIT %(limit)s

-- take_tick: a due cron as it was seen, for one process alone; another that asks meanwhile gets nothing and does not wait
UPDATE crons SET next_run_date = %(next_run_date)s, enabled = %(enabled)s
WHERE cron_id = (
    SELECT cron_id FROM crons
    WHERE tenant_id = %(tenant_id)s AND cron_id = %(cron_id)s AND enabled AND next_run_date = %(tick)s
        AND updated_at = %(updated_at)s
    FOR UPDATE SKIP LOCKED
)
RETURNING cron_id

-- disable: it can start no more
UPDATE crons SET enabled = false, updated_at = %(now)s WHERE tenant_id = %(tenant_id)s AND cron_id = %(cron_id)s

-- notify: whoever runs runs, in any process
SELECT pg_notify(%(channel)s, '')
